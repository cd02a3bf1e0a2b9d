"""Row 10: the clock on the wall jumps by an hour; nothing here looks at it."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

import gpuspawner.capacity

from .conftest import UNHURRIED, Site, until

WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}


@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["forward", "back"])
async def test_a_jump_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    async with site.watch(UNHURRIED, clock=time.monotonic) as observed:
        await observed.converges()
        wall_clock = time.time
        asked, failed = len(site.faults.requests), len(site.delays)
        monkeypatch.setattr(time, "time", lambda: wall_clock() + jump)
        site.add_pod("late", "n2", gpus=2)
        await observed.converges()
        age = observed.watch.freshness().age
        assert age is not None
        assert 0 <= age < observed.watch._timing.stale_after
        # Two streams of each resource after the jump: they end and resume as before it.
        await until(lambda: len(site.faults.requests) >= asked + 4)
        assert observed.watch.freshness().is_live
        newer = list(site.faults.requests)[asked:]
        assert {record.verb for record in newer} == {"watch"}
        assert not any("sendInitialEvents" in record.query for record in newer)
        assert len(site.delays) == failed


def test_no_module_asks_for_the_time_of_day() -> None:
    asked = {
        f"{path.name}: {ast.unparse(found)}"
        for path in Path(gpuspawner.capacity.__path__[0]).rglob("*.py")
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.Attribute) and ast.unparse(found) in WALL_CLOCKS
    }
    assert asked == set()
