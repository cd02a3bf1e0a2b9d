"""The cluster's page and its twin on a real hub: rights, who has what, and what is not known."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from jsonschema import Draft202012Validator
from tests.e2e.spawn_page import silent

from gpuspawner.capacity.shared import clusters_of_this_hub
from gpuspawner.hub.admin.rights import CLUSTER, READ
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, Hub, Visitor, configuration, running_hub
from .doors import ADMIN
from .states import CATALOG, DESCRIPTION, OURS, arrange

pytestmark = pytest.mark.asyncio(loop_scope="module")

READER, OF_ACCESS = "readers-1", "readers-2"
DOCUMENT = yaml.safe_load((HERE.parents[1] / "docs" / "openapi.yaml").read_text())
DESCRIBED = {"$ref": "#/components/schemas/Cluster", "components": DOCUMENT["components"]}
PAGE, API = "hub/gpuspawner/cluster", "gpuspawner/cluster"


def configured(cluster: SimCluster) -> Any:
    config = configuration(cluster, CATALOG)
    for name, scope, user in (("a", CLUSTER, READER), ("b", READ, OF_ACCESS)):
        role = {"name": f"readers-{name}", "scopes": [scope], "users": [user]}
        config.JupyterHub.load_roles.append(role)
    return config


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    async with SimCluster(DESCRIPTION, state_dir=tmp_path_factory.mktemp("states")) as cluster:
        arrange(cluster)
        async with running_hub(cluster, configured(cluster)) as hub:
            for name, profile in OURS.items():
                answer = await hub.start_server(name, profile)
                assert answer.status in (201, 202), answer.text
            yield hub
            for name in OURS:
                await hub.stop_server(name)


async def cluster_of(hub: Hub, name: str = ADMIN) -> dict[str, Any]:
    answer = await (await hub.visitor(name)).api("GET", API)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    Draft202012Validator(DESCRIBED).validate(found)
    return found


def units(found: dict[str, Any], node: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in found["groups"]:
        for one in group["nodes"]:
            for devices in one["devices"] if one["name"] == node else ():
                for run in devices["units"]:
                    counts[run["state"]] = counts.get(run["state"], 0) + run["count"]
    return counts


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param(ADMIN, 200, id="an admin"),
        pytest.param(READER, 200, id="who has the scope"),
        pytest.param(OF_ACCESS, 403, id="not who may see the access"),
        pytest.param("anna-1", 403, id="not who has a server"),
    ],
)
async def test_who_may_see_it(hub: Hub, name: str, status: int) -> None:
    visitor = await hub.visitor(name)
    page, api = await visitor.get(PAGE), await visitor.api("GET", API)
    assert (page.status, api.status) == (status, status)
    if status == 403:
        assert json.loads(api.text)["code"] == "forbidden"
        for secret in ("a100-1", "bert-2", "theirs"):
            assert secret not in page.text + api.text
    home = (await visitor.get("hub/home")).text
    assert ("gpuspawner/cluster" in home) is (status == 200)


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        pytest.param(["list:users", READ], 403, id="one for something else"),
        pytest.param([CLUSTER], 200, id="one for this"),
    ],
)
async def test_a_token_may_no_more_than_it_says(hub: Hub, scopes: list[str], status: int) -> None:
    await (await hub.visitor(ADMIN)).get(PAGE)
    token = hub.app.users[ADMIN].new_api_token(scopes=scopes)
    async with aiohttp.ClientSession(headers={"Authorization": f"token {token}"}) as session:
        program = Visitor("a program", session, hub.base)
        assert (await program._send("GET", f"hub/api/{API}")).status == status


async def test_each_node_is_as_it_stands(hub: Hub) -> None:
    found = await cluster_of(hub)
    assert units(found, "dgx-1") == {"others": 5, "free": 11}
    assert units(found, "a100-2") == {"others": 3, "closed": 5}
    assert units(found, "a100-3")["unhealthy"] == 2
    assert units(found, "a100-4") == {"others": 8}
    assert set(units(found, "mig-2")) == {"reconfiguring"}
    assert units(found, "bare-1") == {}
    assert found["plain"]["nodes"] == 3
    # Pods in the hub's own namespace that are none of its servers are others'.
    assert sum(units(found, f"a100-{number}").get("ours", 0) for number in (1, 3)) == 3


async def test_who_has_what_since_when(hub: Hub) -> None:
    found = await cluster_of(hub)
    held = {
        one["user"]: (one["profile"], [(h["resource"], h["count"]) for h in one["held"]])
        for one in found["holdings"]
    }
    assert held == {
        "anna-1": ("a100", [("nvidia.com/gpu", 1)]),
        "bert-2": ("a100-pair", [("nvidia.com/gpu", 2)]),
        "cleo-3": ("slice", [("nvidia.com/mig-1g.10gb", 1)]),
        "emil-5": ("t4", [("nvidia.com/gpu.shared", 1)]),
    }
    assert all(one["since"] and one["node"] for one in found["holdings"])
    assert found["without_devices"] == 1
    page = await (await hub.visitor(ADMIN)).get(f"{PAGE}?name=BERT")
    table = page.text.partition('id="holdings"')[2]
    assert "bert-2" in table
    assert "anna-1" not in table
    # Others have no names.
    assert "theirs-" not in page.text + json.dumps(found)


async def test_a_group_alone_and_what_is_no_group(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await admin.get(f"{PAGE}?group=NVIDIA-A100-SXM4-80GB&page=x")
    assert "a100-10" in page.text
    assert "dgx-1" not in page.text
    evil = await admin.get(f"{PAGE}?group=%22%3E%3Cscript%3Ealert(1)&name=%22%3E%3Cscript%3Ealert")
    assert "<script>alert" not in evil.text
    assert evil.status == 200


async def test_it_speaks_german_and_keeps_the_policy(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    answer = await admin._send("GET", PAGE, headers={"Accept-Language": "de"})
    assert "Wer was belegt" in answer.text
    body = answer.text.partition('id="gpuspawner-cluster"')[2].partition("</main>")[0]
    assert " style=" not in body
    assert "<script" not in body
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_cluster_that_does_not_answer_is_unknown(hub: Hub) -> None:
    with silent(hub):
        found = await cluster_of(hub)
        page = (await (await hub.visitor(ADMIN)).get(PAGE)).text
    assert found["freshness"]["state"] == "stale"
    for node in ("dgx-1", "a100-2", "a100-4", "mig-2"):
        assert set(units(found, node)) == {"unknown"}
    assert all(one["held"] is None and one["node"] is None for one in found["holdings"])
    assert "gpuspawner-u-free" not in page
    assert "does not answer" in page


async def test_interruptions_are_those_of_the_watch(hub: Hub) -> None:
    found = await cluster_of(hub)
    (cluster,) = clusters_of_this_hub()
    told = {kind["resource"]: (kind["restarts"], kind["failures"]) for kind in found["kinds"]}
    for name in ("nodes", "pods"):
        health = cluster.watch.health_of(name)
        assert health.lists > 0
        assert told[name] == (health.lists - 1, health.failures)
