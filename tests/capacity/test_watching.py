"""What a watch asks the API server for and what it makes of the answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.capacity.scripted_api import (
    Clock,
    ScriptedAPI,
    a_pod,
    bookmark,
    event,
    gpus,
    page,
    recorded_sleeps,
    status,
    stream,
    until,
    watching,
)

from gpuspawner.capacity.model import ResizeRule, read_pod
from gpuspawner.capacity.timing import WatchTiming


async def test_it_lists_and_watches_as_client_go_does(api: ScriptedAPI, url: str) -> None:
    async with watching(url) as watch:
        assert watch.freshness().state == "starting"
        assert await watch.wait_synced(10)
        assert watch.freshness().state == "live"
        assert gpus(watch) == 1
        await until(lambda: api.times("watch", "pods") == 1)
    selector = "status.phase!=Succeeded,status.phase!=Failed"
    assert api.queries("list", "pods") == [{"limit": "250", "fieldSelector": selector}]
    assert api.queries("list", "nodes") == [{"limit": "250"}]
    assert api.queries("watch", "pods") == [
        {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": "1",
            "timeoutSeconds": "1",
            "fieldSelector": selector,
        }
    ]


async def test_a_list_is_read_page_by_page(api: ScriptedAPI, url: str) -> None:
    pages = [
        page(a_pod("p1", "P1"), version="7", token="a"),
        page(a_pod("p2", "P2"), version="9", token="b"),
        page(a_pod("p3", "P3"), version="9"),
    ]
    api.plan("list", "pods", *pages)
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 3
        await until(lambda: api.times("watch", "pods") == 1)
    assert [query.get("continue") for query in api.queries("list", "pods")] == [None, "a", "b"]
    # The first page's version: what changed while the later ones were read comes again.
    assert api.queries("watch", "pods")[0]["resourceVersion"] == "7"


async def test_events_change_the_index(api: ScriptedAPI, url: str) -> None:
    lines = [
        event("ADDED", a_pod("p2", "P2", gpus="2")),
        event("MODIFIED", a_pod("p1", "P1", gpus="3")),
        event("DELETED", a_pod("p2", "P2")),
        event("DELETED", a_pod("p2", "P2")),
        event("ADDED", a_pod("p1", "P9", gpus="4")),
        event("DELETED", a_pod("p1", "P1")),
    ]
    api.plan("watch", "pods", stream(*lines, until=api.closing))
    async with watching(url) as watch:
        await until(lambda: "n1" in watch.snapshot().nodes and gpus(watch) == 4)


async def test_it_resumes_from_a_bookmark_without_a_new_list(api: ScriptedAPI, url: str) -> None:
    api.plan(
        "watch",
        "pods",
        stream(event("ADDED", a_pod("p2", "P2", "opaque-b")), bookmark("opaque-a")),
        stream(bookmark("3")),
    )
    async with watching(url):
        await until(lambda: api.times("watch", "pods") == 3)
    versions = [query["resourceVersion"] for query in api.queries("watch", "pods")]
    assert versions == ["1", "opaque-a", "3"]
    assert api.times("list", "pods") == 1


async def test_a_deletion_that_was_never_sent_is_noticed_by_the_next_full_list(
    api: ScriptedAPI, url: str
) -> None:
    clock, ends = Clock(), asyncio.Event()
    api.plan("list", "pods", page(a_pod()), page(version="8"))
    api.plan("watch", "pods", stream(until=ends))
    async with watching(url, clock=clock) as watch:
        await until(lambda: api.times("watch", "pods") == 1)
        clock.now += 21600
        ends.set()
        await until(lambda: gpus(watch) == 0)


async def test_a_full_list_that_keeps_failing_leaves_the_watch_its_turn(
    api: ScriptedAPI, url: str
) -> None:
    clock, ends = Clock(), asyncio.Event()
    api.plan("list", "pods", page(a_pod()))
    api.default["list", "pods"] = status(503)
    api.plan("watch", "pods", stream(until=ends))
    async with watching(url, clock=clock) as watch:
        await until(lambda: api.times("watch", "pods") == 1)
        clock.now += 21600
        ends.set()
        await until(lambda: api.times("watch", "pods") == 2)
        assert gpus(watch) == 1


async def test_there_is_one_line_of_log_for_an_outage_and_one_for_its_end(
    api: ScriptedAPI, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gpuspawner")
    api.plan("watch", "pods", *[status(503)] * 5)
    async with watching(url) as watch:
        await until(lambda: api.times("watch", "pods") == 6)
        await until(lambda: watch.freshness().last_error is None)
    lines = [r.message for r in caplog.records if r.name.startswith("gpuspawner")]
    assert [line for line in lines if "listed" not in line] == [
        "watch pods: HTTP 503; retrying",
        "watching pods: recovered",
    ]


async def test_start_and_stop_may_be_called_twice(api: ScriptedAPI, url: str) -> None:
    async with watching(url) as watch:
        watch.start()
        assert await watch.wait_synced(10)
        await until(lambda: len(api.asked) == 6)
        await watch.stop()
        await watch.stop()
        assert watch.freshness().state == "stale"
        watch.start()
        await until(lambda: watch.freshness().is_live)
    assert api.times("list", "pods") == 1


async def test_decoding_leaves_the_event_loop_its_turn(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpuspawner.capacity.reflecting.DECODING_SLICE", -1.0)
    api.plan("list", "pods", page(*(a_pod(f"p{n}", f"P{n}") for n in range(30))))
    events = [event("ADDED", a_pod(f"q{n}", f"Q{n}")) for n in range(20)]
    api.plan("watch", "pods", stream(*events, until=api.closing))
    turns = recorded_sleeps(monkeypatch)
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: gpus(watch) == 50)
    # One for each object: 30 listed pods, 1 listed node, 20 events.
    assert turns.count(0) == 51


def test_a_pace_that_drops_healthy_streams_is_refused() -> None:
    with pytest.raises(ValueError, match="window < silence"):
        WatchTiming(window=60.0)


async def test_a_defect_is_logged_once_and_does_not_end_the_watch(
    api: ScriptedAPI,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    defects = [ZeroDivisionError(), ZeroDivisionError()]

    def defective(raw: bytes, rule: ResizeRule) -> Any:
        if defects:
            raise defects.pop()
        return read_pod(raw, rule)

    monkeypatch.setattr("gpuspawner.capacity.feeds.read_pod", defective)
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert gpus(watch) == 1
    assert [r.message for r in caplog.records if r.exc_info] == ["watching pods: starting over"]
    assert api.times("list", "pods") == 3


async def test_a_defect_in_the_midst_of_a_watch_lists_again(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defects = [ZeroDivisionError()]

    def defective(raw: bytes, rule: ResizeRule) -> Any:
        if defects and b"p2" in raw:
            raise defects.pop()
        return read_pod(raw, rule)

    monkeypatch.setattr("gpuspawner.capacity.feeds.read_pod", defective)
    api.plan("watch", "pods", stream(event("ADDED", a_pod("p2", "P2")), until=api.closing))
    api.plan("list", "pods", page(a_pod()), page(a_pod(gpus="3")))
    async with watching(url) as watch:
        await watch.wait_synced(10)
        await until(lambda: gpus(watch) == 3)
