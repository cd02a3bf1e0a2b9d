"""Lists and watches: what the product relies on, of the real API server and of simcluster alike."""

from __future__ import annotations

import pytest
from tests.controlplane.kube import Api, Object
from tests.controlplane.servers import Server

NAMES = ["a", "b", "c", "d", "e"]
STREAMED = {
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}
RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def a_pod(name: str, **labels: str) -> Object:
    """A pod that no scheduler looks at."""
    containers = [{"name": "main", "image": "example.invalid/image"}]
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": containers, "schedulerName": "nobody"},
    }


async def create_all(server: Server) -> None:
    for name in NAMES:
        await server.api.create(server.pods, a_pod(name, vowel=str(name in "ae").lower()))


def names(items: list[Object]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


async def version_of(server: Server) -> str:
    listed = await server.api.get(server.pods)
    return str(listed["metadata"]["resourceVersion"])


async def test_a_list_comes_in_pages_of_one_version(server: Server) -> None:
    await create_all(server)
    first = await server.api.get(server.pods, limit="2")
    await server.api.create(server.pods, a_pod("z"))
    token = first["metadata"]["continue"]
    second = await server.api.get(server.pods, limit="2", **{"continue": token})
    token = second["metadata"]["continue"]
    third = await server.api.get(server.pods, limit="2", **{"continue": token})
    pages = (first, second, third)
    assert [name for page in pages for name in names(page["items"])] == NAMES
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert [page["metadata"].get("remainingItemCount") for page in pages] == [3, 1, None]
    assert "continue" not in third["metadata"]
    assert (first["kind"], first["apiVersion"]) == ("PodList", "v1")
    assert "kind" not in first["items"][0]


async def test_what_is_left_of_a_selection_is_not_counted(server: Server) -> None:
    await create_all(server)
    page = await server.api.get(server.pods, limit="1", labelSelector="vowel=true")
    assert (names(page["items"]), "continue" in page["metadata"]) == (["a"], True)
    assert "remainingItemCount" not in page["metadata"]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        pytest.param({"labelSelector": "vowel=true"}, ["a", "e"], id="an equal value"),
        pytest.param({"labelSelector": "vowel!=true"}, ["b", "c", "d"], id="another value"),
        pytest.param({"labelSelector": "vowel in (true,x)"}, ["a", "e"], id="one of a set"),
        pytest.param({"labelSelector": "!vowel"}, [], id="an absent label"),
        pytest.param({"fieldSelector": "metadata.name=b"}, ["b"], id="a name"),
        pytest.param({"fieldSelector": "spec.nodeName!="}, [], id="a node"),
        pytest.param(RUNNING, ["a", "c", "d", "e"], id="the pods that are not over"),
    ],
)
async def test_selectors(server: Server, query: dict[str, str], chosen: list[str]) -> None:
    await create_all(server)
    await server.api.patch(f"{server.pods}/b/status", {"status": {"phase": "Succeeded"}})
    if "phase" not in str(query):
        await server.api.patch(f"{server.pods}/b/status", {"status": {"phase": "Running"}})
    assert names((await server.api.get(server.pods, **query))["items"]) == chosen


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"continue": "garbage"}, 400, id="a token that is none"),
        pytest.param({"labelSelector": "a b"}, 400, id="a selector that is none"),
        pytest.param({"fieldSelector": "spec.color=red"}, 400, id="a field that is none"),
        pytest.param({"resourceVersion": "x"}, 400, id="a version that is none"),
        pytest.param({"sendInitialEvents": "true"}, 422, id="a streaming list that is no watch"),
        pytest.param({"resourceVersionMatch": "Exact"}, 422, id="a match without a version"),
        pytest.param(
            {"watch": "1", "sendInitialEvents": "true"}, 422, id="a streaming list without a match"
        ),
        pytest.param(
            {"watch": "1", "resourceVersionMatch": "NotOlderThan"}, 422, id="a match by itself"
        ),
    ],
)
async def test_what_cannot_be_read_is_refused(
    server: Server, query: dict[str, str], code: int
) -> None:
    answer = await server.api.ask("GET", server.pods, **query)
    assert (answer.code, answer.body["kind"], answer.body["code"]) == (code, "Status", code)


