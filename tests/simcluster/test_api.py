from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import CONFIGMAPS, PODS, SECRETS
from gpuspawner.simcluster.storage.store import Store

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
PODS_PATH = "/api/v1/namespaces/default/pods"
CONFIGMAPS_PATH = "/api/v1/namespaces/default/configmaps"


async def call(
    api: aiohttp.ClientSession, method: str, path: str, body: Any = None, kind: str = "json"
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body)
    headers = {"Content-Type": f"application/{kind}"}
    async with api.request(method, path, data=data, headers=headers) as response:
        return response.status, await response.json()


def add_configmaps(store: Store, count: int) -> None:
    for number in range(count):
        labels = {"odd": str(number % 2)}
        meta = {"name": f"c{number}", "labels": labels}
        store.create(CONFIGMAPS, "default", {"metadata": meta})


async def names(api: aiohttp.ClientSession, query: str) -> list[str]:
    code, found = await call(api, "GET", f"{CONFIGMAPS_PATH}?{query}")
    assert code == 200, found
    return [item["metadata"]["name"] for item in found["items"]]


async def test_the_life_of_a_pod(api: aiohttp.ClientSession, store: Store) -> None:
    code, made = await call(api, "POST", PODS_PATH, POD)
    assert (code, made["kind"], made["status"]["phase"]) == (201, "Pod", "Pending")
    assert await call(api, "GET", f"{PODS_PATH}/p") == (200, made)
    binding = {"target": {"kind": "Node", "name": "n1"}}
    assert (await call(api, "POST", f"{PODS_PATH}/p/binding", binding))[0] == 201
    status = {"status": {"phase": "Running"}}
    code, running = await call(
        api, "PATCH", f"{PODS_PATH}/p/status", status, "strategic-merge-patch+json"
    )
    assert (code, running["status"]["phase"]) == (200, "Running")
    assert running["status"]["conditions"][0]["type"] == "PodScheduled"
    code, going = await call(api, "DELETE", f"{PODS_PATH}/p", {"gracePeriodSeconds": 3})
    assert (code, going["metadata"]["deletionGracePeriodSeconds"]) == (200, 3)
    store.finalize_deletion(PODS, "default", "p")
    code, missing = await call(api, "GET", f"{PODS_PATH}/p")
    assert code == 404
    assert missing == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'pods "p" not found',
        "reason": "NotFound",
        "details": {"name": "p", "kind": "pods"},
        "code": 404,
    }


async def test_a_list_leaves_kind_out_of_its_items(
    api: aiohttp.ClientSession, store: Store
) -> None:
    add_configmaps(store, 1)
    _, found = await call(api, "GET", "/api/v1/configmaps")
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert found["metadata"] == {"resourceVersion": str(store.revision)}
    assert not {"kind", "apiVersion"} & found["items"][0].keys()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("labelSelector=odd%3D1", ["c1", "c3"], id="by label"),
        pytest.param("labelSelector=odd in (0,2)", ["c0", "c2"], id="by a set of labels"),
        pytest.param("fieldSelector=metadata.name%3Dc2", ["c2"], id="by field"),
        pytest.param("resourceVersion=0", ["c0", "c1", "c2", "c3"], id="any version"),
    ],
)
async def test_selected_lists(
    api: aiohttp.ClientSession, store: Store, query: str, expected: list[str]
) -> None:
    add_configmaps(store, 4)
    assert await names(api, query) == expected


