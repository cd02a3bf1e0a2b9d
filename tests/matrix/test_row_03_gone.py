"""Row 3: 410 as an HTTP status, in the stream, and while a list is continued."""

from __future__ import annotations

import pytest

from gpuspawner.simcluster.apiserver.faults import Delay, Drop, RawLine, Refuse

from .conftest import Site

GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}'


@pytest.mark.parametrize("as_status", [True, False], ids=["as a status", "in the stream"])
async def test_a_version_that_is_gone_is_let_go_of(site: Site, *, as_status: bool) -> None:
    site.faults.expired_watch_as_status = as_status
    async with site.watch() as observed:
        await observed.converges()
        down = site.faults.add(Drop(), times=None)
        site.faults.sever()
        for number in range(30):  # more than the history holds
            site.add_pod(f"late{number}", "n2", gpus=0)
        site.drop_pod("p0")
        await observed.fails()
        site.faults.remove(down)
        await observed.converges()


async def test_a_watch_that_is_cut_short_by_410_lists_anew(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        site.faults.add(RawLine(GONE), verb="watch", resource="pods")
        site.faults.sever(verb="watch", resource="pods")
        site.add_pod("late", "n2", gpus=2)
        await observed.converges()


async def test_410_to_every_watch_is_asked_for_slowly(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        gone = site.faults.add(Refuse(410, "Expired"), verb="watch", times=None)
        site.faults.sever()
        async with observed.bounded():
            pass
        site.faults.remove(gone)
        await observed.converges()


async def test_410_during_continue_begins_the_list_again(site: Site) -> None:
    site.faults.add(Refuse(422, "Invalid"), verb="watch", resource="pods")
    site.faults.add(Delay(0), verb="list", resource="pods")
    site.faults.add(Refuse(410, "Expired"), verb="list", resource="pods")
    async with site.watch() as observed:
        await observed.converges()
    asked = [record.query for record in site.faults.requests if record.path == "/api/v1/pods"]
    assert ["continue" in query for query in asked][:4] == [False, False, True, False]
