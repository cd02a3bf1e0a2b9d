"""The cluster kept in an index, and how far that index can be trusted.

Why the streams are short. A healthy watch of a quiet cluster hears a bookmark about once a
minute, so silence cannot tell it from one whose connection is half open, and a probe on another
connection proves nothing about the stream. But the API server ends a watch when we ask it to
(``timeoutSeconds``), and sends a bookmark just before. So each stream is asked to end within 30
seconds and is resumed at once from its newest version, which costs the API server no list:

- a healthy watch proves itself every 24 to 30 s; between proofs its age is shown as it is;
- a half-open one is dropped after 35 s without a line and resumed on a new connection;
- if that does not succeed, the state is "stale" 40 s after the last proof, whatever happens.

`gpuspawner.capacity.freshness` states the guarantee.

What it costs: 2 to 2.5 requests a minute for each resource in a quiet cluster, and no list while
all is well but for a rare audit: after 5 to 6 hours each resource is listed anew, since nothing
else cures a DELETED that was never sent. On failures the delays between the requests of a resource
grow to a mean of 15 s (30 s without permission); a server that ends every stream early sees at
most one request a second for each resource. A list that is refused as a stream is asked for in
pages at once, and so is every other list until the next audit.

Nodes and pods must be watched. Other resources may be missing, or not be shown: what is known of
them is forgotten as soon as it is too old or refused, so that what depends on it is unknown, and
neither the others nor the freshness of the whole depend on them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from random import random
from types import TracebackType

from gpuspawner.capacity.backoff import Clock
from gpuspawner.capacity.feeds import Feed, NodeFeed, PodFeed
from gpuspawner.capacity.freshness import Freshness, Health, judge
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.intake import Unreadable
from gpuspawner.capacity.reflecting import ResourceWatch
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import Transport

log = logging.getLogger(__name__)

DEFAULT_TIMING = WatchTiming()


class ClusterWatch:
    """All nodes and pods of a cluster, kept up to date in the background.

    Nothing here raises for what the cluster does: the snapshot stays the last one known, and
    `freshness` says what it is worth. The transport stays the caller's to close.

    Args:
        index: what nodes and pods are kept in; a new one by default.
        feeds: what else to follow, as far as the cluster has it and shows it.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        index: ClusterIndex | None = None,
        feeds: Iterable[Feed] = (),
        timing: WatchTiming = DEFAULT_TIMING,
        clock: Clock = time.monotonic,
    ) -> None:
        self._index = ClusterIndex() if index is None else index
        self._timing = timing
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._feeds = (NodeFeed(self._index), PodFeed(self._index))
        self._required, self._optional = (
            tuple(
                ResourceWatch(feed, transport, timing=timing, clock=clock, random=random)
                for feed in some
            )
            for some in (self._feeds, feeds)
        )

        self._by_resource = {watch.resource: watch for watch in self._all}
        self._news = asyncio.Event()
        for watch in self._all:
            watch.on_news = self.tell

    def start(self) -> None:
        """Begin to watch on the running event loop; does nothing if it has begun."""
        if self._running:
            return
        self._tasks = [asyncio.create_task(watch.run()) for watch in self._all]
        for task in self._tasks:
            task.add_done_callback(self._mourn)

    async def stop(self) -> None:
        """End the watching and wait until it has ended; does nothing if it has not begun."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def snapshot(self) -> Snapshot:
        """The cluster as last known."""
        for watch in self._optional:
            watch.expire()
        return self._index.snapshot()

    def freshness(self) -> Freshness:
        """What `snapshot` is worth at this moment."""
        return judge(
            (watch.health for watch in self._required),
            now=self._clock(),
            stale_after=self._timing.stale_after,
            running=self._running,
        )

    @property
    def resources(self) -> tuple[str, ...]:
        """What is watched, by plurals."""
        return tuple(self._by_resource)

    def health_of(self, resource: str) -> Health:
        """How the watch of a resource fares, named by its plural.

        Raises:
            KeyError: it is not watched.
        """
        return self._by_resource[resource].health

    def healths(self) -> dict[str, Health]:
        """How the watch of each resource fares, by its plural."""
        return {watch.resource: watch.health for watch in self._all}

    def freshness_of(self, resource: str) -> Freshness:
        """What is known of one resource is worth at this moment; see `health_of`."""
        return judge(
            (self.health_of(resource),),
            now=self._clock(),
            stale_after=self._timing.stale_after,
            running=self._running,
        )

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The nodes and pods that exist now and could not be read."""
        return tuple(held for feed in self._feeds for held in feed.unreadable)

    async def wait_synced(self, within: float) -> bool:
        """Wait until nodes and pods were listed once, at most `within` seconds.

        What else is followed is waited for as well, until it first fails.

        Returns:
            Whether nodes and pods were. False comes early if a permission is missing.
        """
        try:
            async with asyncio.timeout(within):
                for watch in self._all:
                    await watch.answered.wait()
        except TimeoutError:
            return False
        return all(watch.health.synced for watch in self._required)

    async def news(self, within: float) -> None:
        """Wait until something is heard of the cluster, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._news.wait()

    def tell(self) -> None:
        """End every `news` that somebody waits for."""
        self._news.set()
        self._news = asyncio.Event()

    async def __aenter__(self) -> ClusterWatch:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def _all(self) -> tuple[ResourceWatch, ...]:
        return self._required + self._optional

    @property
    def _running(self) -> bool:
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def _mourn(self, task: asyncio.Task[None]) -> None:
        # Not by `stop`: the event loop is closing, or the data will grow stale.
        if task in self._tasks:
            log.info("a watch of the cluster was cancelled")
