"""The reflector that lasts, on an API server that fails over HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from kubernetes_asyncio.client import ApiClient, ApiException, Configuration, CoreV1Api
from kubespawner.spawner import EventReflector, PodReflector

from gpuspawner.outages import ClusterUnreachableError, LastingReflector, is_unreachable, lasting
from gpuspawner.outages.reflector import RETRY_CAP
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import Answer, Drop, FaultPlan, Refuse
from gpuspawner.simcluster.storage.store import Store
from gpuspawner.simcluster.waiting import wait_until

POLL = 0.001
VERSION = "7"


def a_pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "notebook"}]}}


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays that were asked for; none is waited for, and jitter is at its largest."""
    sleep, delays = asyncio.sleep, []

    async def noted(delay: float, *rest: Any) -> None:
        delays.append(delay)
        await sleep(POLL, *rest)

    patched = SimpleNamespace(**vars(asyncio) | {"sleep": noted})
    monkeypatch.setattr("gpuspawner.outages.reflector.asyncio", patched)
    monkeypatch.setattr("gpuspawner.outages.reflector.random.random", lambda: 1.0)
    return delays


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def api(
    store: Store, faults: FaultPlan, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CoreV1Api]:
    app = make_app(store, faults=faults)
    async with serve(app) as url, ApiClient(Configuration(host=url)) as client:
        api = CoreV1Api(client)
        monkeypatch.setattr("kubespawner.reflector.shared_client", lambda _: api)
        yield api


@asynccontextmanager
async def reflecting(**options: Any) -> AsyncIterator[LastingReflector]:
    reflector = lasting(PodReflector)(namespace="default", **options)
    await reflector.start()
    try:
        yield reflector
    finally:
        await reflector.stop()


async def test_a_watch_that_is_refused_does_not_spin(
    api: CoreV1Api, faults: FaultPlan, sleeps: list[float]
) -> None:
    """KubeSpawner's own lists seven times a second, for as long as it is refused."""
    del api
    faults.add(Refuse(403, "Forbidden"), verb="watch", times=None)
    async with reflecting() as reflector:
        await wait_until(lambda: len(sleeps) >= 8)
        assert sleeps[:8] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
        assert reflector.first_load_future.done()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("17", 17.0, id="it asks for seconds"),
        pytest.param("9999", RETRY_CAP, id="it asks for more than anybody should wait"),
        pytest.param("soon", 0.8, id="it asks for nonsense"),
        pytest.param(None, 0.8, id="it does not ask"),
    ],
)
async def test_retry_after(
    api: CoreV1Api, faults: FaultPlan, sleeps: list[float], header: str | None, expected: float
) -> None:
    del api
    faults.add(Refuse(429, "TooManyRequests", retry_after=header), verb="list")
    async with reflecting() as reflector:
        await reflector.wait_loaded(10)
        assert sleeps[0] == expected


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Drop(), id="the connection is closed"),
        pytest.param(Refuse(403, "Forbidden"), id="it is forbidden"),
        pytest.param(Refuse(410, "Expired"), id="the version is gone"),
        pytest.param(Answer(b"<html>Bad Gateway</html>"), id="a proxy answers for it"),
        pytest.param(Answer(b"<html>Sign in</html>", code=200), id="a portal answers with 200"),
        pytest.param(Answer(b"[]", code=200, content_type="application/json"), id="no list"),
        pytest.param(Answer(b"{}", code=200, content_type="application/json"), id="no items"),
    ],
)
async def test_no_failure_of_a_list_is_the_last_or_empties_what_is_known(
    api: CoreV1Api, store: Store, faults: FaultPlan, sleeps: list[float], fault: Any
) -> None:
    del api
    store.create(PODS, "default", a_pod("p1"))
    async with reflecting() as reflector:
        await reflector.wait_loaded(10)
        injection = faults.add(fault, times=None)
        before = len(sleeps)
        faults.sever()
        await wait_until(lambda: len(sleeps) > before + 15)
        assert reflector.failure
        assert set(reflector.pods) == {"default/p1"}
        assert max(sleeps) <= reflector.longest_delay
        store.create(PODS, "default", a_pod("p2"))
        faults.remove(injection)
        await wait_until(lambda: set(reflector.pods) == {"default/p1", "default/p2"})
        assert reflector.failure == ""


async def test_an_item_without_a_name_is_left_out(
    api: CoreV1Api, faults: FaultPlan, sleeps: list[float]
) -> None:
    del api, sleeps
    good = {"metadata": {"namespace": "default", "name": "p1"}}
    items = [None, {}, {"metadata": None}, {"metadata": {"name": "p0"}}, good]
    listed = {"metadata": {"resourceVersion": VERSION}, "items": items}
    body = json.dumps(listed).encode()
    faults.add(Answer(body, code=200, content_type="application/json"), verb="list", times=None)
    async with reflecting() as reflector:
        await reflector.wait_loaded(10)
        assert reflector.pods == {"default/p1": good}


async def test_a_past_in_which_a_pod_was_not_yet_there_is_never_asked_for(
    api: CoreV1Api, faults: FaultPlan, sleeps: list[float]
) -> None:
    del api, sleeps
    faults.add(Drop(), verb="watch", times=3)
    async with reflecting() as reflector:
        await reflector.wait_loaded(10)
        await wait_until(lambda: faults.count("watch") > 3)
    lists = [request.query for request in faults.requests if request.verb == "list"]
    assert [query.get("resourceVersion") for query in lists] == [None] * len(lists)


