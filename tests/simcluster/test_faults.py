from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiohttp
import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import (
    Answer,
    CutOff,
    Delay,
    Drop,
    Fault,
    FaultPlan,
    HalfOpen,
    Hang,
    RawLine,
    Refuse,
    RequestRecord,
    Rewrite,
    Trickle,
)
from gpuspawner.simcluster.storage.store import Store

LIST = "/api/v1/pods"
WATCH = "/api/v1/pods?watch=true"
Pods = Callable[..., Object]
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


async def readline(response: aiohttp.ClientResponse) -> Any:
    return json.loads(await response.content.readline())


async def is_silent(response: aiohttp.ClientResponse) -> bool:
    """Say whether nothing arrives while the loop has nothing else to do."""
    try:
        async with asyncio.timeout(0.1):
            await response.content.readany()
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    "retry_after",
    [
        pytest.param("7", id="seconds"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", id="an HTTP date"),
        pytest.param("soon", id="garbage"),
    ],
)
async def test_a_refusal_carries_its_retry_after(
    api: aiohttp.ClientSession, faults: FaultPlan, retry_after: str
) -> None:
    faults.add(Refuse(429, "TooManyRequests", "slow down", retry_after))
    async with api.get(LIST) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, retry_after)
        status = await response.json()
    assert (status["reason"], status["message"]) == ("TooManyRequests", "slow down")


