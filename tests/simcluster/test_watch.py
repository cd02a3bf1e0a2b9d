from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import NAMESPACES, PODS, SECRETS
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.storage.store import Store

PATH = "/api/v1/pods?watch=True&"


class Reader:
    """The lines of a watch, one at a time; an empty dictionary at its end."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Any:
        line = await self.response.content.readline()
        return json.loads(line) if line else {}

    async def changes(self, count: int) -> list[tuple[str, str]]:
        lines = [await self.next() for _ in range(count)]
        return [(item["type"], item["object"]["metadata"].get("name", "")) for item in lines]


@asynccontextmanager
async def watching(
    api: aiohttp.ClientSession, query: str = "", path: str = PATH
) -> AsyncIterator[Reader]:
    async with api.get(path + query) as response:
        assert response.status == 200, await response.text()
        yield Reader(response)


def phase(store: Store, name: str, word: str) -> None:
    store.patch(PODS, "default", name, {"status": {"phase": word}}, subresource="status")


def label(store: Store, name: str, value: str | None) -> None:
    store.patch(PODS, "default", name, {"metadata": {"labels": {"app": value}}})


@pytest.mark.parametrize("flag", ["true", "True", "1"])
async def test_every_spelling_of_watch(
    api: aiohttp.ClientSession, make_pod: Callable[..., Object], flag: str
) -> None:
    make_pod("p")
    async with watching(api, path=f"/api/v1/pods?watch={flag}") as reader:
        assert await reader.changes(1) == [("ADDED", "p")]


async def test_a_watch_resumes_after_a_version(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    make_pod("before")
    version = store.revision
    make_pod("p")
    async with watching(api, f"resourceVersion={version}") as reader:
        assert await reader.changes(1) == [("ADDED", "p")]
        phase(store, "p", "Running")
        store.delete(PODS, "default", "p")
        modified, marked, deleted = [await reader.next() for _ in range(3)]
    assert modified["type"] == "MODIFIED"
    assert (modified["object"]["kind"], modified["object"]["apiVersion"]) == ("Pod", "v1")
    assert (marked["type"], marked["object"]["metadata"]["deletionGracePeriodSeconds"]) == (
        "MODIFIED",
        0,
    )
    assert (deleted["type"], deleted["object"]["status"]["phase"]) == ("DELETED", "Running")
    assert deleted["object"]["metadata"]["resourceVersion"] == str(store.revision)


async def test_a_watch_of_a_namespace_sees_no_other(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    store.create(NAMESPACES, None, {"metadata": {"name": "blue"}})
    path = f"/api/v1/namespaces/blue/pods?watch=1&resourceVersion={store.revision}"
    async with watching(api, path=path) as reader:
        make_pod("elsewhere")
        pod = {"metadata": {"name": "here"}, "spec": {"containers": [{"name": "c"}]}}
        store.create(PODS, "blue", pod)
        assert await reader.changes(1) == [("ADDED", "here")]


async def test_selector_transitions(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    make_pod("p", labels={"app": "other"})
    query = f"labelSelector=app%3Dhub&resourceVersion={store.revision}"
    async with watching(api, query) as reader:
        label(store, "p", "hub")
        phase(store, "p", "Running")
        label(store, "p", "other")
        assert await reader.changes(2) == [("ADDED", "p"), ("MODIFIED", "p")]
        left = await reader.next()
        label(store, "p", None)
        store.delete(PODS, "default", "p")
        make_pod("q", labels={"app": "hub"})
        assert await reader.changes(1) == [("ADDED", "q")], "the unselected object is not seen"
    assert left["type"] == "DELETED"
    assert left["object"]["metadata"]["labels"] == {"app": "hub"}, "the last selected state"


async def test_a_field_selector_lets_ended_pods_leave(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    make_pod("p")
    fields = "status.phase!=Succeeded,status.phase!=Failed".replace("!=", "%21%3D")
    query = f"fieldSelector={fields}&resourceVersion={store.revision}"
    async with watching(api, query) as reader:
        phase(store, "p", "Succeeded")
        assert await reader.changes(1) == [("DELETED", "p")]


async def test_initial_events_end_in_a_bookmark(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    make_pod("a")
    make_pod("b")
    version = str(store.revision)
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(api, query) as reader:
        assert await reader.changes(2) == [("ADDED", "a"), ("ADDED", "b")]
        end = await reader.next()
        make_pod("c")
        following = [await reader.next()]
        while following[-1]["type"] == "BOOKMARK":
            following.append(await reader.next())
    assert end["type"] == "BOOKMARK"
    assert end["object"]["kind"] == "Pod"
    assert end["object"]["metadata"]["resourceVersion"] == version
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert following[-1]["object"]["metadata"]["name"] == "c"


async def test_initial_events_do_not_repeat_the_history(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    version = store.revision
    make_pod("a")
    query = f"sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={version}"
    async with watching(api, query) as reader:
        assert await reader.changes(1) == [("ADDED", "a")]
        phase(store, "a", "Running")
        assert await reader.changes(1) == [("MODIFIED", "a")]


async def test_bookmarks_carry_the_newest_version_of_the_store(
    api: aiohttp.ClientSession, store: Store
) -> None:
    query = f"allowWatchBookmarks=true&resourceVersion={store.revision}"
    async with watching(api, query) as reader:
        store.create(SECRETS, "default", {"metadata": {"name": "elsewhere"}})
        bookmark = await reader.next()
        assert bookmark["type"] == "BOOKMARK"
        assert "annotations" not in bookmark["object"]["metadata"]
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(store.revision)


async def test_a_watch_without_bookmarks_gets_none_and_ends_in_time(
    api: aiohttp.ClientSession, store: Store
) -> None:
    async with watching(api, f"timeoutSeconds=1&resourceVersion={store.revision}") as reader:
        assert await reader.next() == {}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("sendInitialEvents=true", 422, id="initial events need a match"),
        pytest.param("resourceVersionMatch=NotOlderThan", 422, id="a match needs initial events"),
        pytest.param("resourceVersion=x", 400, id="a version that is none"),
        pytest.param("labelSelector=a b", 400, id="a selector that is none"),
        pytest.param(
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999",
            504,
            id="initial events of the future",
        ),
    ],
)
async def test_watches_that_are_refused(api: aiohttp.ClientSession, query: str, code: int) -> None:
    async with api.get(PATH + query) as response:
        assert (response.status, (await response.json())["code"]) == (code, code)


async def compacted(store: Store, make_pod: Callable[..., Object]) -> str:
    version = str(store.revision)
    make_pod("p")
    store.compact()
    return version


async def test_a_compacted_version_is_an_error_event(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    version = await compacted(store, make_pod)
    async with watching(api, f"resourceVersion={version}") as reader:
        error, end = await reader.next(), await reader.next()
    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == (
        "ERROR",
        410,
        "Expired",
    )
    assert error["object"]["message"].startswith("too old resource version")
    assert end == {}


async def test_a_compacted_version_can_be_an_http_status(
    api: aiohttp.ClientSession,
    store: Store,
    faults: FaultPlan,
    make_pod: Callable[..., Object],
) -> None:
    faults.expired_watch_as_status = True
    version = await compacted(store, make_pod)
    async with api.get(f"{PATH}resourceVersion={version}") as response:
        assert (response.status, (await response.json())["reason"]) == (410, "Expired")


async def test_a_watcher_that_falls_behind_gets_an_error_event(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    make_pod("p")
    async with watching(api, f"resourceVersion={store.revision}") as reader:
        # No await: the server cannot read in between, and the history holds 200 events.
        for number in range(201):
            label(store, "p", f"v{number}")
        error = await reader.next()
    assert (error["type"], error["object"]["code"]) == ("ERROR", 410)


async def test_a_version_of_the_future_hears_nothing_of_the_past(
    api: aiohttp.ClientSession, store: Store, make_pod: Callable[..., Object]
) -> None:
    async with watching(api, f"resourceVersion={store.revision + 1}&timeoutSeconds=1") as reader:
        make_pod("known-already")
        make_pod("new")
        assert await reader.changes(1) == [("ADDED", "new")]


async def test_kubectl_watches_tables(
    api: aiohttp.ClientSession, make_pod: Callable[..., Object]
) -> None:
    make_pod("p")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    async with api.get(PATH, headers=accept) as response:
        line = await Reader(response).next()
    assert (line["type"], line["object"]["kind"]) == ("ADDED", "Table")
    assert line["object"]["rows"][0]["cells"][0] == "p"
