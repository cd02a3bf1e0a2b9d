"""Row 9: a burst of 10,000 events, 5,000 nodes: ceilings on loop lag and on memory.

Lag is counted in CPU time of this process between two turns of the event loop, so that a busy
machine cannot make it look worse. What the rest of the process holds is kept from the garbage
collector, whose pauses grow with it and are not the watch's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.capacity.scripted_api import (
    ScriptedAPI,
    Step,
    a_node,
    a_pod,
    end_of_list,
    event,
    gpus,
    until,
    watching,
)

NODES, PODS, EVENTS, PAGE = 5_000, 20_000, 10_000, 250
LAG = 0.05
PADDING = {"annotations": {"padding": "x" * 2_000}}


@asynccontextmanager
async def lag() -> AsyncIterator[list[float]]:
    """How much was computed between two turns of the loop, in seconds."""
    lags = [0.0]

    async def tick() -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            lags.append(now - last)
            last = now

    gc.collect()
    gc.freeze()
    task = asyncio.create_task(tick())
    try:
        yield lags
    finally:
        task.cancel()
        gc.unfreeze()


def node(number: int) -> dict[str, Any]:
    return a_node(f"n{number}", f"N{number}")


def pod(number: int, gpus: int = 0) -> dict[str, Any]:
    made = a_pod(f"p{number}", f"P{number}", gpus=str(gpus))
    made["metadata"] |= PADDING
    made["spec"]["nodeName"] = f"n{number % NODES}"
    return made


def in_pieces(pieces: list[bytes], until: asyncio.Event | None = None) -> Step:
    """Send `pieces` as a network would, so that the test's own server holds up nobody."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        if until is not None:
            await until.wait()
        return response

    return answer


def as_stream(objects: Iterable[dict[str, Any]], closing: asyncio.Event) -> Step:
    return in_pieces([*(event("ADDED", obj) for obj in objects), end_of_list("2")], closing)


def as_pages(objects: Iterable[dict[str, Any]]) -> list[Step]:
    items = [json.dumps(obj).encode() for obj in objects]
    pages = [items[start : start + PAGE] for start in range(0, len(items), PAGE)]
    steps = []
    for number, page in enumerate(pages, 1):
        token = str(number) if number < len(pages) else ""
        head = {"resourceVersion": "2", "continue": token}
        body = b'{"metadata":%b,"items":[%b]}' % (json.dumps(head).encode(), b",".join(page))
        steps.append(in_pieces([body[at : at + 65536] for at in range(0, len(body), 65536)]))
    return steps


@pytest.mark.parametrize("way", ["stream", "pages"])
async def test_the_first_sync_of_a_large_cluster_leaves_the_loop_its_turns(
    api: ScriptedAPI, url: str, way: str
) -> None:
    nodes, pods = map(node, range(NODES)), map(pod, range(PODS))
    if way == "stream":
        api.plan("stream", "nodes", as_stream(nodes, api.closing))
        api.plan("stream", "pods", as_stream(pods, api.closing))
    else:
        api.plan("list", "nodes", *as_pages(nodes))
        api.plan("list", "pods", *as_pages(pods))
    async with lag() as lags, watching(url) as watch:
        assert await watch.wait_synced(60)
        assert max(lags) < LAG
        assert len(watch.snapshot().nodes) == NODES


async def test_a_burst_of_events_leaves_the_loop_its_turns(api: ScriptedAPI, url: str) -> None:
    events = [event("ADDED", pod(n * NODES)) for n in range(1, EVENTS + 1)]
    api.plan("list", "nodes", *as_pages([node(n) for n in range(NODES)]))
    end = event("THE END", pod(0))
    go_on = asyncio.Event()

    async def burst(request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return await in_pieces([*events, end], api.closing)(request)

    api.plan("watch", "pods", burst)
    async with watching(url) as watch:
        assert await watch.wait_synced(60)
        async with lag() as lags:
            go_on.set()
            await until(lambda: watch.freshness().malformed == 1)  # the end
        assert max(lags) < LAG
        assert watch.snapshot().nodes["n0"].pod_count == EVENTS


async def test_memory_does_not_grow_with_the_number_of_events(api: ScriptedAPI, url: str) -> None:
    def round_of(version: int) -> list[bytes]:
        return [event("MODIFIED", pod(n, gpus=version % 5)) for n in range(100)]

    first, second = asyncio.Event(), asyncio.Event()
    rounds = [line for version in range(EVENTS // 100) for line in round_of(version)]
    last = event("ADDED", a_pod("last", "L", gpus="7"))

    async def bursts(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in (*round_of(0), event("ADDED", a_pod("mark", "M", gpus="5"))):
            await response.write(line)
        await first.wait()
        for line in (*rounds, last):
            await response.write(line)
        await second.wait()
        return response

    api.plan("watch", "pods", bursts)
    async with watching(url) as watch:
        await until(lambda: "n1" in watch.snapshot().nodes and gpus(watch) >= 5)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            first.set()
            await until(lambda: gpus(watch) >= 12)
            gc.collect()
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            second.set()
    assert after - before < 2**20
    # Of 23 MiB of events; the buffers of both ends of the connection are part of it.
    assert peak - before < 16 * 2**20
