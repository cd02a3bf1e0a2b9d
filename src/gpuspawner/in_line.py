"""The place in line of one server: how it is taken, kept, told of and left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.line import Waiter, choosing, competitors, kept_by, may_be_kept, proven_by
from gpuspawner.offers import Offer

_NODES_AT_ONCE = 250
"""How many nodes are looked at before the event loop gets its turn: some milliseconds."""
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
        self._version: int | None = None
        self._chose_at = 0.0

    @property
    def is_live(self) -> bool:
        """Whether the cluster is known at this moment, so that a turn can come."""
        return self._cluster.freshness().is_live

    def announce(self, since: float) -> None:
        """Take it again that was had before a restart, at a time in seconds since the epoch."""
        self._cluster.line.announce(self._key, since)

    def take(self, since: float, request: PodRequest, most: int) -> None:
        """Take it.

        Raises:
            LineFullError: `most` wait already.
        """
        self._cluster.line.join(self._key, since, request, most)

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
        line.change(self._key, is_held_up=offer.denial is not None)
        own = self._own
        if own is None or own.request is None:
            return Place(1, is_live=self.is_live)
        if self._must_choose(own, own.request):
            self._version, self._chose_at = line.version, time.monotonic()
            await self._choose(own.request, own.node)
        return self._told(offer)

    async def news(self, within: float) -> None:
        """Wait until it may have changed, at most about so many seconds."""
        await self._cluster.news(within)
        await asyncio.sleep(_BREATH)

    @property
    def _own(self) -> Waiter | None:
        waiters = self._cluster.line.all()
        return next((waiter for waiter in waiters if waiter.key == self._key), None)

    def _must_choose(self, own: Waiter, request: PodRequest) -> bool:
        """Whether the others have changed, or the node can no longer come to take the pod."""
        line = self._cluster.line
        if self._version != line.version:
            return True
        if not own.node:
            return time.monotonic() - self._chose_at >= _CHOOSE_AGAIN
        state = self._cluster.snapshot().nodes.get(own.node)
        others = kept_by(line.ahead_of(self._key)).get(own.node, ())
        return state is None or not may_be_kept(request, state, others)

    async def _choose(self, request: PodRequest, now: str) -> None:
        line = self._cluster.line
        ahead, snapshot = line.ahead_of(self._key), self._cluster.snapshot()
        chosen = None
        for chosen in choosing(request, ahead, snapshot, _NODES_AT_ONCE, now):
            if chosen is None:
                await asyncio.sleep(0)
        line.change(self._key, node=chosen or "")

    def _told(self, offer: Offer) -> Place:
        own, snapshot = self._own, self._cluster.snapshot()
        ahead = self._cluster.line.ahead_of(self._key)
        if own is None or own.request is None:
            return Place(1, is_live=self.is_live)
        number = 1 + len(competitors(own.request, own.node, ahead, snapshot))
        by = None
        if offer.verdict is not None and offer.denial is None:
            by = proven_by(own, ahead, snapshot, offer.verdict)
        # What has passed proves nothing: a node that does not answer ends no pod.
        by = None if by is None or by <= time.time() else by
        return Place(number, by, self.is_live)
