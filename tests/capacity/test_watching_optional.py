"""Resources that a cluster may not have, or not show, beside nodes and pods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from tests.capacity.scripted_api import (
    QUICK,
    Clock,
    ScriptedAPI,
    Step,
    end_of_list,
    error,
    event,
    page,
    recorded_sleeps,
    status,
    stream,
    until,
    watching,
)

from gpuspawner.capacity.feeds import ObjectFeed, api_path
from gpuspawner.capacity.freshness import Permission
from gpuspawner.errors import MalformedObjectError

CLASSES = "storageclasses"
UNSERVED = status(404, "404 page not found", "text/plain", Audit_Id="1")


@dataclass(frozen=True)
class StorageClass:
    name: str
    uid: str
    mode: str


class Classes:
    """A sink that knows nothing (None), or storage classes by name, unreadable ones as None."""

    def __init__(self) -> None:
        self.known: dict[str, StorageClass | None] | None = None
        self.forgotten = 0

    @property
    def held(self) -> dict[str, StorageClass | None]:
        assert self.known is not None
        return self.known

    def replace(self, objects: Sequence[StorageClass]) -> None:
        self.known = {obj.name: obj for obj in objects}

    def put(self, obj: StorageClass) -> None:
        self.held[obj.name] = obj

    def put_unreadable(self, namespace: str, name: str, uid: str) -> None:
        assert (namespace, uid[:1]) == ("", "U")
        self.held[name] = None

    def drop(self, namespace: str, name: str, uid: str) -> None:
        assert (namespace, uid[:1]) == ("", "U")
        self.held.pop(name, None)

    def forget(self) -> None:
        self.known = None
        self.forgotten += 1


def read_class(raw: bytes) -> StorageClass:
    obj = json.loads(raw)
    if not isinstance(obj["mode"], str):
        raise MalformedObjectError("mode is no word")
    return StorageClass(obj["metadata"]["name"], obj["metadata"]["uid"], obj["mode"])


def a_class(name: str = "c1", mode: object = "Immediate", uid: str = "U1") -> dict[str, object]:
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": "1"}, "mode": mode}


def modes(sink: Classes) -> dict[str, str | None] | None:
    if sink.known is None:
        return None
    return {name: None if obj is None else obj.mode for name, obj in sink.known.items()}


@pytest.fixture
def sink() -> Classes:
    return Classes()


@pytest.fixture
def feed(api: ScriptedAPI, sink: Classes) -> ObjectFeed[StorageClass]:
    api.default |= {
        ("stream", CLASSES): status(422),
        ("list", CLASSES): page(a_class()),
        ("watch", CLASSES): stream(until=api.closing),
    }
    return ObjectFeed(CLASSES, api_path("storage.k8s.io/v1", CLASSES), read_class, sink)


Feed = ObjectFeed[StorageClass]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        pytest.param(("v1", "nodes"), "/api/v1/nodes", id="of the core group"),
        pytest.param(
            ("storage.k8s.io/v1", "csinodes"), "/apis/storage.k8s.io/v1/csinodes", id="of a group"
        ),
        pytest.param(
            ("v1", "resourcequotas", "hub"),
            "/api/v1/namespaces/hub/resourcequotas",
            id="in a namespace",
        ),
        pytest.param(
            ("resource.k8s.io/v1", "resourceclaims", "hub"),
            "/apis/resource.k8s.io/v1/namespaces/hub/resourceclaims",
            id="of a group in a namespace",
        ),
    ],
)
def test_where_a_resource_is(arguments: tuple[str, ...], path: str) -> None:
    assert api_path(*arguments) == path


@pytest.mark.parametrize("way", ["pages", "stream"])
async def test_a_sink_keeps_step(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed, way: str
) -> None:
    events = [
        event("ADDED", a_class("c2", "Waiting", "U2")),
        event("MODIFIED", a_class(mode="Waiting")),
        event("ADDED", a_class("c3", uid="U3")),
        event("DELETED", a_class("c3", uid="U3")),
    ]
    if way == "stream":
        first = [event("ADDED", a_class()), end_of_list("1")]
        api.plan("stream", CLASSES, stream(*first, *events, until=api.closing))
    else:
        api.plan("watch", CLASSES, stream(*events, until=api.closing))
    async with watching(url, feeds=[feed]) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: modes(sink) == {"c1": "Waiting", "c2": "Waiting"})
        assert watch.health_of(CLASSES).synced
        with pytest.raises(KeyError):
            watch.health_of("pigs")


@pytest.mark.parametrize(
    ("refusal", "served", "missing", "known"),
    [
        pytest.param(UNSERVED, False, (), {}, id="what is not served does not exist"),
        pytest.param(
            status(403), True, (Permission("watch", CLASSES),), None, id="what is denied is unknown"
        ),
    ],
)
async def test_what_a_cluster_does_not_show_leaves_the_rest_live(
    api: ScriptedAPI,
    url: str,
    sink: Classes,
    feed: Feed,
    *,
    refusal: Step,
    served: bool,
    missing: object,
    known: object,
) -> None:
    for verb in ("stream", "list", "watch"):
        api.default[verb, CLASSES] = refusal
    async with watching(url, feeds=[feed]) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: watch.freshness().is_live)
        health = watch.health_of(CLASSES)
        assert (health.synced, health.served, health.missing) == (False, served, missing)
        assert watch.freshness().missing == ()
        assert modes(sink) == known
        # It is asked for again, and found when it is there.
        listed = stream(event("ADDED", a_class()), end_of_list("1"), until=api.closing)
        api.default["stream", CLASSES] = listed
        await until(lambda: modes(sink) == {"c1": "Immediate"})
        health = watch.health_of(CLASSES)
        assert (health.synced, health.served, health.missing) == (True, True, ())
    assert api.times("list", CLASSES) == 0


@pytest.mark.parametrize(("refusal", "known"), [(status(403), None), (UNSERVED, {})])
async def test_what_is_refused_in_the_midst_is_forgotten(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed, *, refusal: Step, known: object
) -> None:
    ends = asyncio.Event()
    api.plan("watch", CLASSES, stream(until=ends))
    async with watching(url, feeds=[feed]) as watch:
        await until(lambda: modes(sink) == {"c1": "Immediate"})
        for verb in ("stream", "list", "watch"):
            api.default[verb, CLASSES] = refusal
        ends.set()
        await until(lambda: modes(sink) == known)
        assert not watch.health_of(CLASSES).synced


async def test_a_404_of_somebody_else_says_nothing_of_what_there_is(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed
) -> None:
    for verb in ("stream", "list", "watch"):
        api.default[verb, CLASSES] = status(404, "<html>", "text/html")
    async with watching(url, feeds=[feed]) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: api.times("list", CLASSES) > 1)
        assert modes(sink) is None
        health = watch.health_of(CLASSES)
        assert (health.synced, health.served) == (False, True)


async def test_what_is_refused_is_asked_for_slowly(
    api: ScriptedAPI, url: str, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.default["stream", CLASSES] = UNSERVED
    delays = recorded_sleeps(monkeypatch)
    slow = replace(QUICK, denied_backoff=(1e6, 1e6))
    async with watching(url, slow, feeds=[feed]):
        await until(lambda: any(delay > 1 for delay in delays))
    assert len([resource for _, resource, _ in api.asked if resource == CLASSES]) == 1


async def test_what_has_grown_too_old_is_forgotten_and_listed_anew(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed
) -> None:
    clock, ends = Clock(), asyncio.Event()
    api.plan("watch", CLASSES, stream(until=ends))
    async with watching(url, clock=clock, feeds=[feed]) as watch:
        await until(lambda: api.times("watch", CLASSES) == 1)
        clock.now += 40
        watch.snapshot()
        assert modes(sink) == {"c1": "Immediate"}
        clock.now += 0.001
        watch.snapshot()
        assert modes(sink) is None
        ends.set()
        await until(lambda: modes(sink) == {"c1": "Immediate"})
    assert api.times("list", CLASSES) == 2


async def test_a_late_line_does_not_bring_back_a_part_of_what_was_forgotten(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed
) -> None:
    clock, late = Clock(), asyncio.Event()

    async def goes_on(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await late.wait()
        await response.write(event("ADDED", a_class("c2", uid="U2")))
        await api.closing.wait()
        return response

    api.plan("watch", CLASSES, goes_on)
    async with watching(url, clock=clock, feeds=[feed]) as watch:
        await until(lambda: api.times("watch", CLASSES) == 1)
        clock.now += 41
        watch.snapshot()
        assert modes(sink) is None
        late.set()
        too_old = f"watch {CLASSES}: what was known had grown too old"
        await until(lambda: watch.health_of(CLASSES).last_error == too_old)
        await until(lambda: modes(sink) == {"c1": "Immediate"})


async def test_an_outage_of_one_resource_does_not_hold_up_the_others(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed
) -> None:
    for verb in ("stream", "list", "watch"):
        api.default[verb, CLASSES] = status(503)
    async with watching(url, feeds=[feed]) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: watch.freshness().is_live)
        assert watch.freshness().last_error is None
        assert watch.health_of(CLASSES).last_error == f"watch {CLASSES}: HTTP 503"
        assert modes(sink) is None


async def test_an_unreadable_object_is_told_from_one_that_is_not_there(
    api: ScriptedAPI, url: str, sink: Classes, feed: Feed
) -> None:
    bad = a_class("c2", 5, "U2")
    first, second = asyncio.Event(), asyncio.Event()
    api.default["list", CLASSES] = page(a_class(), bad, {"mode": 5})
    api.plan(
        "watch",
        CLASSES,
        stream(event("MODIFIED", a_class(mode=7)), until=first),
        stream(event("MODIFIED", a_class()), event("DELETED", bad), until=second),
        stream(error(code=410)),
    )
    async with watching(url, feeds=[feed]) as watch:
        await until(lambda: modes(sink) == {"c1": None, "c2": None})
        assert watch.health_of(CLASSES).unreadable == 2
        assert watch.health_of(CLASSES).malformed == 3
        first.set()
        await until(lambda: modes(sink) == {"c1": "Immediate"})
        assert watch.health_of(CLASSES).unreadable == 0
        api.default["list", CLASSES] = page(bad)
        second.set()
        await until(lambda: modes(sink) == {"c2": None})
        assert watch.health_of(CLASSES).unreadable == 1
