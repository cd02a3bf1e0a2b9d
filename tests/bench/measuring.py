"""Clocks and scales that a measured process applies to itself."""

from __future__ import annotations

import asyncio
import gc
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TICK = 0.005
_PAGE = resource.getpagesize()


class Ticker:
    """A task that wants its turn every 5 ms and notes how much later it came.

    Attributes:
        longest: seconds it was kept waiting at most, whoever held the processor.
        longest_own: the same, as far as this thread was computing meanwhile.
    """

    def __init__(self) -> None:
        self.longest = self.longest_own = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Ticker:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        # One more turn: what blocks last is noticed after it.
        await asyncio.sleep(2 * TICK)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _tick(self) -> None:
        while True:
            due, worked = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - due
            self.longest = max(self.longest, late)
            self.longest_own = max(self.longest_own, min(late, time.thread_time() - worked))


def resident() -> int:
    """Bytes of this process that are in memory, once what nobody refers to is gone."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def peak() -> int:
    """The most bytes that this process ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def seconds_a_call(work: Callable[[], object], budget: float = 0.4) -> float:
    """The median time of a call, in batches that are long enough for the clock."""
    began = time.perf_counter()
    work()
    once = time.perf_counter() - began
    batch = max(1, int(0.01 / max(once, 1e-8)))
    times: list[float] = []
    while not times or time.perf_counter() - began < budget:
        start = time.perf_counter()
        for _ in range(batch):
            work()
        times.append((time.perf_counter() - start) / batch)
    return statistics.median(times)
