"""Nodes that come when pods find no room, and go when they have nothing to do.

What is simulated is what others see of cluster-autoscaler: nodes, its event on a pod, and its
ConfigMap ``cluster-autoscaler-status``. A pod gets the first pool, in the description's order, of
which an empty node would take it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest, read_node, read_pod, read_request
from gpuspawner.capacity.node_states import summed
from gpuspawner.fit import judge
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import CONFIGMAPS, NODES, PODS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.description import ClusterDescription
from gpuspawner.simcluster.description.node_pools import Autoscaling
from gpuspawner.simcluster.informer import follow
from gpuspawner.simcluster.manifests import Site, node, sites, system_pods
from gpuspawner.simcluster.recorder import NORMAL, EventRecorder, Source
from gpuspawner.simcluster.scheduling.scheduler_view import ClusterView
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.lifecycle import TERMINAL_PHASES
from gpuspawner.simcluster.storage.store import Store

STATUS = ("kube-system", "cluster-autoscaler-status")
_SOURCE = Source("cluster-autoscaler")
_NOT_FOUND = 404


@dataclass(slots=True)
class _Coming:
    """A node on its way, and the pods for which there is room on it."""

    site: Site
    ready_at: float
    pods: list[Pod] = field(default_factory=list)


class Autoscaler:
    """Grows and shrinks the pools of a description that say how.

    Args:
        store: the cluster.
        description: its pools; those without `autoscaling` are left alone.
    """

    def __init__(self, store: Store, description: ClusterDescription) -> None:
        self._store = store
        self._description = description
        self._sites = [
            (site, scaling) for site in sites(description) if (scaling := site.pool.autoscaling)
        ]
        self._recorder = EventRecorder(store)
        self._view = ClusterView((), backoff=(1.0, 1.0))
        self._coming: dict[str, _Coming] = {}
        # Which node was called for, by the pod for which it was.
        self._promised: dict[str, str] = {}
        self._idle_since: dict[str, float] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Grow and shrink for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._view.follow(self._store))
            tasks.create_task(follow(self._store, PODS, self))
            tasks.create_task(self._scale())

    def resync(self, objects: list[Object]) -> None:
        """These pods are there."""
        del objects
        self._news.set()

    def observe(self, event: Event) -> None:
        """A pod came, changed or went."""
        del event
        self._news.set()

    async def _scale(self) -> None:
        while True:
            self._news.clear()
            # The view hears of the same events, in a task of its own.
            await asyncio.sleep(0)
            pods, _ = self._store.list(PODS)
            now = time.monotonic()
            waiting = [pod for pod in pods if _has_no_room(pod)]
            self._forget_all_but({pod["metadata"]["uid"] for pod in waiting})
            for pod in waiting:
                self._help(pod, now)
            self._deliver(now)
            self._remove_idle(pods, now)
            self._report()
            try:
                async with asyncio.timeout(self._seconds_to_next(now)):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _help(self, pod: Object, now: float) -> None:
        """Call for a node for a pod, unless one is on its way that has room for it."""
        uid, request = pod["metadata"]["uid"], read_request(pod)
        seen = self._view.index.snapshot()
        promised = self._promised.get(uid)
        if (promised and promised not in seen.nodes) or judge(request, seen).nodes:
            return
        for coming in self._coming.values():
            if self._fits(request, coming.site, coming.pods):
                self._promise(pod, coming)
                return
        for site, scaling in self._sites:
            if not self._is_used(site) and self._fits(request, site, ()):
                before = self._size(site)
                ready_at = now + scaling.ready_after_seconds
                self._coming[site.name] = _Coming(site, ready_at)
                self._promise(pod, self._coming[site.name])
                growth = f"{scaling.group} {before}->{before + 1} (max: {scaling.max})"
                message = f"pod triggered scale-up: [{{{growth}}}]"
                self._recorder.record(pod, _SOURCE, NORMAL, "TriggeredScaleUp", message)
                return

    def _promise(self, pod: Object, coming: _Coming) -> None:
        coming.pods.append(read_pod(pod))
        self._promised[pod["metadata"]["uid"]] = coming.site.name

    def _fits(self, request: PodRequest, site: Site, others: Iterable[Pod]) -> bool:
        """Whether a new node would take a pod beside `others`."""
        own = (
            read_pod({**pod, "metadata": {**pod["metadata"], "namespace": namespace}})
            for namespace, pod in system_pods(self._description, site)
        )
        state = summed(read_node(node(site)), (*own, *others))
        seen = self._view.index.snapshot()
        alone = Snapshot(seen.generation, {site.name: state}, objects=seen.objects)
        return bool(judge(request, alone).nodes)

    def _is_there(self, site: Site) -> bool:
        return self._store.contains(NODES, None, site.name)

    def _is_used(self, site: Site) -> bool:
        return site.name in self._coming or self._is_there(site)

    def _size(self, of: Site) -> int:
        return sum(self._is_used(site) for site, _ in self._sites if site.pool is of.pool)

    def _forget_all_but(self, waiting: set[str]) -> None:
        self._promised = {uid: name for uid, name in self._promised.items() if uid in waiting}

    def _deliver(self, now: float) -> None:
        for coming in [each for each in self._coming.values() if each.ready_at <= now]:
            site = coming.site
            self._store.create(NODES, None, node(site))
            for namespace, pod in system_pods(self._description, site):
                self._store.create(PODS, namespace, pod)
            del self._coming[site.name]
            self._idle_since[site.name] = now

    def _remove_idle(self, pods: list[Object], now: float) -> None:
        busy = {pod["spec"].get("nodeName") for pod in pods if _keeps_its_node(pod)}
        for site, scaling in self._sites:
            if site.name in site.pool.node_names or not self._is_there(site):
                continue
            if site.name in busy:
                self._idle_since.pop(site.name, None)
            elif now - self._idle_since.setdefault(site.name, now) >= scaling.idle_seconds:
                del self._idle_since[site.name]
                self._remove(site, pods)

    def _remove(self, site: Site, pods: list[Object]) -> None:
        self._store.delete(NODES, None, site.name)
        for pod in pods:
            if pod["spec"].get("nodeName") == site.name:
                metadata = pod["metadata"]
                try:
                    self._store.finalize_deletion(PODS, metadata["namespace"], metadata["name"])
                except ApiError as error:
                    if error.code != _NOT_FOUND:
                        raise

    def _seconds_to_next(self, now: float) -> float | None:
        times = [coming.ready_at for coming in self._coming.values()]
        times += [
            self._idle_since[site.name] + scaling.idle_seconds
            for site, scaling in self._sites
            if site.name in self._idle_since
        ]
        return max(0.0, min(times) - now) if times else None

    def _report(self) -> None:
        """Write the status, if it is not there already."""
        groups = [
            self._group(site, scaling)
            for site, scaling in self._sites
            if site.name == site.pool.possible_node_names[0]
        ]
        namespace, name = STATUS
        text = yaml.safe_dump(
            {"autoscalerStatus": "Running", "nodeGroups": groups}, sort_keys=False
        )
        obj: Object = {"metadata": {"name": name}, "data": {"status": text}}
        if not self._store.contains(CONFIGMAPS, namespace, name):
            self._store.create(CONFIGMAPS, namespace, obj)
        else:
            self._store.patch(CONFIGMAPS, namespace, name, obj)

    def _group(self, site: Site, scaling: Autoscaling) -> Object:
        pool = site.pool
        names = pool.possible_node_names
        growing = any(name in self._coming for name in names)
        there = sum(self._store.contains(NODES, None, name) for name in names)
        return {
            "name": scaling.group,
            "health": {
                "status": "Healthy",
                "nodeCounts": {"registered": {"total": there, "ready": there}},
                "cloudProviderTarget": self._size(site),
                "minSize": pool.count,
                "maxSize": scaling.max,
            },
            "scaleUp": {"status": "InProgress" if growing else "NoActivity"},
            "scaleDown": {"status": "NoCandidates"},
        }


def _has_no_room(pod: Object) -> bool:
    if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(
        condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for condition in conditions
    )


def _keeps_its_node(pod: Object) -> bool:
    is_daemon = "simcluster/daemon-set" in pod["metadata"].get("annotations", {})
    return not is_daemon and pod["status"].get("phase") not in TERMINAL_PHASES
