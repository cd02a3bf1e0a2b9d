"""One view of a cluster for all spawners of a hub: it is not watched once for each person."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Iterable
from contextvars import Context
from weakref import WeakKeyDictionary

from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.admission import Admission, AdmissionCheck
from gpuspawner.capacity.assumed import Assumed, as_assumed
from gpuspawner.capacity.failures import FAILURES, FORBIDDEN, StatusError, words_for
from gpuspawner.capacity.feeds import Feed, ObjectFeed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.kinds import KINDS
from gpuspawner.capacity.ledger import Ledger
from gpuspawner.capacity.model import PodRequest, ServerVersion, read_server_version
from gpuspawner.capacity.on_their_way import pods_on_their_way
from gpuspawner.capacity.transport import KubernetesTransport, TransportError
from gpuspawner.capacity.watching import ClusterWatch
from gpuspawner.fit import StandingVerdicts, Verdict, doubted, likely_node, open_nodes
from gpuspawner.line import Line
from gpuspawner.pod import PodPlan

log = logging.getLogger(__name__)
_MINUTE, _HOUR = 60, 3600
_KEPT = 2048
"""Verdicts: of what people see, and of what is being started. 300 open pages of six profiles each
have 1,800; with fewer places each look would find none of its own."""
_PATIENCE, _FIRST_PATIENCE = 10.0, 2.0
_NODES_AT_ONCE = 250
"""How many nodes are examined before the event loop gets its turn: some milliseconds."""


class SharedCluster:
    """A watched cluster, and the verdicts that are kept up to date with it.

    It lives on the running event loop and ends with it: JupyterHub cancels what is left on its
    loop when it stops.

    Attributes:
        ledger: what was promised in the cluster, by whichever of those who watch it.
        was_synced: whether `wait_synced` has ended well, after which there is no first look to
            wait for, and pods that were on their way before the hub was started are counted.
    """

    def __init__(
        self, configuration: Configuration, namespace: str, ledger: Ledger | None = None
    ) -> None:
        self.transport = KubernetesTransport(configuration)
        index = ClusterIndex()
        self._index = index
        self._namespace = namespace
        # Assumed pods of which no spawner tells the end.
        self._orphans: set[tuple[str, str]] = set()
        self._looking = asyncio.Lock()
        self._objects = index.objects
        self.watch = ClusterWatch(self.transport, index=index, feeds=_feeds(index, namespace))
        self.ledger = ledger or Ledger()
        self.ledger.join(index, self.watch.tell)
        self._standing = StandingVerdicts(_KEPT)
        self._settling = asyncio.Lock()
        self.was_synced = False
        self._admission = AdmissionCheck(self.transport, clock=time.monotonic)
        _spare_the_collector()
        # Not in that of the form that was the first: its request would be kept as long as this.
        self._keeper = asyncio.create_task(self._keep(), context=Context())

    @property
    def line(self) -> Line:
        """Those who wait for room in the cluster."""
        return self.ledger.line

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
            async with self._looking:
                await self._first_look()
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

    def assume(self, assumed: Assumed) -> None:
        """Count a pod that is being started, until the watch shows it bound, over or deleted."""
        self._orphans.discard((assumed.pod.namespace, assumed.pod.name))
        self.ledger.assume(assumed)

    def assume_again(self, assumed: Assumed) -> None:
        """The same once the pod was created: one before it of its name may have been deleted."""
        self.ledger.assume_again(assumed)

    def forget(self, namespace: str, name: str) -> None:
        """Count a pod no longer that will not be bound; does nothing if it is not counted."""
        self._orphans.discard((namespace, name))
        self.ledger.forget(namespace, name)

    def abandon(self, namespace: str, name: str) -> None:
        """Nobody starts a pod any more, and it may be there: count it for as long as it is."""
        self._orphans.add((namespace, name))

    def tell(self) -> None:
        """End every `news` that somebody waits for."""
        self.ledger.tell()

    async def news(self, within: float) -> None:
        """See `ClusterWatch.news`."""
        await self.watch.news(within)

    async def stop(self) -> None:
        """End it and leave nothing open."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self) -> None:
        try:
            # First, since how a pod is read depends on it; yet the first form waits for the watch.
            self._objects.version = await self._version(_FIRST_PATIENCE)
            self.watch.start()
            asked_at = time.monotonic()
            while True:
                await asyncio.sleep(_MINUTE)
                await self._let_orphans_go()
                if self._objects.version is None or time.monotonic() - asked_at > _HOUR:
                    asked_at = time.monotonic()
                    self._objects.version = await self._version(_PATIENCE) or self._objects.version
        finally:
            self.ledger.leave(self._index)
            await self.watch.stop()
            await self._admission.aclose()
            await self.transport.aclose()

    async def _first_look(self) -> None:
        """Count the pods that a hub made before and that wait for a node, as soon as it can."""
        waiting = None if self.was_synced else await self._on_their_way()
        if waiting is None:
            return
        for request in waiting:
            await self.settle(request, self.snapshot())
            verdict = self.verdict(request, self.snapshot())
            nodes = open_nodes(request, self.snapshot(), verdict)
            self.assume(as_assumed(request, likely_node(verdict), nodes))
            self.abandon(request.namespace, request.name)
        self.was_synced = True
        _spare_the_collector()

    async def _let_orphans_go(self) -> None:
        """Those that are not there: a deletion may never be heard of, nor a pod ever be made."""
        orphans = self._orphans.copy()
        waiting = await self._on_their_way() if orphans else None
        if waiting is not None:
            there = {(request.namespace, request.name) for request in waiting}
            for key in (orphans & self._orphans) - there:
                self.forget(*key)

    async def _on_their_way(self) -> list[PodRequest] | None:
        """The pods of hubs that wait for a node; None if that cannot be known now."""
        try:
            return await pods_on_their_way(self.transport, self._namespace, _FIRST_PATIENCE)
        except FAILURES as error:
            log.warning("pods on their way cannot be listed: %s", words_for(error))
            # Without the right to, the watch says that it is missing.
            is_denied = isinstance(error, StatusError) and error.status == FORBIDDEN
            return [] if is_denied else None

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
        ledgers = (one.ledger for (host, _), one in shared.items() if host == place[0])
        known = shared[place] = SharedCluster(configuration, namespace, next(ledgers, None))
    return known


def clusters_of_this_hub() -> tuple[SharedCluster, ...]:
    """All that are watched on the running event loop."""
    known = _shared.get(asyncio.get_running_loop(), {})
    return tuple(one for one in known.values() if not one.has_ended)


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