async def test_a_restart_keeps_what_is_known_and_lists_anew(
    api: CoreV1Api, store: Store, faults: FaultPlan
) -> None:
    del api
    store.create(PODS, "default", a_pod("p1"))
    async with reflecting() as reflector:
        await reflector.wait_loaded(10)
        lists = faults.count("list")
        await reflector.restart()
        assert set(reflector.pods) == {"default/p1"}
        await wait_until(lambda: faults.count("list") > lists)


class Request:
    """What a form is made for, or a start."""


ANSWERED: ContextVar[Request] = ContextVar("answered")


@pytest.mark.parametrize("steps", [["start"], ["start", "restart"]])
async def test_the_request_that_began_it_is_not_kept_for_as_long(
    api: CoreV1Api, steps: list[str]
) -> None:
    del api
    reflector = lasting(PodReflector)(namespace="default")

    async def asked() -> weakref.ref[Request]:
        ANSWERED.set(request := Request())
        for step in steps:
            await getattr(reflector, step)()
        return weakref.ref(request)

    kept = await asyncio.create_task(asked())
    try:
        await reflector.wait_loaded(10)
        gc.collect()
        assert kept() is None
    finally:
        await reflector.stop()


async def test_what_was_never_listed_is_said_to_be_unknown(
    api: CoreV1Api, faults: FaultPlan
) -> None:
    del api
    faults.add(Refuse(403, "Forbidden"), times=None)
    async with reflecting() as reflector:
        await wait_until(lambda: bool(reflector.failure))
        with pytest.raises(ClusterUnreachableError, match="pods were never listed: HTTP 403"):
            await reflector.wait_loaded(0)


async def test_what_can_be_done_without_is_waited_for_until_it_is_said_to_be_forbidden(
    api: CoreV1Api, faults: FaultPlan, caplog: pytest.LogCaptureFixture
) -> None:
    del api
    injection = faults.add(Refuse(403, "Forbidden"), times=None)
    async with reflecting() as reflector:
        await reflector.wait_answered(1000)
        assert not reflector.first_load_future.done()
        assert caplog.text.count("lacks a right: list,watch pods in the namespace default") == 1
        faults.remove(injection)
        await reflector.wait_loaded(None)


async def test_what_can_be_done_without_is_not_waited_for_when_nothing_comes(
    api: CoreV1Api, faults: FaultPlan
) -> None:
    del api
    faults.add(Drop(), times=None)
    async with reflecting() as reflector:
        await wait_until(lambda: bool(reflector.failure))
        await reflector.wait_answered(0)
        assert not reflector.first_load_future.done()


async def test_a_caller_that_is_cancelled_does_not_stop_the_first_list(
    api: CoreV1Api, faults: FaultPlan
) -> None:
    del api
    injection = faults.add(Drop(), times=None)
    async with reflecting() as reflector:
        caller = asyncio.create_task(reflector.wait_loaded(None))
        await wait_until(lambda: bool(reflector.failure))
        caller.cancel()
        await asyncio.wait([caller])
        assert not reflector.first_load_future.done()
        faults.remove(injection)
        await reflector.wait_loaded(None)


async def test_a_stop_ends_the_watch(api: CoreV1Api, faults: FaultPlan) -> None:
    del api
    faults.add(Drop(), times=None)
    async with reflecting() as reflector:
        await wait_until(lambda: bool(reflector.failure))
        task = reflector.watch_task
    assert task is not None
    assert task.done()


def test_a_lasting_reflector_is_made_once_of_each_kind() -> None:
    assert lasting(PodReflector) is lasting(PodReflector)
    assert (lasting(PodReflector).kind, lasting(EventReflector).kind) == ("pods", "events")


WEBHOOK = b'{"kind": "Status", "message": "Internal error occurred: failed calling webhook"}'


def an_answer(status: int, body: bytes) -> ApiException:
    error = ApiException(status=status)
    error.body = body
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(ClusterUnreachableError(), True, id="nothing was ever listed"),
        pytest.param(aiohttp.ServerDisconnectedError(), True, id="it hung up"),
        pytest.param(ConnectionResetError(), True, id="the connection was reset"),
        pytest.param(an_answer(500, b"<html>"), True, id="500 of somebody else"),
        pytest.param(an_answer(500, b"[]"), True, id="500 in other JSON"),
        pytest.param(an_answer(500, WEBHOOK), False, id="500 is an answer if it is a Status"),
        pytest.param(an_answer(503, WEBHOOK), True, id="503, even in a Status"),
        pytest.param(ApiException(status=503), True, id="503"),
        pytest.param(ApiException(status=401), True, id="401, which new credentials mend"),
        pytest.param(ApiException(status=403), False, id="403 is an answer"),
        pytest.param(ApiException(status=404), False, id="404 is an answer"),
        pytest.param(ValueError(), False, id="a defect"),
    ],
)
def test_is_unreachable(error: Exception, expected: bool) -> None:
    assert is_unreachable(error) is expected
