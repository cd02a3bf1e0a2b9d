"""The access as JSON: what is refused and how, and what a preview says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.access import PAGE, Draft
from gpuspawner.hub.access import in_force_of
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import READER, audit, configured, database_away
from .conftest import Answer, Hub, cards, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCESS, PREVIEW = "gpuspawner/access", "gpuspawner/access/preview"
ALL = {"users": ["*"], "profiles": ["*"]}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    async with running_hub(cluster, configured(cluster, PAGE)) as hub:
        yield hub


async def asked(hub: Hub, method: str, path: str, body: Any = None, name: str = ADMIN) -> Answer:
    return await (await hub.visitor(name)).api(method, path, body)


async def revision(hub: Hub) -> int:
    return int(json.loads((await asked(hub, "GET", ACCESS)).text)["revision"])


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        pytest.param({"why": " "}, (400, "bad-request"), id="no reason"),
        pytest.param({"why": "x" * 2001}, (400, "bad-request"), id="a reason of pages"),
        pytest.param({"parent": None}, (400, "bad-request"), id="no parent"),
        pytest.param({"parent": True}, (400, "bad-request"), id="a parent that is no number"),
        pytest.param({"access": {}}, (400, "bad-request"), id="no list"),
        pytest.param({"profiles": []}, (400, "bad-request"), id="profiles beside the rules"),
        pytest.param({"who": "eve"}, (400, "bad-request"), id="somebody else"),
        pytest.param({"access": ["x" * 1_000_001]}, (413, "too-large"), id="too much"),
        pytest.param({"access": [{**ALL, "deny": "no"}]}, (422, "not-valid"), id="no truth value"),
        pytest.param({"access": [None]}, (422, "not-valid"), id="no rule"),
        pytest.param(
            {"access": [{**ALL, "kubespawner_override": {"image": "x"}}]},
            (422, "not-valid"),
            id="an override",
        ),
        pytest.param(
            {"access": [{**ALL, "groups": ["\ud800"]}]}, (422, "not-valid"), id="half a letter"
        ),
        pytest.param({"parent": 7}, (409, "conflict"), id="another revision"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", ACCESS), ("POST", PREVIEW)])
async def test_what_is_refused_changes_nothing(
    hub: Hub, method: str, path: str, change: dict[str, Any], refusal: tuple[int, str]
) -> None:
    before = await revision(hub)
    body = {"access": [ALL], "parent": before, "why": "x", **change}
    answer = await asked(hub, method, path, body)
    if path == PREVIEW and (change.get("why") == " " or change == {"parent": None}):
        assert answer.status == 200  # a preview needs neither
        return
    found = json.loads(answer.text)
    assert (answer.status, found["code"]) == refusal
    assert found["status"] == answer.status
    assert await revision(hub) == before
    if found["code"] == "conflict":
        assert found["revision"] == before
        assert "GET what is in force" in found["message"]


@pytest.mark.parametrize("body", [b"\xff\x03f", b"{", b""], ids=["no text", "no JSON", "nothing"])
@pytest.mark.parametrize(("method", "path"), [("PUT", ACCESS), ("POST", PREVIEW)])
async def test_what_cannot_be_read_is_refused(
    hub: Hub, method: str, path: str, body: bytes
) -> None:
    answer = await asked(hub, method, path, body)
    assert (answer.status, json.loads(answer.text)["code"]) == (400, "bad-request")


async def test_each_problem_has_its_place_and_what_was_probably_meant(hub: Hub) -> None:
    rules = [ALL, {"users": ["*"], "profiles": ["gpuu"]}]
    answer = await asked(hub, "POST", PREVIEW, {"access": rules})
    [problem] = json.loads(answer.text)["problems"]
    assert problem["field"] == "access[1].profiles[0]"
    assert "did you mean 'gpu'?" in problem["hint"]


async def test_a_preview_says_by_name_who_gains_and_who_loses_and_saves_nothing(hub: Hub) -> None:
    await hub.visitor("students-1")
    await hub.visitor("gpu-users-1")
    rules = [{"groups": ["students", "hpcc"], "profiles": ["cpu", "gpu"]}]
    answer = await asked(hub, "POST", PREVIEW, {"access": rules}, READER)
    found = json.loads(answer.text)
    gained = {(effect["user"], effect["profile"]) for effect in found["gains"]}
    lost = {(effect["user"], effect["profile"]) for effect in found["losses"]}
    assert gained == {("students-1", "gpu")}
    assert lost == {("gpu-users-1", slug) for slug in ("cpu", "gpu", "huge")}
    assert (found["gained"], found["lost"]) == (1, 3)
    assert found["gains"][0]["after"] == "access rule 1 allows it to group students"
    assert any("no group that is known is called 'hpcc'" in words for words in found["remarks"])
    assert set(await cards(hub, "students-1")) == {"cpu"}


async def test_a_page_of_another_site_can_neither_save_nor_ask(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    body = json.dumps({"access": [ALL], "parent": await revision(hub), "why": "x"})
    headers = {"Content-Type": "application/json", "Referer": "https://elsewhere.example/"}
    for method, path in (("PUT", ACCESS), ("POST", PREVIEW)):
        answer = await admin._send(method, f"hub/api/{path}", data=body, headers=headers)
        assert answer.status == 403
        assert (await audit(hub)).code == "no-xsrf-token"


async def test_another_method_is_said_to_be_none(hub: Hub) -> None:
    for path, allow in ((ACCESS, "GET, PUT, OPTIONS"), (PREVIEW, "POST, OPTIONS")):
        answer = await asked(hub, "DELETE", path)
        assert (answer.status, answer.headers["Allow"]) == (405, allow)
        assert json.loads(answer.text)["code"] == "method-not-allowed"


async def test_while_the_database_is_away_nothing_is_saved_and_the_remedy_is_said(
    hub: Hub,
) -> None:
    body = {"access": [ALL], "parent": await revision(hub), "why": "x"}
    with database_away(hub):
        answer = await asked(hub, "PUT", ACCESS, body)
    found = json.loads(answer.text)
    assert (answer.status, found["code"]) == (503, "database-away")
    assert "Nothing is saved. Send the same once more" in found["message"]
    assert "127.0.0.1" not in answer.text
    assert await revision(hub) == body["parent"]


async def test_who_says_that_they_undo_and_do_not_is_not_believed(hub: Hub) -> None:
    store = in_force_of(hub.app)
    now = await revision(hub)
    first = await store.save(Draft((ALL,), now, ADMIN, "all"))
    claimed = await store.save(Draft((), first.number, ADMIN, "none", restores=first.number))
    assert claimed.restores is None
    assert (await audit(hub)).action == "save"
    undone = await store.save(Draft((ALL,), claimed.number, ADMIN, "all", restores=first.number))
    assert undone.restores == first.number
    assert (await audit(hub)).action == "undo"
