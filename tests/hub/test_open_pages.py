"""The task that looks after all open pages, with pages that only count."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import pytest

from gpuspawner.hub import open_pages
from gpuspawner.hub.open_pages import OpenPages

LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Slow:
    """A page of which each look computes or waits for long."""

    computes: float
    waits: float
    beats: int = 0
    person: str = "ada"

    def is_due(self, now: float) -> bool:
        del now
        return True

    async def turn(self) -> None:
        until = time.thread_time() + self.computes
        while time.thread_time() < until:
            pass
        await asyncio.sleep(self.waits)

    def beat(self, now: float) -> None:
        del now
        self.beats += 1

    def give_way(self) -> None:
        """It is one of many of one person."""

    def close(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("computes", "waits"), [pytest.param(0.02, 0, id="computes"), pytest.param(0, 60, id="waits")]
)
async def test_pages_are_told_that_the_hub_is_there_however_long_looks_take(
    monkeypatch: pytest.MonkeyPatch, *, computes: float, waits: float
) -> None:
    monkeypatch.setattr(open_pages, "_BEAT_EVERY", 0.05)
    pages, slow = OpenPages(LOG), [Slow(computes, waits) for _ in range(300)]
    for page in slow:
        pages.open(page)
    # A part of them each time.
    await asyncio.sleep(3)
    assert min(page.beats for page in slow) >= 2
    for page in slow:
        pages.closed(page)
    await asyncio.sleep(0)
    assert not pages._tasks


async def test_work_that_nobody_waits_for_any_more_is_not_begun(
    recwarn: pytest.WarningsRecorder,
) -> None:
    pages, page = OpenPages(LOG), Slow(0, 0)
    looking = asyncio.ensure_future(pages.at_once(page.turn))
    looking.cancel()
    await asyncio.wait((looking,))
    assert looking.cancelled()
    assert not recwarn.list
