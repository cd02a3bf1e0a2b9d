"""An API server that fails by script, over real HTTP, and a watch of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.feeds import Feed
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import KubernetesTransport
from gpuspawner.capacity.watching import ClusterWatch

GPU = "nvidia.com/gpu"


QUICK = WatchTiming(
    window=0.5,
    silence=30.0,
    stale_after=40.0,
    settle=0.0,
    shortest_stream=0.0,
    backoff=(0.001, 0.004),
    denied_backoff=(0.001, 0.004),
)


POLL = 0.002


Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


Object = dict[str, Any]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_node(name: str = "n1", uid: str = "N1", version: str = "1", gpus: Any = "4") -> Object:
    return {
        "metadata": {"name": name, "uid": uid, "resourceVersion": version},
        "status": {"allocatable": {GPU: gpus, "pods": "110"}},
    }


def a_pod(name: str = "p1", uid: str = "P1", version: str = "1", gpus: Any = "1") -> Object:
    return {
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": version},
        "spec": {"nodeName": "n1", "containers": [{"resources": {"requests": {GPU: gpus}}}]},
        "status": {"phase": "Running"},
    }


def event(kind: str, obj: Object) -> bytes:
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"


def bookmark(version: str) -> bytes:
    return event("BOOKMARK", {"metadata": {"resourceVersion": version}})


def end_of_list(version: str) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": version, "annotations": annotations}
    return event("BOOKMARK", {"kind": "Pod", "metadata": metadata})


def error(**status: Any) -> bytes:
    return event("ERROR", {"kind": "Status", **status})


def page(*items: Object, version: str = "1", token: str = "") -> Step:
    body = {"metadata": {"resourceVersion": version, "continue": token}, "items": items}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    return answer


def status(code: int, body: str = "{}", kind: str = "application/json", **headers: str) -> Step:
    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=body, content_type=kind, headers=named)

    return answer


def stream(*lines: bytes, until: asyncio.Event | None = None, reset: bool = False) -> Step:
    """Send `lines`, then wait for `until`, if there is one, and end or reset the stream."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if until is not None:
            await until.wait()
        if reset and request.transport is not None:
            request.transport.close()
        return response

    return answer


def idle(minute: asyncio.Event, closing: asyncio.Event) -> Step:
    """Send nothing but a bookmark when a `minute` is over."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await minute.wait()
        await response.write(bookmark("2"))
        await closing.wait()
        return response

    return answer


class ScriptedAPI:
    """An API server with one node and one pod, except for what its script says.

    It tells three verbs apart: ``list``, ``watch``, and ``stream`` for a list as a stream, which
    it does not know unless the script or `default` says so.
    """

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[str] = []
        self.script: dict[tuple[str, str], list[Step]] = {}
        self.default: dict[tuple[str, str], Step] = {
            ("list", "nodes"): page(a_node()),
            ("list", "pods"): page(a_pod()),
            ("watch", "nodes"): stream(until=self.closing),
            ("watch", "pods"): stream(until=self.closing),
            ("stream", "nodes"): status(422),
            ("stream", "pods"): status(422),
        }

    def plan(self, verb: str, resource: str, *steps: Step) -> None:
        self.script.setdefault((verb, resource), []).extend(steps)

    def times(self, verb: str, resource: str) -> int:
        return len(self.queries(verb, resource))

    def queries(self, verb: str, resource: str) -> list[dict[str, str]]:
        return [query for *asked, query in self.asked if asked == [verb, resource]]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        verb = "watch" if "watch" in request.query else "list"
        verb = "stream" if "sendInitialEvents" in request.query else verb
        resource = request.match_info["resource"]
        self.asked.append((verb, resource, dict(request.query)))
        self.headers.append(request.headers.get("Authorization", ""))
        steps = self.script.get((verb, resource))
        step = steps.pop(0) if steps else self.default[verb, resource]
        return await step(request)


@asynccontextmanager
async def watching(
    url: str,
    timing: WatchTiming = QUICK,
    clock: Clock | None = None,
    token: str = "t0",
    feeds: Iterable[Feed] = (),
) -> AsyncIterator[ClusterWatch]:
    configuration = Configuration(host=url, api_key={"BearerToken": f"Bearer {token}"})

    async def reload(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = "Bearer rotated"

    transport = KubernetesTransport(configuration, reload=reload)
    try:
        clock = clock or Clock()
        async with ClusterWatch(transport, feeds=feeds, timing=timing, clock=clock) as watch:
            yield watch
    finally:
        await transport.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions have no event of their own
            await asyncio.sleep(POLL)


def gpus(watch: ClusterWatch) -> int:
    """How many GPUs are taken on the node."""
    return watch.snapshot().nodes["n1"].requested.get(GPU, 0)


def recorded_sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the delays of a watch while they are slept."""
    sleep, delays = asyncio.sleep, []

    async def recorded(delay: float) -> None:
        if delay != POLL:
            delays.append(delay)
        await sleep(delay)

    monkeypatch.setattr("gpuspawner.capacity.reflecting.asyncio.sleep", recorded)
    return delays