async def test_pages_show_one_snapshot(api: aiohttp.ClientSession, store: Store) -> None:
    add_configmaps(store, 5)
    version = str(store.revision)
    _, first = await call(api, "GET", f"{CONFIGMAPS_PATH}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 3
    store.delete(CONFIGMAPS, "default", "c3")
    store.create(CONFIGMAPS, "default", {"metadata": {"name": "c2a"}})
    seen, token = [item["metadata"]["name"] for item in first["items"]], first["metadata"]
    while "continue" in token:
        path = f"{CONFIGMAPS_PATH}?limit=2&continue={token['continue']}"
        _, page = await call(api, "GET", path)
        assert page["metadata"]["resourceVersion"] == version
        seen += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"]
    assert seen == ["c0", "c1", "c2", "c3", "c4"]


async def test_pages_end_with_410_after_a_compaction(
    api: aiohttp.ClientSession, store: Store
) -> None:
    add_configmaps(store, 3)
    _, first = await call(api, "GET", f"{CONFIGMAPS_PATH}?limit=2")
    add_secret(store)
    store.compact()
    path = f"{CONFIGMAPS_PATH}?limit=2&continue={first['metadata']['continue']}"
    code, status = await call(api, "GET", path)
    assert (code, status["reason"]) == (410, "Expired")
    assert "continue parameter is too old" in status["message"]


def add_secret(store: Store) -> None:
    store.create(SECRETS, "default", {"metadata": {"generateName": "s-"}})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("resourceVersion={then}", 3, id="not older than, when unlimited"),
        pytest.param("resourceVersion={then}&resourceVersionMatch=NotOlderThan", 3, id="not older"),
        pytest.param("resourceVersion={then}&resourceVersionMatch=Exact", 2, id="exactly then"),
        pytest.param("resourceVersion={then}&limit=9", 2, id="a limited list is exact"),
    ],
)
async def test_the_meaning_of_a_version(
    api: aiohttp.ClientSession, store: Store, query: str, expected: int
) -> None:
    add_configmaps(store, 2)
    then = store.revision
    store.create(CONFIGMAPS, "default", {"metadata": {"name": "late"}})
    assert len(await names(api, query.format(then=then))) == expected


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        pytest.param("resourceVersion=999999", 504, "Timeout", id="a version of the future"),
        pytest.param("resourceVersion=x", 400, "BadRequest", id="a version that is no version"),
        pytest.param("resourceVersionMatch=Exact", 422, "Invalid", id="a match without a version"),
        pytest.param(
            "resourceVersionMatch=Exact&resourceVersion=0", 422, "Invalid", id="exactly any"
        ),
        pytest.param(
            "resourceVersionMatch=Odd&resourceVersion=1", 422, "Invalid", id="an unknown match"
        ),
        pytest.param(
            "resourceVersionMatch=Exact&resourceVersion=1", 410, "Expired", id="before the history"
        ),
        pytest.param("continue=garbage", 400, "BadRequest", id="a token that is no token"),
        pytest.param("limit=many", 400, "BadRequest", id="a limit that is no number"),
        pytest.param("labelSelector=a b", 400, "BadRequest", id="a selector that is none"),
    ],
)
async def test_lists_that_are_refused(
    api: aiohttp.ClientSession, store: Store, query: str, code: int, reason: str
) -> None:
    store.compact()
    found, status = await call(api, "GET", f"{CONFIGMAPS_PATH}?{query}")
    assert (found, status["kind"], status["reason"]) == (code, "Status", reason)


async def test_a_version_that_is_too_large_names_its_cause(api: aiohttp.ClientSession) -> None:
    _, status = await call(api, "GET", "/api/v1/pods?resourceVersion=999999")
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert status["details"]["retryAfterSeconds"] == 1


async def test_a_dry_run_answers_with_the_effective_pod(
    api: aiohttp.ClientSession, store: Store
) -> None:
    code, made = await call(api, "POST", f"{PODS_PATH}?dryRun=All", POD)
    assert (code, made["spec"]["schedulerName"]) == (201, "default-scheduler")
    assert not store.contains(PODS, "default", "p")
    assert (await call(api, "POST", f"{PODS_PATH}?dryRun=Some", POD))[0] == 422


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        pytest.param("merge-patch+json", {"data": {"k": "v"}}, id="merge"),
        pytest.param("strategic-merge-patch+json", {"data": {"k": "v"}}, id="strategic"),
        pytest.param(
            "json-patch+json", [{"op": "add", "path": "/data", "value": {"k": "v"}}], id="json"
        ),
    ],
)
async def test_patches_by_content_type(
    api: aiohttp.ClientSession, store: Store, kind: str, patch: Any
) -> None:
    add_configmaps(store, 1)
    code, changed = await call(api, "PATCH", f"{CONFIGMAPS_PATH}/c0", patch, kind)
    assert (code, changed["data"]) == (200, {"k": "v"})


async def test_stale_replacement_is_a_conflict(api: aiohttp.ClientSession, store: Store) -> None:
    add_configmaps(store, 1)
    stale = store.get(CONFIGMAPS, "default", "c0")
    path = f"{CONFIGMAPS_PATH}/c0"
    assert (await call(api, "PUT", path, {**stale, "data": {"k": "1"}}))[0] == 200
    code, status = await call(api, "PUT", path, {**stale, "data": {"k": "2"}})
    assert (code, status["reason"]) == (409, "Conflict")


async def test_a_collection_is_deleted_by_selector(
    api: aiohttp.ClientSession, store: Store
) -> None:
    add_configmaps(store, 4)
    code, gone = await call(api, "DELETE", f"{CONFIGMAPS_PATH}?labelSelector=odd%3D1")
    assert (code, len(gone["items"])) == (200, 2)
    assert await names(api, "") == ["c0", "c2"]


async def test_deleting_answers_with_a_status_for_plain_objects(
    api: aiohttp.ClientSession, store: Store
) -> None:
    add_configmaps(store, 1)
    code, status = await call(api, "DELETE", f"{CONFIGMAPS_PATH}/c0")
    assert (code, status["kind"], status["status"]) == (200, "Status", "Success")


