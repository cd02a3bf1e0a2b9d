"""What decides besides nodes and pods: a quota that is used up, and a pool that can grow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apimachinery.resources import RESOURCEQUOTAS
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, NAMESPACE, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

POOL = """
  - slug: v100
    title: A V100
    accelerator: v100
node_pools:
  v100:
    title: the V100 pool
    labels: {pool: v100}
    allocatable: {cpu: 6, memory: 100Gi, example.com/v100: 1}
access:
  - groups: [gpu-users]
    profiles: [v100]
"""
V100 = """accelerators:
  v100:
    title: V100
    resource: example.com/v100
    node_selector: {pool: v100}
"""
IN_PART = "1 of 2 free, on 1 node; a quota leaves no more"
USED_UP = (
    "busy: the quota 'gpus' allows 1 GPU in this namespace, 1 is used; "
    "it frees up as servers in this namespace end"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    text = text.replace("accelerators:\n", V100, 1).replace("access:\n", POOL.lstrip("\n"), 1)
    catalog.write_text(text)
    c = configuration(cluster, catalog)
    c.KubeSpawner.start_timeout = 4
    async with running_hub(cluster, c) as hub:
        yield hub


async def test_a_quota_that_is_used_up_is_busy_with_its_words_until_it_is_free_again(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("gpu-users"), new_name("gpu-users")
    quota = {"metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}}
    hub.cluster.store.create(RESOURCEQUOTAS, NAMESPACE, quota)
    assert (await hub.start_server(first, "gpu")).status < 400

    async def is_used_up() -> bool:
        return (await cards(hub, second))["gpu"] == ("busy", USED_UP, False)

    await hub.cluster.wait_until(is_used_up, 20)
    assert (await cards(hub, second))["cpu"][0] == "free"
    refused = await hub.start_server(second, "gpu")
    assert refused.status == 503
    assert "the quota 'gpus' allows 1" in refused.text
    assert hub.pods_of(second) == []
    assert hub.failures == 0
    await hub.stop_server(first)

    async def is_free() -> bool:
        return (await cards(hub, second))["gpu"] == ("free", IN_PART, True)

    await hub.cluster.wait_until(is_free, 20)
    hub.cluster.store.delete(RESOURCEQUOTAS, NAMESPACE, "gpus")


async def test_a_pool_without_nodes_is_not_hidden_and_a_start_in_it_is_let_through(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    standing, words, can_choose = (await cards(hub, name))["v100"]
    assert (standing, can_choose) == ("can-start-node", True)
    assert words == (
        "can start a node, in some minutes: none has room now, but the V100 pool can grow"
    )
    answer = await hub.start_server(name, "v100")
    # Nothing grows here, so the pod was made, waited, and was told why it found no node.
    assert answer.status == 503, answer.text
    assert "No place was found for the server" in answer.text
    assert "didn't match Pod's node affinity/selector" in answer.text
    assert hub.failures == 0
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 30)
