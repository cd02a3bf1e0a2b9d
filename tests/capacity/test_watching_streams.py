"""A list as a stream: what it asks for, what it takes in, and when pages must do instead."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web
from tests.capacity.scripted_api import (
    QUICK,
    Clock,
    ScriptedAPI,
    Step,
    a_node,
    a_pod,
    bookmark,
    end_of_list,
    error,
    event,
    gpus,
    page,
    status,
    stream,
    until,
    watching,
)

from gpuspawner.capacity.freshness import Permission


async def test_it_is_asked_for_as_client_go_does_and_goes_on_as_the_watch(
    api: ScriptedAPI, url: str
) -> None:
    later = event("ADDED", a_pod("p2", "P2", "8", gpus="2"))
    lines = [event("ADDED", a_pod()), end_of_list("7"), later]
    api.plan("stream", "pods", stream(*lines, until=api.closing))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: gpus(watch) == 3)
        await until(lambda: watch.freshness().is_live)
    assert api.times("list", "pods") == 0
    assert api.queries("stream", "pods") == [
        {
            "watch": "1",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "1",
            "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
        }
    ]


async def test_the_watch_resumes_from_its_last_bookmark(api: ScriptedAPI, url: str) -> None:
    api.plan("stream", "pods", stream(event("ADDED", a_pod(version="9")), end_of_list("7")))
    api.plan("watch", "pods", stream(bookmark("8")))
    async with watching(url):
        await until(lambda: api.times("watch", "pods") == 2)
    versions = [query["resourceVersion"] for query in api.queries("watch", "pods")]
    # Not that of an object: they come in no order.
    assert versions == ["7", "8"]
    assert api.times("stream", "pods") == 1


async def test_nobody_sees_a_list_before_its_end(api: ScriptedAPI, url: str) -> None:
    half, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(event("ADDED", a_pod("p1", "P9", gpus="3")))
        half.set()
        await go_on.wait()
        await response.write(end_of_list("9"))
        await api.closing.wait()
        return response

    clock = Clock()
    api.plan("stream", "pods", stream(event("ADDED", a_pod()), end_of_list("1")), slow)
    api.plan("watch", "pods", status(410))
    async with watching(url, clock=clock) as watch:
        await half.wait()
        clock.now += 30
        assert gpus(watch) == 1
        assert watch.freshness().age == 30
        go_on.set()
        await until(lambda: gpus(watch) == 3)
        # As of when it was asked for.
        assert watch.health_of("pods").confirmed_at == 1000.0


async def test_what_changes_while_it_is_listed_is_part_of_the_list(
    api: ScriptedAPI, url: str
) -> None:
    lines = [
        event("ADDED", a_pod("p1", "P1")),
        event("ADDED", a_pod("p2", "P2", gpus="2")),
        event("MODIFIED", a_pod("p1", "P1", gpus="3")),
        event("DELETED", a_pod("p2", "P2")),
        event("DELETED", a_pod("p3", "P3")),
        bookmark("5"),
        event("ADDED", a_pod("p4", "P4", gpus="4")),
        event("DELETED", a_pod("p4", "another")),
        end_of_list("7"),
    ]
    api.plan("stream", "pods", stream(*lines, until=api.closing))
    nodes = [event("ADDED", a_node("n2")), event("ADDED", a_node()), event("DELETED", a_node("n2"))]
    api.plan("stream", "nodes", stream(*nodes, end_of_list("7"), until=api.closing))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert set(watch.snapshot().nodes) == {"n1"}
        assert gpus(watch) == 7


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(status(400), id="400"),
        pytest.param(status(422), id="422, sendInitialEvents is forbidden"),
        pytest.param(status(504), id="504, its cache is not ready"),
        pytest.param(stream(error(code=500)), id="an ERROR, etcd is too old"),
        pytest.param(stream(error()), id="an ERROR without fields"),
        pytest.param(stream(event("ADDED", a_pod())), id="a stream that ends without the mark"),
        pytest.param(stream(bookmark("3")), id="only a bookmark without the mark"),
        pytest.param(stream(end_of_list("")), id="a mark without a version"),
        pytest.param(stream(b"garbage\n"), id="a line of garbage"),
        pytest.param(stream(event("ADDED", a_pod())[:-9]), id="a line that is cut off"),
        pytest.param(stream(event("ADDED", a_pod()), reset=True), id="a stream that is reset"),
        pytest.param(stream(event("ADDED", a_pod()), error(code=410)), id="410 in its midst"),
    ],
)
async def test_pages_are_asked_for_at_once_after(api: ScriptedAPI, url: str, refusal: Step) -> None:
    api.plan("stream", "pods", refusal)
    api.plan("list", "pods", page(a_pod(), a_pod("p2", "P2")))
    # Whoever waited for a delay would wait for long.
    async with watching(url, replace(QUICK, backoff=(1e6, 1e6))) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 2
    assert api.times("stream", "pods") == 1


async def test_a_stream_that_falls_silent_before_its_end_is_given_up(
    api: ScriptedAPI, url: str
) -> None:
    api.plan("stream", "pods", stream(event("ADDED", a_pod()), until=api.closing))
    async with watching(url, replace(QUICK, answer=0.1)) as watch:
        assert await watch.wait_synced(10)
    assert api.times("list", "pods") == 1


@pytest.mark.parametrize(
    "outage", [pytest.param(status(429), id="429"), pytest.param(status(503), id="503")]
)
async def test_an_outage_is_no_reason_for_pages(api: ScriptedAPI, url: str, outage: Step) -> None:
    listed = stream(event("ADDED", a_pod()), end_of_list("1"), until=api.closing)
    api.plan("stream", "pods", outage, outage, listed)
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
    assert (api.times("stream", "pods"), api.times("list", "pods")) == (3, 0)


async def test_401_reloads_the_credentials(api: ScriptedAPI, url: str) -> None:
    listed = stream(event("ADDED", a_pod()), end_of_list("1"), until=api.closing)
    api.plan("stream", "pods", status(401), listed)
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
    assert api.headers[-1] == "Bearer rotated"
    assert api.times("list", "pods") == 0


async def test_lists_come_in_pages_until_the_next_audit(api: ScriptedAPI, url: str) -> None:
    clock = Clock()
    async with watching(url, clock=clock) as watch:
        assert await watch.wait_synced(10)
        api.plan("watch", "pods", status(410), stream(bookmark("3")))
        api.closing.set()
        await until(lambda: api.times("list", "pods") == 2)
        assert api.times("stream", "pods") == 1
        clock.now += 21600
        await until(lambda: api.times("stream", "pods") == 2)


async def test_without_permission_for_either_both_are_named(api: ScriptedAPI, url: str) -> None:
    api.default["stream", "pods"] = api.default["list", "pods"] = status(403)
    async with watching(url) as watch:
        assert not await watch.wait_synced(10)
        assert watch.freshness().missing == (
            Permission("list", "pods"),
            Permission("watch", "pods"),
        )


async def test_the_permission_to_list_is_not_missed_where_lists_are_streamed(
    api: ScriptedAPI, url: str
) -> None:
    api.default["stream", "pods"] = api.default["list", "pods"] = status(403)
    async with watching(url) as watch:
        await until(lambda: len(watch.freshness().missing) == 2)
        api.default["stream", "pods"] = stream(end_of_list("1"), until=api.closing)
        await until(lambda: watch.freshness().is_live)
        assert watch.freshness().missing == ()


async def test_a_bad_object_in_a_stream_spoils_only_itself(api: ScriptedAPI, url: str) -> None:
    lines = [
        event("ADDED", a_pod("p1", "P1", gpus="4 GPUs")),
        event("RENAMED", a_pod("p9", "P9")),
        event("ADDED", a_pod("p2", "P2", gpus="2")),
        end_of_list("7"),
    ]
    api.plan("stream", "pods", stream(*lines, until=api.closing))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 2
        assert watch.freshness().malformed == 2
        assert watch.freshness().unreadable == 1
    assert api.times("list", "pods") == 0
