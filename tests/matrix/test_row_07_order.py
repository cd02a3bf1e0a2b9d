"""Row 7: duplicate, reordered and missed DELETED; a name with a new uid; bookmarks only."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gpuspawner.simcluster.apiserver.faults import Rewrite

from .conftest import FAST, Site, until


def kind_of(line: bytes) -> str:
    return str(json.loads(line)["type"])


def twice(line: bytes) -> Iterable[bytes]:
    return (line, line)


def without_deletions(line: bytes) -> Iterable[bytes]:
    return () if kind_of(line) == "DELETED" else (line,)


class LateDeletions:
    """Holds each DELETED back until after the next event: another of its name is there by then."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def __call__(self, line: bytes) -> Iterable[bytes]:
        kind = kind_of(line)
        if kind == "DELETED":
            self.held.append(line)
            return ()
        if kind == "BOOKMARK":
            return (line,)
        held, self.held = self.held, []
        return (line, *held)


async def test_every_event_comes_twice(site: Site) -> None:
    site.faults.add(Rewrite(twice), verb="watch", times=None)
    async with site.watch() as observed:
        await observed.converges()
        site.add_pod("late", "n2", gpus=2)
        site.drop_pod("p0")
        await observed.converges()
        assert observed.watch.freshness().malformed == 0


async def test_a_name_that_comes_back_with_a_new_uid_is_another_pod(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        site.drop_pod("p0")
        site.add_pod("p0", "n3", gpus=2)
        await observed.converges()


async def test_the_deletion_of_a_predecessor_that_comes_late_deletes_nothing(site: Site) -> None:
    site.faults.add(Rewrite(LateDeletions()), verb="watch", resource="pods", times=None)
    async with site.watch() as observed:
        await observed.converges()
        site.drop_pod("p0")
        site.add_pod("p0", "n3", gpus=2)
        site.add_pod("late", "n2")
        await observed.converges()


async def test_a_deletion_that_is_never_sent_is_noticed_by_the_audit(site: Site) -> None:
    site.faults.add(Rewrite(without_deletions), verb="watch", resource="pods", times=None)
    async with site.watch() as observed:
        await observed.converges()
        site.drop_pod("p0")
        site.add_pod("late", "n2")
        await until(lambda: observed.watch.snapshot().nodes["n2"].pod_count == 3)
        assert not observed.is_right
        site.clock.now += FAST.relist_after
        await observed.converges()


async def test_an_idle_cluster_stays_live_by_its_bookmarks_and_is_not_listed_again(
    site: Site,
) -> None:
    async with site.watch() as observed:
        await observed.converges()
        before = observed.watch.snapshot()
        asked = len(site.faults.requests)
        for _ in range(5):
            site.clock.now += 35
            await until(lambda: observed.watch.freshness().age == 0)
            assert observed.watch.freshness().is_live
        await until(lambda: len(site.faults.requests) >= asked + 4)
        assert observed.watch.snapshot() is before
        newer = list(site.faults.requests)[asked:]
        assert {record.verb for record in newer} <= {"watch"}
        assert not any("sendInitialEvents" in record.query for record in newer)
