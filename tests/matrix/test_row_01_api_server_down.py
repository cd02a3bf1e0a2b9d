"""Row 1: the API server is down at the start, and for ten minutes in mid-run."""

from __future__ import annotations

import pytest

from gpuspawner.simcluster.apiserver.faults import Answer, Drop, Fault, Refuse

from .conftest import Site

DOWN = pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Drop(), id="connections are closed"),
        pytest.param(Refuse(503, "ServiceUnavailable"), id="it answers 503"),
        pytest.param(Answer(b"<html>Bad Gateway</html>"), id="a proxy answers 502"),
    ],
)


@DOWN
async def test_at_the_start_nothing_is_known_until_it_comes_up(site: Site, fault: Fault) -> None:
    down = site.faults.add(fault, times=None)
    async with site.watch() as observed:
        async with observed.bounded():
            pass
        freshness = observed.watch.freshness()
        assert (freshness.state, freshness.age) == ("starting", None)
        assert freshness.last_error is not None
        site.faults.remove(down)
        await observed.converges()


@DOWN
async def test_in_mid_run_the_data_grow_old_and_are_right_afterwards(
    site: Site, fault: Fault
) -> None:
    async with site.watch() as observed:
        await observed.converges()
        before = observed.watch.snapshot()
        down = site.faults.add(fault, times=None)
        site.faults.sever()
        async with observed.bounded():
            site.drop_pod("p0")
            site.add_pod("late", "n2", gpus=2)
        await observed.goes_stale(600)
        assert observed.watch.snapshot() is before
        lists = site.faults.count("list")
        site.faults.remove(down)
        await observed.converges()
        assert site.faults.count("list") == lists


async def test_a_server_that_lost_its_history_is_listed_anew(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        down = site.faults.add(Drop(), times=None)
        site.faults.sever()
        site.drop_pod("p0")
        site.store.compact()
        await observed.fails()
        site.faults.remove(down)
        await observed.converges()
