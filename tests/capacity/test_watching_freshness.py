"""What the watch says of its own knowledge, when it can and when it cannot know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from tests.capacity.scripted_api import (
    QUICK,
    Clock,
    ScriptedAPI,
    a_pod,
    bookmark,
    error,
    gpus,
    idle,
    page,
    status,
    stream,
    until,
    watching,
)

PATIENT = replace(QUICK, settle=1234.0)


def recorded_timers(monkeypatch: pytest.MonkeyPatch, delay: float) -> list[asyncio.TimerHandle]:
    """Collect the timers that are set for exactly `delay` seconds."""
    loop = asyncio.get_running_loop()
    call_later, timers = loop.call_later, []

    def recorded(seconds: float, callback: Any, *args: Any, **context: Any) -> asyncio.TimerHandle:
        timer = call_later(seconds, callback, *args, **context)
        if seconds == delay:
            timers.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_later", recorded)
    return timers


async def test_a_half_open_stream_is_stale_at_the_bound_and_not_before(
    api: ScriptedAPI, url: str
) -> None:
    clock = Clock()
    async with watching(url, clock=clock) as watch:
        await watch.wait_synced(10)
        await until(lambda: api.times("watch", "nodes") + api.times("watch", "pods") == 2)
        clock.now += 40
        assert watch.freshness().state == "live"
        clock.now += 0.001
        assert watch.freshness().state == "stale"


async def test_a_bookmark_of_an_idle_cluster_renews_it(api: ScriptedAPI, url: str) -> None:
    clock, minute = Clock(), asyncio.Event()

    for resource in ("nodes", "pods"):
        api.plan("watch", resource, idle(minute, api.closing))
    async with watching(url, clock=clock) as watch:
        await until(lambda: api.times("watch", "nodes") + api.times("watch", "pods") == 2)
        clock.now += 100
        assert watch.freshness().state == "stale"
        minute.set()
        await until(lambda: watch.freshness().is_live)
        assert watch.freshness().age == 0


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([error(code=429)], id="in its first line"),
        pytest.param([bookmark("2"), error(code=429)], id="in its second line"),
    ],
)
async def test_a_watch_that_is_accepted_and_then_refused_proves_nothing(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await asyncio.sleep(0.01)  # the acceptance is to be seen before the refusal
        await response.write(b"".join(lines))
        return response

    clock, ends = Clock(), asyncio.Event()
    for resource in ("nodes", "pods"):
        api.plan("watch", resource, stream(until=ends))
        api.default["watch", resource] = refuse
    timers = recorded_timers(monkeypatch, PATIENT.settle)
    async with watching(url, PATIENT, clock) as watch:
        await until(lambda: len(timers) == 2)
        clock.now += 100
        ends.set()
        await until(lambda: min(api.times("watch", r) for r in ("nodes", "pods")) > 5)
        assert watch.freshness().state == "stale"
    assert all(timer.cancelled() for timer in timers)


async def test_a_timer_that_is_late_does_not_take_back_what_a_line_proved(
    api: ScriptedAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, later = Clock(), asyncio.Event()
    late: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def record(seconds: float, callback: Any, *args: Any, **context: Any) -> asyncio.TimerHandle:
        if seconds == 0:
            late.append(lambda: callback(*args))
        return call_later(seconds, callback, *args, **context)

    monkeypatch.setattr(loop, "call_later", record)
    for resource in ("nodes", "pods"):
        api.plan("watch", resource, idle(later, api.closing))
    async with watching(url, clock=clock) as watch:
        await until(lambda: len(late) == 2)
        clock.now += 100
        later.set()
        await until(lambda: watch.freshness().age == 0)
        for callback in late:
            callback()
        assert watch.freshness().age == 0


async def test_the_old_data_is_served_and_ages_while_the_list_is_read_again(
    api: ScriptedAPI, url: str
) -> None:
    clock, second_page = Clock(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await second_page.wait()
        return await page()(request)

    api.plan("list", "pods", page(a_pod()), page(token="a", version="9"), slow)
    api.plan("watch", "pods", status(410))
    async with watching(url, clock=clock) as watch:
        await until(lambda: api.times("list", "pods") == 3)
        clock.now += 30
        assert gpus(watch) == 1
        assert watch.freshness().age == 30
        second_page.set()
        await until(lambda: gpus(watch) == 0)


async def test_a_dead_api_server_at_the_start_is_unknown_and_not_empty(
    api: ScriptedAPI, url: str
) -> None:
    api.default = dict.fromkeys(api.default, status(503))
    async with watching(url) as watch:
        await until(lambda: api.times("stream", "pods") > 3)
        freshness = watch.freshness()
        assert (freshness.state, freshness.age) == ("starting", None)
        assert freshness.last_error in ("watch nodes: HTTP 503", "watch pods: HTTP 503")
        assert not await watch.wait_synced(0.01)


async def test_an_address_where_nothing_listens_is_unknown(url: str) -> None:
    async with watching("http://127.0.0.1:1") as watch:
        await until(lambda: watch.freshness().last_error is not None)
        freshness = watch.freshness()
        assert freshness.state == "starting"
        assert "Connect" in str(freshness.last_error)
        assert "127.0.0.1" not in str(freshness.last_error)
        assert url


async def test_an_api_server_that_dies_leaves_the_data_and_its_age(
    api: ScriptedAPI, url: str
) -> None:
    clock, dies = Clock(), asyncio.Event()
    for resource in ("nodes", "pods"):
        api.plan("watch", resource, stream(until=dies, reset=True))
    async with watching(url, clock=clock) as watch:
        await until(lambda: api.times("watch", "nodes") + api.times("watch", "pods") == 2)
        healthy = api.default
        api.default = dict.fromkeys(api.default, status(503))
        dies.set()
        await until(lambda: api.times("watch", "pods") > 3)
        clock.now += 600
        freshness = watch.freshness()
        assert (freshness.state, freshness.age) == ("stale", 600)
        assert gpus(watch) == 1
        # An answer counts from when it was asked for: let those asked before the jump fail.
        asked = {resource: api.times("watch", resource) for resource in ("nodes", "pods")}
        await until(lambda: all(api.times("watch", r) > n + 1 for r, n in asked.items()))
        api.default = healthy
        await until(lambda: watch.freshness().is_live)
        assert watch.freshness().age == 0
    assert api.times("list", "pods") == 1