async def test_a_proxys_page_is_sent_as_it_is(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    faults.add(Answer(b"<html>Bad Gateway</html>"))
    async with api.get(LIST) as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert await response.text() == "<html>Bad Gateway</html>"


async def test_a_fault_happens_as_often_as_it_says(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    faults.add(Refuse(503), times=2)
    codes = []
    for _ in range(3):
        async with api.get(LIST) as response:
            codes.append(response.status)
    assert codes == [503, 503, 200]


async def test_a_lasting_fault_ends_when_it_is_removed(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    lasting = faults.add(Refuse(500), times=None)
    for _ in range(3):
        async with api.get(LIST) as response:
            assert response.status == 500
    faults.remove(lasting)
    async with api.get(LIST) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        pytest.param({}, True, id="everything"),
        pytest.param({"verb": "list"}, True, id="the verb"),
        pytest.param({"verb": "watch"}, False, id="another verb"),
        pytest.param({"resource": "pods"}, True, id="the resource"),
        pytest.param({"resource": "nodes"}, False, id="another resource"),
        pytest.param({"resource": "pods/*"}, False, id="only subresources"),
        pytest.param({"path": "/api/v1/*"}, True, id="a path pattern"),
        pytest.param({"path": "/apis/*"}, False, id="another path"),
    ],
)
async def test_a_fault_hits_what_it_matches(
    api: aiohttp.ClientSession, faults: FaultPlan, pattern: dict[str, Any], hit: bool
) -> None:
    faults.add(Refuse(503), **pattern)
    async with api.get(LIST) as response:
        assert (response.status == 503) is hit


async def test_a_delay_ends_in_the_usual_answer(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    faults.add(Delay(0.01))
    async with api.get(LIST) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", [LIST, WATCH])
async def test_a_dropped_connection(
    api: aiohttp.ClientSession, faults: FaultPlan, path: str
) -> None:
    # aiohttp repeats an idempotent request once when a reused connection breaks.
    faults.add(Drop(), times=2)
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await api.get(path)


async def test_a_hanging_request_gets_no_headers(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    faults.add(Hang())
    timeout = aiohttp.ClientTimeout(total=0.1)
    with pytest.raises(TimeoutError):
        await api.get(LIST, timeout=timeout)


async def test_a_half_open_watch_falls_silent_after_some_lines(
    api: aiohttp.ClientSession, faults: FaultPlan, make_pod: Pods
) -> None:
    make_pod("a")
    make_pod("b")
    faults.add(HalfOpen(lines=1))
    async with api.get(WATCH) as response:
        assert (await readline(response))["object"]["metadata"]["name"] == "a"
        assert await is_silent(response)


async def test_a_half_open_list_stops_in_the_middle(
    api: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    faults.add(HalfOpen())
    async with api.get(LIST) as response:
        assert response.status == 200
        assert await response.content.readany()
        assert await is_silent(response)


async def test_a_watch_is_cut_off_within_a_line(
    api: aiohttp.ClientSession, faults: FaultPlan, make_pod: Pods
) -> None:
    make_pod("a")
    make_pod("b")
    faults.add(CutOff(lines=1))
    async with api.get(WATCH) as response:
        assert (await readline(response))["object"]["metadata"]["name"] == "a"
        cut = await response.content.readany()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.readany()
    assert cut.startswith(b'{"type":"ADDED"')
    assert b"\n" not in cut


async def test_a_list_is_cut_off(api: aiohttp.ClientSession, faults: FaultPlan) -> None:
    faults.add(CutOff())
    async with api.get(LIST) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize("path", [LIST, f"{WATCH}&timeoutSeconds=1"])
async def test_a_trickle_arrives_in_full(
    api: aiohttp.ClientSession, faults: FaultPlan, make_pod: Pods, path: str
) -> None:
    make_pod("a")
    faults.add(Trickle(size=400, seconds=0.001))
    async with api.get(path) as response:
        assert b'"name":"a"' in await response.read()


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_line_of_ones_own_in_a_watch(
    api: aiohttp.ClientSession, faults: FaultPlan, make_pod: Pods, after: int
) -> None:
    make_pod("a")
    make_pod("b")
    faults.add(RawLine(b"garbage", after))
    async with api.get(WATCH) as response:
        lines = [await response.content.readline() for _ in range(3)]
    assert [line == b"garbage\n" for line in lines].index(True) == after


def twice(line: bytes) -> Iterable[bytes]:
    return (line, line)


def never(_: bytes) -> Iterable[bytes]:
    return ()


@pytest.mark.parametrize(
    ("edit", "count"),
    [pytest.param(twice, 4, id="repeated"), pytest.param(never, 0, id="swallowed")],
)
async def test_rewritten_lines(
    api: aiohttp.ClientSession,
    faults: FaultPlan,
    make_pod: Pods,
    edit: Callable[[bytes], Iterable[bytes]],
    count: int,
) -> None:
    make_pod("a")
    make_pod("b")
    faults.add(Rewrite(edit))
    async with api.get(f"{WATCH}&timeoutSeconds=1") as response:
        assert (await response.read()).count(b"\n") == count


async def test_severed_watches_end_and_others_go_on(
    api: aiohttp.ClientSession, faults: FaultPlan, store: Store, make_pod: Pods
) -> None:
    make_pod("a")
    async with api.get(WATCH) as pods, api.get("/api/v1/namespaces?watch=1") as namespaces:
        await readline(pods)
        assert faults.sever(verb="watch", resource="pods") == 1
        with pytest.raises(aiohttp.ClientPayloadError):
            await pods.content.readline()
        assert (await readline(namespaces))["type"] == "ADDED"
    assert store.contains(PODS, "default", "a")


async def test_requests_are_recorded(api: aiohttp.ClientSession, faults: FaultPlan) -> None:
    faults.add(Refuse(503))
    for path in (f"{LIST}?limit=5", "/version"):
        async with api.get(path):
            pass
    assert list(faults.requests) == [
        RequestRecord("list", LIST, {"limit": "5"}),
        RequestRecord("get", "/version", {}),
    ]
    assert faults.count(verb="list") == 1
    assert faults.requests[0].at <= faults.requests[1].at


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        pytest.param(Hang(), LIST, id="hanging"),
        pytest.param(Delay(3600), LIST, id="delayed"),
        pytest.param(HalfOpen(), WATCH, id="half-open"),
        pytest.param(Trickle(1, 3600), LIST, id="trickling"),
        pytest.param(None, WATCH, id="watching"),
    ],
)
async def test_nothing_outlives_the_server(
    fault: Fault | None, path: str, eventually: Eventually
) -> None:
    plan = FaultPlan()
    if fault is not None:
        plan.add(fault)
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        async with serve(make_app(Store(), faults=plan)) as url:
            request = asyncio.create_task(read_all(session, url + path))
            await eventually(lambda: bool(plan.running))
        with pytest.raises(aiohttp.ClientError):
            await request
    assert plan.sever() == 0


async def read_all(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        return await response.read()


async def test_a_client_that_goes_away_is_forgotten(
    api: aiohttp.ClientSession, faults: FaultPlan, make_pod: Pods, eventually: Eventually
) -> None:
    make_pod("a")
    async with api.get(WATCH) as response:
        await readline(response)
        response.close()
    await eventually(lambda: not faults.running)
