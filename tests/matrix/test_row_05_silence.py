"""Row 5: half-open streams, a trickle, a hang before the headers: a watchdog ends each.

The bound is `silence` for a stream, `answer` for headers and for the next object of a list as a
stream, `page` for a page; these tests would wait for ever without it.
"""

from __future__ import annotations

import pytest

from gpuspawner.simcluster.apiserver.faults import Fault, HalfOpen, Hang, Refuse, Trickle

from .conftest import Site, until

SILENT = [
    pytest.param(HalfOpen(), id="a half-open stream"),
    pytest.param(HalfOpen(lines=2), id="a stream that is half-open after some lines"),
    pytest.param(Trickle(1, 0.2), id="a trickle"),
    pytest.param(Hang(), id="a hang before the headers"),
]


@pytest.mark.parametrize("fault", SILENT)
async def test_in_mid_run(site: Site, fault: Fault) -> None:
    async with site.watch() as observed:
        await observed.converges()
        site.faults.add(fault, verb="watch", resource="pods", times=2)
        site.faults.sever(verb="watch", resource="pods")
        await until(lambda: len(site.delays) >= 1)
        await observed.goes_stale()
        site.add_pod("late", "n2", gpus=2)
        await observed.converges()


@pytest.mark.parametrize("fault", SILENT)
@pytest.mark.parametrize("way", ["stream", "pages"])
async def test_in_the_first_list(site: Site, fault: Fault, way: str) -> None:
    if way == "pages":
        site.faults.add(Refuse(422, "Invalid"), verb="watch", resource="pods")
    verb = "list" if way == "pages" else "watch"
    site.faults.add(fault, verb=verb, resource="pods")
    async with site.watch() as observed:
        await observed.converges()


async def test_a_server_that_hangs_for_ever_is_asked_slowly_and_the_data_grow_old(
    site: Site,
) -> None:
    async with site.watch() as observed:
        await observed.converges()
        hanging = site.faults.add(Hang(), times=None)
        site.faults.sever()
        async with observed.bounded(4):
            pass
        await observed.goes_stale()
        site.faults.remove(hanging)
        await observed.converges()
