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

What it costs: 4 to 5 requests a minute in a quiet cluster, and every half hour a list in pages of
500, which bounds how long an event that was never sent can matter. On failures the delays between
the requests of a resource grow to a mean of 15 s (30 s without permission); a server that ends
every stream early sees at most one request a second from each of the two.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_module
import time
from types import TracebackType

from gpuspawner.capacity.backoff import Clock, Random
from gpuspawner.capacity.feeds import NodeFeed, PodFeed
from gpuspawner.capacity.freshness import Freshness, judge
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.reflecting import ResourceWatch, WatchTiming
from gpuspawner.capacity.transport import Transport

log = logging.getLogger(__name__)

DEFAULT_TIMING = WatchTiming()


class ClusterWatch:
    """All nodes and pods of a cluster, kept up to date in the background.

    Nothing here raises for what the cluster does: the snapshot stays the last one known, and
    `freshness` says what it is worth. The transport stays the caller's to close.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timing: WatchTiming = DEFAULT_TIMING,
        clock: Clock = time.monotonic,
        random: Random = random_module.random,
    ) -> None:
        self._index = ClusterIndex()
        self._timing = timing
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._watches = tuple(
            ResourceWatch(feed, transport, timing=timing, clock=clock, random=random)
            for feed in (NodeFeed(self._index), PodFeed(self._index))
        )

    def start(self) -> None:
        """Begin to watch on the running event loop; does nothing if it has begun."""
        if self._running:
            return
        self._tasks = [asyncio.create_task(watch.run()) for watch in self._watches]
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
        return self._index.snapshot()

    def freshness(self) -> Freshness:
        """What `snapshot` is worth at this moment."""
        return judge(
            (watch.health for watch in self._watches),
            now=self._clock(),
            stale_after=self._timing.stale_after,
            running=self._running,
        )

    async def wait_synced(self, within: float) -> bool:
        """Wait until nodes and pods were listed once, at most `within` seconds.

        Returns:
            Whether they were. False comes early if a permission is missing.
        """
        try:
            async with asyncio.timeout(within):
                for watch in self._watches:
                    await watch.answered.wait()
        except TimeoutError:
            return False
        return all(watch.health.synced for watch in self._watches)

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
    def _running(self) -> bool:
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def _mourn(self, task: asyncio.Task[None]) -> None:
        # Not by `stop`: the event loop is closing, or the data will grow stale.
        if task in self._tasks:
            log.info("a watch of the cluster was cancelled")
