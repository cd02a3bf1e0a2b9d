"""A hub that may see its own namespace only, as the chart leaves it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import yaml

from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, NAMESPACE, Hub, cards, configuration, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSING = (
    "unknown: the hub is not allowed to see the cluster "
    "(list nodes, list pods, watch nodes and watch pods)"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def blind_hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    rules = AccessRules(rules=[Rule(namespaces=(NAMESPACE,))])
    cluster = SimCluster(
        ClusterDescription.load(HERE / "cluster.yaml"),
        state_dir=tmp_path_factory.mktemp("blind"),
        access=rules,
    )
    async with cluster, running_hub(cluster, configuration(cluster)) as hub:
        yield hub


async def test_the_form_names_the_missing_permissions_and_shows_nothing_as_free(
    blind_hub: Hub, new_name: Callable[[str], str]
) -> None:
    found = await cards(blind_hub, new_name("gpu-users"))
    assert found == dict.fromkeys(("cpu", "gpu", "huge"), ("unknown", MISSING, True))


async def test_groups_are_enforced_all_the_same(
    blind_hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    answer = await blind_hub.start_server(name, "gpu")
    assert answer.status == 403
    assert blind_hub.pods_of(name) == []


async def test_an_allowed_profile_can_be_tried(
    blind_hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await blind_hub.start_server(name, "gpu")
    assert answer.status < 400, answer.text
    assert len(blind_hub.pods_of(name)) == 1
    await blind_hub.stop_server(name)


async def test_the_page_of_the_cluster_says_what_grants_it(blind_hub: Hub) -> None:
    admin = await blind_hub.visitor(ADMIN)
    page = (await admin.get("hub/gpuspawner/cluster")).text
    found = json.loads((await admin.api("GET", "gpuspawner/cluster")).text)
    assert (found["freshness"]["state"], found["groups"], found["plain"]) == ("denied", None, None)
    role, _ = yaml.safe_load_all(found["manifest"])
    assert role["rules"][0]["resources"] == ["nodes", "pods"]
    assert "not allowed: list" in page
    assert "The nodes are not known." in page
    assert "kind: ClusterRole" in page