async def test_a_list_of_the_future_is_a_timeout(server: Server) -> None:
    answer = await server.api.ask("GET", server.pods, resourceVersion="9000000000")
    assert (answer.code, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_watch_goes_on_from_a_version(server: Server) -> None:
    await server.api.create(server.pods, a_pod("before"))
    version = await version_of(server)
    await server.api.create(server.pods, a_pod("p"))
    await server.api.patch(f"{server.pods}/p", {"metadata": {"labels": {"app": "x"}}})
    await server.api.delete(f"{server.pods}/p")
    async with server.api.watch(server.pods, resourceVersion=version) as lines:
        events = [await lines.next() for _ in range(4)]
    # Even a pod that nothing keeps is first marked as terminating.
    kinds = ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert [event["type"] for event in events] == kinds
    assert {event["object"]["metadata"]["name"] for event in events} == {"p"}
    assert {event["object"]["kind"] for event in events} == {"Pod"}
    versions = [event["object"]["metadata"]["resourceVersion"] for event in events]
    assert len({version, *versions}) == 5


async def test_what_leaves_a_selection_is_deleted_for_its_watcher(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    version = await version_of(server)
    await server.api.patch(f"{server.pods}/p/status", {"status": {"phase": "Succeeded"}})
    async with server.api.watch(server.pods, resourceVersion=version, **RUNNING) as lines:
        event = await lines.next()
    assert (event["type"], event["object"]["status"]["phase"]) == ("DELETED", "Pending")


async def test_a_bookmark_comes_before_the_watch_ends(server: Server) -> None:
    version = await version_of(server)
    query = {"allowWatchBookmarks": "true", "timeoutSeconds": "3", "resourceVersion": version}
    async with server.api.watch(server.pods, **query) as lines:
        bookmark = (await lines.rest())[-1]
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Pod")
    await server.api.create(server.pods, a_pod("p"))
    since = bookmark["object"]["metadata"]["resourceVersion"]
    async with server.api.watch(server.pods, resourceVersion=since) as lines:
        assert (await lines.next())["object"]["metadata"]["name"] == "p"


async def test_a_streaming_list_ends_in_a_marked_bookmark_and_goes_on(server: Server) -> None:
    await create_all(server)
    async with server.api.watch(server.pods, **STREAMED) as lines:
        listed = [await lines.next() for _ in NAMES]
        end = await lines.next()
        await server.api.create(server.pods, a_pod("z"))
        following = await lines.next_of("ADDED")
    assert {event["type"] for event in listed} == {"ADDED"}
    assert sorted(names([event["object"] for event in listed])) == NAMES
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert end["object"]["metadata"]["resourceVersion"]
    assert following["object"]["metadata"]["name"] == "z"


async def test_a_version_that_is_too_old_is_an_error_event(server: Server) -> None:
    await server.api.create(server.pods, a_pod("p"))
    await server.forget_history()
    async with server.api.watch(server.pods, resourceVersion="1") as lines:
        event, code = await lines.next(), lines.code
    assert (code, event["type"]) == (200, "ERROR")
    status = event["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


async def test_a_token_that_nobody_gave_is_401(server: Server) -> None:
    answer = await server.stranger.ask("GET", server.pods)
    assert answer.code == 401
    told = [answer.body[key] for key in ("kind", "status", "reason", "message", "code")]
    assert told == ["Status", "Failure", "Unauthorized", "Unauthorized", 401]


@pytest.mark.parametrize(
    ("query", "verb"),
    [pytest.param({}, "list", id="a list"), pytest.param({"watch": "1"}, "watch", id="a watch")],
)
async def test_what_is_not_granted_is_403_and_named(
    server: Server, query: dict[str, str], verb: str
) -> None:
    nobody: Api = server.nobody
    answer = await nobody.ask("GET", "/api/v1/pods", **query)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["details"] == {"kind": "pods"}
    assert answer.message == (
        f'pods is forbidden: User "{server.nobodys_name}" cannot {verb} resource "pods" '
        'in API group "" at the cluster scope'
    )
