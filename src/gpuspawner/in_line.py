"""The place in line of one server: how it is taken, kept, told of and left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.catalog import START_A_NODE
from gpuspawner.line import Key, Waiter, choosing, competitors, kept_by, may_be_kept, proven_by
from gpuspawner.offers import Offer

_SLICE = 0.01
"""Seconds of choosing after which the event loop gets its turn."""
_BREATH = 0.2
"""Seconds for which news are gathered: all who wait look again at each."""
_CHOOSE_AGAIN = 15.0
"""Seconds after which a node is looked for anew if there was none: all have to be examined."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in line at one moment.

    Attributes:
        number: how many go before who may take what is awaited, plus one.
        by: when there is room at the latest, in seconds since the epoch, if session limits prove
            it; else None.
        is_live: whether the cluster is known at this moment.
    """

    number: int
    by: float | None = None
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """That a server waits in line, as it was told last.

    Attributes:
        since: when it was asked for, in seconds since the epoch.
        number: of its place, as whoever waits reads it; None if it is not known at this moment.
    """

    since: float
    number: int | None


class PlaceInLine:
    """The place of a pod that is yet to be made; does nothing unless it is taken.

    Args:
        cluster: where the pod will run.
        namespace: where it will be made.
        pod_name: its name.
    """

    def __init__(self, cluster: SharedCluster, namespace: str, pod_name: str) -> None:
        self._cluster = cluster
        self._key = (namespace, pod_name)
        # Where room is kept for those who go before, when it was chosen last.
        self._seen: dict[Key, str] | None = None
        self._chose_at = 0.0

    @property
    def is_live(self) -> bool:
        """Whether the cluster is known at this moment, so that a turn can come."""
        return self._cluster.freshness().is_live

    def announce(self, since: float) -> None:
        """Take it again that was had before a restart, at a time in seconds since the epoch."""
        self._cluster.line.announce(self._key, since)

    def take(self, since: float, offer: Offer, most: int) -> None:
        """Take it.

        Args:
            since: when its server was asked for, in seconds since the epoch.
            offer: what is waited for.
            most: how many may wait at a time.

        Raises:
            LineFullError: as many wait already.
        """
        request = None if offer.plan is None else offer.plan.request
        starts_nodes = START_A_NODE in offer.profile.when_full
        waiter = Waiter(self._key, since, request, starts_nodes=starts_nodes)
        self._cluster.line.join(waiter, most)

    def leave(self) -> None:
        """Give it up, so that the others move up."""
        if self._key in self._cluster.line:
            self._cluster.line.leave(self._key)
            self._cluster.tell()

    async def look(self, offer: Offer) -> Place:
        """Where it is, with room kept on a node as good as any.

        Args:
            offer: what is waited for, as it was judged last.
        """
        line = self._cluster.line
        line.change(self._key, is_held_up=_is_held_up(offer))
        own = self._own
        if own is None or own.request is None:
            return Place(1, is_live=self.is_live)
        if offer.plan is not None and offer.plan.request != own.request:
            # The profile was changed meanwhile.
            line.change(self._key, request=offer.plan.request)
            own, self._seen = replace(own, request=offer.plan.request), None
        among = self._to_choose_from(own)
        if among is None or among:
            await self._choose(own, among)
        return self._told(offer)

    async def news(self, within: float) -> None:
        """Wait until it may have changed, at most about so many seconds."""
        await self._cluster.news(within)
        await asyncio.sleep(_BREATH)

    @property
    def _own(self) -> Waiter | None:
        return self._cluster.line.get(self._key)

    def _to_choose_from(self, own: Waiter) -> set[str] | None:
        """The nodes one of which may be better than the one of now; None stands for all of them."""
        line, snapshot = self._cluster.line, self._cluster.snapshot()
        ahead = line.ahead_of(self._key)
        before = self._seen
        seen = self._seen = {one.key: "" if one.pod is None else one.node for one in ahead}
        if before is None:
            return None
        # Nodes become better for those behind only by who goes before them and lets one go.
        let_go = {node for key, node in before.items() if node and seen.get(key) != node}
        if not own.node:
            return None if time.monotonic() - self._chose_at >= _CHOOSE_AGAIN else let_go
        state, others = snapshot.nodes.get(own.node), kept_by(ahead).get(own.node, ())
        if state is None or own.request is None or not may_be_kept(own.request, state, others):
            return None
        return {own.node, *let_go} if let_go else set()

    async def _choose(self, own: Waiter, among: set[str] | None) -> None:
        line, self._chose_at = self._cluster.line, time.monotonic()
        ahead, snapshot = line.ahead_of(self._key), self._cluster.snapshot()
        chosen, began = None, time.perf_counter()
        for chosen in choosing(own, ahead, snapshot, time.time(), among):
            if chosen is None and time.perf_counter() - began > _SLICE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        line.change(self._key, node=chosen or "")

    def _told(self, offer: Offer) -> Place:
        own, snapshot = self._own, self._cluster.snapshot()
        ahead = self._cluster.line.ahead_of(self._key)
        if own is None or own.request is None:
            return Place(1, is_live=self.is_live)
        number = 1 + len(competitors(own.request, own.node, ahead, snapshot))
        by = None
        if offer.verdict is not None and offer.denial is None:
            by = proven_by(own, ahead, snapshot, offer.verdict, time.time())
        # What has passed proves nothing: a node that does not answer ends no pod.
        by = None if by is None or by <= time.time() else by
        return Place(number, by, self.is_live)


def _is_held_up(offer: Offer) -> bool:
    """Whether something else than room is in the way, such as a quota."""
    return offer.denial is not None or (offer.verdict is not None and bool(offer.verdict.refusal))
