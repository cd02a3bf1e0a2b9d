"""One view of a cluster for all spawners of a hub: it is not watched once for each person."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.admission import Admission, AdmissionCheck
from gpuspawner.capacity.feeds import Feed, ObjectFeed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.kinds import KINDS
from gpuspawner.capacity.model import PodRequest, ServerVersion, read_server_version
from gpuspawner.capacity.transport import KubernetesTransport, TransportError
from gpuspawner.capacity.watching import ClusterWatch
from gpuspawner.fit import StandingVerdicts, Verdict, doubted
from gpuspawner.pod import PodPlan

_MINUTE, _HOUR = 60, 3600
_PATIENCE, _FIRST_PATIENCE = 10.0, 2.0
_NODES_AT_ONCE = 250
"""How many nodes are examined before the event loop gets its turn: some milliseconds."""


class SharedCluster:
    """A watched cluster, and the verdicts that are kept up to date with it.

    It lives on the running event loop and ends with it: JupyterHub cancels what is left on its
    loop when it stops.

    Attributes:
        was_synced: whether `wait_synced` has ended well, after which there is no first look to
            wait for.
    """

    def __init__(self, configuration: Configuration, namespace: str) -> None:
        self.transport = KubernetesTransport(configuration)
        index = ClusterIndex()
        self._objects = index.objects
        self.watch = ClusterWatch(self.transport, index=index, feeds=_feeds(index, namespace))
        self._standing = StandingVerdicts()
        self._settling = asyncio.Lock()
        self.was_synced = False
        self._admission = AdmissionCheck(self.transport, clock=time.monotonic)
        _spare_the_collector()
        self._keeper = asyncio.create_task(self._keep())

    @property
    def has_ended(self) -> bool:
        """Whether it was stopped."""
        return self._keeper.done()

    def snapshot(self) -> Snapshot:
        """The cluster as last known."""
        return self.watch.snapshot()

    def freshness(self) -> Freshness:
        """What `snapshot` is worth at this moment."""
        return self.watch.freshness()

    def hidden(self) -> dict[str, str]:
        """Kinds that RBAC hides, and the rights that are missing: ``list persistentvolumes``."""
        return {
            kind.name: ", ".join(f"{p.verb} {p.resource}" for p in missing)
            for kind in KINDS
            if (missing := self.watch.health_of(kind.plural).missing)
        }

    async def wait_synced(self, within: float) -> bool:
        """See `ClusterWatch.wait_synced`."""
        is_synced = await self.watch.wait_synced(within)
        if is_synced and not self.was_synced:
            self.was_synced = True
            _spare_the_collector()
        return is_synced

    def known_admission(self, planned: PodPlan, namespace: str) -> Admission | None:
        """The answer of `admit`, if nobody has to be asked for it."""
        return self._admission.remembered(planned.request, namespace, planned.admission_key)

    async def admit(self, planned: PodPlan, namespace: str) -> Admission:
        """See `AdmissionCheck.admit`."""
        key, request = planned.admission_key, planned.request
        return await self._admission.admit(planned.manifest, namespace, key=key, request=request)

    async def settle(self, request: PodRequest, snapshot: Snapshot) -> None:
        """Examine what is left to examine for `verdict`, without holding up the event loop."""
        # One after another: what one has examined, the next need not examine for itself.
        async with self._settling:
            for _ in self._standing.steps(request, snapshot, _NODES_AT_ONCE):
                await asyncio.sleep(0)

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        """The verdict of `gpuspawner.fit.judge`, less what cannot be read; soon after `settle`."""
        verdict = self._standing.verdict(request, snapshot)
        unreadable = self.watch.unreadable()
        if not unreadable:
            return verdict
        hides_a_node = any(held.resource == "nodes" for held in unreadable)
        return doubted(verdict, {held.node for held in unreadable}, hides_a_node=hides_a_node)

    async def stop(self) -> None:
        """End it and leave nothing open."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self) -> None:
        try:
            # First, since how a pod is read depends on it; yet the first form waits for the watch.
            self._objects.version = await self._version(_FIRST_PATIENCE)
            self.watch.start()
            while True:
                await asyncio.sleep(_MINUTE if self._objects.version is None else _HOUR)
                self._objects.version = await self._version(_PATIENCE) or self._objects.version
        finally:
            await self.watch.stop()
            await self._admission.aclose()
            await self.transport.aclose()

    async def _version(self, within: float) -> ServerVersion | None:
        """Of the API server; None if it does not say so within so many seconds."""
        patience = {"answer_within": within, "silence": within}
        try:
            async with (
                asyncio.timeout(within),
                self.transport.get("/version", {}, **patience) as answer,
            ):
                return read_server_version(str(json.loads(await answer.body()).get("gitVersion")))
        except (TransportError, TimeoutError, ValueError, AttributeError):
            return None


def _spare_the_collector() -> None:
    """Have full collections pass over all there is by now: they would hold up the event loop.

    What a hub has imported stays, and nodes and pods are in no cycles: they go without its help.
    """
    gc.freeze()


_Place = tuple[str, str]
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Place, SharedCluster]] = (
    WeakKeyDictionary()
)


def shared_cluster(
    configuration: Configuration, namespace: str, log: logging.Logger
) -> SharedCluster:
    """The cluster that `configuration` names, watched from the first call on.

    The host alone tells clusters apart, since KubeSpawner's client has one configuration for the
    whole process.

    Args:
        configuration: of the Kubernetes client.
        namespace: where the pods are made, and whose quotas and claims matter.
        log: where the watch's words go, as JupyterHub does with Tornado's.
    """
    place = (str(configuration.host), namespace)
    shared = _shared.setdefault(asyncio.get_running_loop(), {})
    known = shared.get(place)
    if known is None or known.has_ended:
        logging.getLogger("gpuspawner").parent = log
        known = shared[place] = SharedCluster(configuration, namespace)
    return known


async def stop_shared_clusters() -> None:
    """End the watches of the running event loop; for tests, whose loops end in good order."""
    for shared in _shared.pop(asyncio.get_running_loop(), {}).values():
        await shared.stop()


def _feeds(index: ClusterIndex, namespace: str) -> Iterable[Feed]:
    return [
        ObjectFeed(
            kind.plural,
            kind.path(namespace),
            kind.read,
            index.objects.table(kind.table),
            kind.parameters,
        )
        for kind in KINDS
    ]
