"""Row 8: versions begin anew, a restart in the midst of a list, two servers of different ages.

Versions are opaque strings: none of this may depend on which of two is the larger.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from tests.capacity.scripted_api import (
    ScriptedAPI,
    a_pod,
    bookmark,
    end_of_list,
    event,
    gpus,
    page,
    status,
    stream,
    until,
    watching,
)
from tests.capacity.scripted_api import Step as Answer

from gpuspawner.simcluster.apimachinery.resources import NODES, PODS
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import Delay, Drop, FaultPlan, Refuse
from gpuspawner.simcluster.apiserver.watching import WatchTimes
from gpuspawner.simcluster.storage.store import Store

from .conftest import FAST, Site


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([status(410)], id="is gone"),
        pytest.param([status(400)], id="cannot be read"),
        pytest.param([status(504)] * 2, id="is too large"),
    ],
)
async def test_a_version_of_another_life(api: ScriptedAPI, url: str, answer: list[Answer]) -> None:
    first = stream(event("ADDED", a_pod()), end_of_list("90000"))
    second = stream(event("ADDED", a_pod("p2", "P2", gpus="2")), end_of_list("17"))
    api.plan("stream", "pods", first, second)
    api.plan("watch", "pods", *answer, stream(bookmark("18"), until=api.closing))
    async with watching(url) as watch:
        await until(lambda: api.times("watch", "pods") == len(answer) + 1)
        assert gpus(watch) == 2
    assert api.queries("watch", "pods")[-1]["resourceVersion"] == "17"


async def test_versions_need_not_be_numbers_nor_grow(api: ScriptedAPI, url: str) -> None:
    versions = ["zzz", "", "10", "9", "e30="]
    api.plan("stream", "pods", stream(event("ADDED", a_pod()), end_of_list("zzz")))
    api.plan("watch", "pods", *[stream(bookmark(version)) for version in versions[1:]])
    async with watching(url):
        await until(lambda: api.times("watch", "pods") == 5)
    asked = [query["resourceVersion"] for query in api.queries("watch", "pods")][:5]
    assert asked == ["zzz", "zzz", "10", "9", "e30="]


async def test_a_server_behind_may_tell_old_news_and_is_caught_up_with(
    api: ScriptedAPI, url: str
) -> None:
    """What one server has told, another tells again; the last word is the same."""
    ahead = [event("MODIFIED", a_pod(version="20", gpus="2")), bookmark("21")]
    behind = [
        event("MODIFIED", a_pod(version="15", gpus="1")),
        event("MODIFIED", a_pod(version="20", gpus="2")),
        event("MODIFIED", a_pod(version="22", gpus="3")),
    ]
    api.plan("stream", "pods", stream(event("ADDED", a_pod()), end_of_list("10")))
    api.plan("watch", "pods", stream(*ahead), stream(*behind, until=api.closing))
    async with watching(url) as watch:
        await until(lambda: watch.snapshot().nodes != {} and gpus(watch) == 3)
    assert api.times("stream", "pods") == 1


async def test_a_restart_in_the_midst_of_a_list_mixes_no_two_lists(
    api: ScriptedAPI, url: str
) -> None:
    old = page(a_pod("old", "P0", gpus="3"), version="900", token="a")
    api.plan("list", "pods", old, status(503), page(a_pod(), version="4"))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 1
        await until(lambda: api.times("watch", "pods") == 1)
    assert api.queries("watch", "pods")[0]["resourceVersion"] == "4"


async def test_a_connection_that_breaks_in_the_midst_of_a_list(site: Site) -> None:
    site.faults.add(Refuse(422, "Invalid"), verb="watch", resource="pods")
    site.faults.add(Delay(0), verb="list", resource="pods")
    site.faults.add(Drop(), verb="list", resource="pods")
    async with site.watch() as observed:
        await observed.converges()


async def test_a_cluster_that_was_made_anew_behind_the_same_address(site: Site) -> None:
    """Its versions begin anew, and the deletions of what was before were never sent."""
    async with AsyncExitStack() as stack:
        first, second = FaultPlan(), FaultPlan()
        times = WatchTimes(bookmarks=0.2)
        server = await stack.enter_async_context(AsyncExitStack())
        site.url = await server.enter_async_context(
            serve(make_app(site.store, faults=first, times=times))
        )
        observed = await stack.enter_async_context(site.watch())
        await observed.converges()
        await server.aclose()
        fresh = Store(history_limit=20)
        fresh.create(NODES, None, site.store.get(NODES, None, "n1"))
        site.store = fresh
        site.add_pod("only", "n1", gpus=3)
        fresh.compact()
        app = make_app(fresh, faults=second, times=times)
        await stack.enter_async_context(serve(app, port=urlsplit(site.url).port or 0))
        # Opaque versions do not tell it; the audit does at the latest.
        site.clock.now += FAST.relist_after
        await observed.converges()
        assert fresh.contains(PODS, "default", "only")