async def test_an_eviction_deletes(api: aiohttp.ClientSession, store: Store) -> None:
    await call(api, "POST", PODS_PATH, POD)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    assert (await call(api, "POST", f"{PODS_PATH}/p/eviction", eviction))[0] == 201
    assert not store.contains(PODS, "default", "p")


async def test_logs_come_from_their_source(
    api: aiohttp.ClientSession, make_pod: Callable[..., Object]
) -> None:
    make_pod("talker")
    async with api.get(f"{PODS_PATH}/talker/log?tailLines=2") as response:
        assert await response.text() == "two\nthree\n"
    make_pod("mute")
    code, status = await call(api, "GET", f"{PODS_PATH}/mute/log")
    assert code == 400
    assert status["message"].endswith("is waiting to start: ContainerCreating")


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        pytest.param("GET", "/api/v1/unknowns", None, 404, id="an unknown resource"),
        pytest.param("GET", "/api/v2/pods", None, 404, id="an unknown version"),
        pytest.param("GET", "/openapi/v2", None, 404, id="no OpenAPI"),
        pytest.param("PUT", PODS_PATH, POD, 405, id="a collection cannot be replaced"),
        pytest.param("POST", f"{PODS_PATH}/p", POD, 405, id="an object cannot be posted to"),
        pytest.param("GET", f"{PODS_PATH}/p/color", None, 404, id="an unknown subresource"),
        pytest.param("GET", f"{PODS_PATH}/p/binding", None, 405, id="a binding is write-only"),
        pytest.param("PATCH", f"{PODS_PATH}/p", {}, 415, id="a patch of no kind"),
        pytest.param("POST", PODS_PATH, [], 400, id="a body that is no object"),
    ],
)
async def test_what_is_not_served(
    api: aiohttp.ClientSession, method: str, path: str, body: Any, code: int
) -> None:
    found, status = await call(api, method, path, body)
    assert (found, status["kind"], status["code"]) == (code, "Status", code)


async def test_an_unknown_subresource_of_an_object_that_exists(
    api: aiohttp.ClientSession, store: Store
) -> None:
    add_configmaps(store, 1)
    code, status = await call(api, "GET", f"{CONFIGMAPS_PATH}/c0/status")
    assert (code, status["message"]) == (404, "the server could not find the requested resource")


async def test_a_body_that_is_not_json_is_a_bad_request(api: aiohttp.ClientSession) -> None:
    async with api.post(PODS_PATH, data=b"{") as response:
        assert (response.status, (await response.json())["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health(api: aiohttp.ClientSession, path: str) -> None:
    async with api.get(path) as response:
        assert await response.text() == "ok"


async def test_discovery(api: aiohttp.ClientSession) -> None:
    assert (await call(api, "GET", "/version"))[1]["major"] == "1"
    assert (await call(api, "GET", "/api"))[1]["versions"] == ["v1"]
    groups = (await call(api, "GET", "/apis"))[1]["groups"]
    assert {item["name"] for item in groups} == {
        "node.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
    core = (await call(api, "GET", "/api/v1"))[1]["resources"]
    assert {"pods", "pods/status", "pods/binding", "pods/log"} <= {item["name"] for item in core}
    storage = (await call(api, "GET", "/apis/storage.k8s.io/v1"))[1]["resources"]
    assert [item["kind"] for item in storage] == ["StorageClass"]


async def test_kubectl_learns_that_the_server_validates(api: aiohttp.ClientSession) -> None:
    index = (await call(api, "GET", "/openapi/v3"))[1]["paths"]
    assert "api/v1" in index
    for entry in index.values():
        code, document = await call(api, "GET", entry["serverRelativeURL"])
        patches = [path["patch"] for path in document["paths"].values()]
        assert code == 200
        assert all(item["parameters"][0]["name"] == "fieldValidation" for item in patches)


async def test_a_parameter_reaches_the_server_as_it_was_meant(
    api: aiohttp.ClientSession,
) -> None:
    code, status = await call(api, "GET", "/api/v1/pods?fieldSelector=spec.a%2Bb%3D1")
    assert (code, status["message"].rpartition(" ")[2]) == (400, "spec.a+b")


async def test_kubectl_gets_a_table(
    api: aiohttp.ClientSession, make_pod: Callable[..., Object]
) -> None:
    make_pod("p", nodeName="n1")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    async with api.get(PODS_PATH, headers={"Accept": accept}) as response:
        found = await response.json()
    assert found["kind"] == "Table"
    headings = [item["name"] for item in found["columnDefinitions"]]
    cells = dict(zip(headings, found["rows"][0]["cells"], strict=True))
    wanted = {"Name": "p", "Ready": "0/1", "Status": "Pending", "Restarts": 0, "Node": "n1"}
    assert cells | wanted == cells
    assert found["rows"][0]["object"]["metadata"]["name"] == "p"
