"""What a watch does when the API server, or somebody between, misbehaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web
from tests.capacity.scripted_api import (
    QUICK,
    ScriptedAPI,
    Step,
    a_node,
    a_pod,
    bookmark,
    error,
    event,
    gpus,
    page,
    recorded_sleeps,
    status,
    stream,
    until,
    watching,
)

from gpuspawner.capacity.freshness import Permission


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param([status(410)], id="410 as the status of a watch"),
        pytest.param([status(400)], id="400 to a version of another server"),
        pytest.param([stream(error(code=410, reason="Expired"))], id="410 in the stream"),
        pytest.param([stream(error(code=500))] * 2, id="an ERROR that comes twice"),
        pytest.param([stream(error())] * 2, id="an ERROR without fields that comes twice"),
        pytest.param([stream(b"<html>\n")] * 2, id="a line of garbage that comes twice"),
        pytest.param([status(504)] * 2, id="too large a version"),
    ],
)
async def test_it_lists_again_after(api: ScriptedAPI, url: str, fault: list[Step]) -> None:
    api.plan("list", "pods", page(a_pod(), a_pod("ghost", "P2")), page(a_pod(), version="5"))
    api.plan("watch", "pods", *fault)
    async with watching(url) as watch:
        await until(lambda: api.times("watch", "pods") == len(fault) + 1)
        assert gpus(watch) == 1
        await until(lambda: watch.freshness().last_error is None)
    assert api.times("list", "pods") == 2
    assert api.queries("watch", "pods")[-1]["resourceVersion"] == "5"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status(429), id="429"),
        pytest.param(status(503, Retry_After="0"), id="503 with seconds"),
        pytest.param(
            status(503, Retry_After="Sun, 01 Mar 2020 12:00:00 GMT"), id="503 with a past date"
        ),
        pytest.param(status(503, Retry_After="in a while"), id="503 with a Retry-After of garbage"),
        pytest.param(status(502, "<html>", "text/html"), id="502 in HTML"),
        pytest.param(status(200, "<html>", "text/html"), id="200 in HTML"),
        pytest.param(stream(b'{"type":"ADD', reset=True), id="a stream that is reset in a line"),
        pytest.param(stream(b'{"type":"ADD'), id="a stream that ends in a line"),
        pytest.param(stream(error(code=500)), id="one ERROR"),
        pytest.param(stream(b"garbage\n"), id="one line of garbage"),
        pytest.param(status(504), id="one 504"),
    ],
)
async def test_it_resumes_without_a_new_list_after(api: ScriptedAPI, url: str, fault: Step) -> None:
    api.plan(
        "watch", "pods", stream(bookmark("2")), fault, stream(bookmark("3"), until=api.closing)
    )
    async with watching(url) as watch:
        await until(lambda: api.times("watch", "pods") == 3)
        await until(lambda: watch.freshness().last_error is None)
        assert gpus(watch) == 1
    assert api.times("list", "pods") == 1
    assert api.queries("watch", "pods")[-1]["resourceVersion"] == "2"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status(500), id="500"),
        pytest.param(status(200, "<html>", "text/html"), id="200 in HTML"),
        pytest.param(status(200, "[1, 2"), id="JSON that is cut off"),
        pytest.param(status(200, "{}"), id="JSON that is no list"),
        pytest.param(page(version=""), id="a list without a version"),
        pytest.param(page(token="again"), id="a list that breaks off after its first page"),
    ],
)
async def test_a_list_that_fails_at_the_start_is_tried_again(
    api: ScriptedAPI, url: str, fault: Step
) -> None:
    api.plan("list", "pods", fault, status(503))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 1


async def test_a_list_that_continues_with_itself_is_begun_again(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "pods", page(token="a"), page(token="a"))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 1
    assert [query.get("continue") for query in api.queries("list", "pods")] == [None, "a", None]


async def test_a_page_that_is_never_complete_is_given_up(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "pods", stream(b'{"items": [', until=api.closing))
    async with watching(url, replace(QUICK, page=0.1)) as watch:
        await until(lambda: api.times("list", "pods") == 2)
        assert await watch.wait_synced(10)


async def test_410_during_continue_begins_the_list_again(api: ScriptedAPI, url: str) -> None:
    first = page(a_pod("old", "P0"), token="a")
    api.plan("list", "pods", first, status(410), page(a_pod("p1"), a_pod("p2", "P2")))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 2
    assert [query.get("continue") for query in api.queries("list", "pods")] == [None, "a", None]


async def test_401_reloads_the_credentials(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "pods", status(401))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: watch.freshness().last_error is None)
    assert api.headers[0] == "Bearer t0"
    assert api.headers[-1] == "Bearer rotated"


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("list", "nodes"), ("list", "pods"), ("watch", "nodes"), ("watch", "pods")],
)
async def test_403_names_the_missing_permission_until_it_is_granted(
    api: ScriptedAPI, url: str, verb: str, resource: str
) -> None:
    granted = api.default[verb, resource]
    api.default[verb, resource] = status(403)
    async with watching(url) as watch:
        await until(lambda: watch.freshness().state == "denied")
        assert watch.freshness().missing == (Permission(verb, resource),)
        async with asyncio.timeout(10):
            assert await watch.wait_synced(3600) == (verb == "watch")
        api.default[verb, resource] = granted
        await until(lambda: watch.freshness().is_live)
        assert watch.freshness().missing == ()
    assert api.times("list", "pods") == 1 or verb == "list"


async def test_a_missing_permission_is_asked_for_slowly(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.default["watch", "pods"] = status(403)
    slow = replace(QUICK, denied_backoff=(1e6, 1e6))
    asked_for = recorded_sleeps(monkeypatch)
    async with watching(url, slow) as watch:
        await until(lambda: any(delay > 1 for delay in asked_for))
        assert watch.freshness().state == "denied"
    assert api.times("watch", "pods") == 1


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Sun, 01 Mar 2026 12:00:08 GMT", 8.0, id="a date"),
        pytest.param("86400", 60.0, id="a day is capped"),
    ],
)
async def test_retry_after_is_waited_for(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch, asked: str, waited: float
) -> None:
    date = "Sun, 01 Mar 2026 12:00:00 GMT"
    api.plan("list", "pods", status(503, Retry_After=asked, Date=date))
    asked_for = recorded_sleeps(monkeypatch)
    async with watching(url):
        await until(lambda: waited in asked_for)
    assert api.times("list", "pods") == 1


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while request.transport is not None:
        await response.write(b"x")
        await asyncio.sleep(0.005)
    return response


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("half-open", id="a half-open stream"),
        pytest.param("trickle", id="a trickle that never ends its line"),
        pytest.param("hang", id="a hang before the headers"),
    ],
)
async def test_the_watchdog_drops(api: ScriptedAPI, url: str, fault: str) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await api.closing.wait()
        return await status(503)(request)

    step = {"half-open": stream(until=api.closing), "trickle": trickle, "hang": hang}[fault]
    alert = replace(QUICK, window=0.04, silence=0.05, stale_after=0.05, answer=0.05)
    api.plan("watch", "pods", stream(bookmark("2")), step)
    api.default["watch", "pods"] = stream(bookmark("3"), until=api.closing)
    async with watching(url, alert):
        await until(lambda: api.times("watch", "pods") >= 3)
    assert api.queries("watch", "pods")[2]["resourceVersion"] == "2"
    assert api.times("list", "pods") == 1


NULLS = {"metadata": {"name": "n2", "uid": "N2", "labels": None}, "spec": None, "status": None}


@pytest.mark.parametrize(
    ("bad", "skipped"),
    [
        pytest.param(
            event("MODIFIED", a_pod(gpus="4 GPUs")), 1, id="a quantity that does not parse"
        ),
        pytest.param(event("ADDED", {"metadata": {"uid": "x"}, "spec": {}}), 1, id="no name"),
        pytest.param(event("ADDED", {"metadata": {"name": "x"}, "spec": 5}), 1, id="a wrong type"),
        pytest.param(event("RENAMED", a_pod()), 1, id="an event of unknown type"),
        pytest.param(
            event("ADDED", {"metadata": {"name": "x"}, "spec": {"containers": None}}),
            0,
            id="containers that are null",
        ),
    ],
)
async def test_a_bad_object_is_skipped_and_counted(
    api: ScriptedAPI, url: str, bad: bytes, skipped: int
) -> None:
    good = event("ADDED", a_pod("p2", "P2", gpus="2"))
    api.plan("watch", "pods", stream(bad, good, until=api.closing))
    async with watching(url) as watch:
        await watch.wait_synced(10)
        await until(lambda: gpus(watch) == 3)
        assert watch.freshness().malformed == skipped
    assert api.times("watch", "pods") == 1


async def test_a_bad_object_in_a_list_spoils_only_itself(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "nodes", page(a_node(), NULLS, a_node("n3", "N3", gpus="many")))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert set(watch.snapshot().nodes) == {"n1", "n2"}
        assert watch.freshness().malformed == 1


async def test_a_deletion_needs_no_quantities_that_parse(api: ScriptedAPI, url: str) -> None:
    api.plan("watch", "pods", stream(event("DELETED", a_pod(gpus="?")), until=api.closing))
    async with watching(url) as watch:
        await watch.wait_synced(10)
        await until(lambda: gpus(watch) == 0)


async def test_a_good_line_makes_an_earlier_error_forgotten(api: ScriptedAPI, url: str) -> None:
    api.plan("watch", "pods", stream(error(code=500)), stream(bookmark("2"), error(code=500)))
    async with watching(url):
        await until(lambda: api.times("watch", "pods") == 3)
    assert api.queries("watch", "pods")[2]["resourceVersion"] == "2"
    assert api.times("list", "pods") == 1


async def test_streams_that_end_as_soon_as_they_begin_are_backed_off_from(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.default["watch", "pods"] = stream(bookmark("2"))
    delays = recorded_sleeps(monkeypatch)
    async with watching(url, replace(QUICK, shortest_stream=1.0)):
        await until(lambda: api.times("watch", "pods") == 4)
    assert len([delay for delay in delays if delay > 0]) >= 3
    assert api.times("list", "pods") == 1
