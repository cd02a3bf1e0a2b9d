"""The only node that a pool can get, asked for by many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apimachinery.resources import NODES
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, Hub, cards, configuration, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = "v100-1"
POOL = """
  - name: v100
    node_name: v100-{index}
    count: 1
    labels: {pool: v100}
    capacity: {cpu: 8, memory: 64Gi, pods: 110, example.com/v100: 2}
"""
ACCELERATOR = """accelerators:
  v100:
    title: V100
    resource: example.com/v100
    node_selector: {pool: v100}
"""
PROFILES = """  - slug: v100
    title: A V100
    accelerator: v100
  - slug: both
    title: Two V100
    accelerator: v100
    count: 2
node_pools:
  v100:
    title: the V100 pool
    labels: {pool: v100}
    allocatable: {cpu: 6, memory: 60Gi, example.com/v100: 2}
    most_nodes: 1
access:
  - groups: [gpu-users]
    profiles: [v100, both]
"""
PROMISED = "the nodes it may still get are for servers that are being started"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "cluster.yaml").write_text((HERE / "cluster.yaml").read_text() + POOL.lstrip("\n"))
    description = ClusterDescription.load(folder / "cluster.yaml")
    async with SimCluster(description, state_dir=folder) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    text = text.replace("accelerators:\n", ACCELERATOR, 1).replace("access:\n", PROFILES, 1)
    catalog.write_text(text)
    c = configuration(cluster, catalog)
    c.KubeSpawner.start_timeout = 60
    async with running_hub(cluster, c) as hub:
        yield hub


@contextmanager
def without_the_node(hub: Hub) -> Iterator[Callable[[], None]]:
    """As if the pool had no node; gives what an autoscaler does once somebody waits for one."""
    node = hub.cluster.store.get(NODES, None, NODE)
    hub.cluster.store.delete(NODES, None, NODE)
    kept = {"metadata": {"name": NODE, "labels": node["metadata"]["labels"]}}
    is_there = False

    def come() -> None:
        nonlocal is_there
        is_there = True
        hub.cluster.store.create(NODES, None, {**kept, "status": node["status"]})

    try:
        yield come
    finally:
        if not is_there:
            come()


async def test_of_five_for_a_node_that_takes_two_servers_two_wait_and_three_are_told(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names, onlooker = [new_name("gpu-users") for _ in range(5)], new_name("gpu-users")
    for name in names:
        await hub.visitor(name)

    async def can_start_a_node() -> bool:
        return (await cards(hub, onlooker))["v100"][0] == "can-start-node"

    with without_the_node(hub) as come:
        await hub.cluster.wait_until(can_start_a_node, 20)
        starts = {name: asyncio.create_task(hub.start_server(name, "v100")) for name in names}
        await hub.cluster.wait_until(
            lambda: sum(start.done() for start in starts.values()) == 3, 20
        )
        refused = [await start for start in starts.values() if start.done()]
        assert [answer.status for answer in refused] == [503] * 3
        assert all(f"the V100 pool cannot grow: {PROMISED}" in answer.text for answer in refused)
        waiting = [name for name, start in starts.items() if not start.done()]
        await hub.cluster.wait_until(lambda: all(map(hub.pods_of, waiting)), 20)
        assert [len(hub.pods_of(name)) for name in names] == [name in waiting for name in names]
        told = json.loads((await (await hub.visitor(ADMIN)).api("GET", "gpuspawner/cluster")).text)
        assert [pool["awaited_by"] for pool in told["pools"]] == [2]
        standing, words, can_choose = (await cards(hub, onlooker))["both"]
        assert (standing, can_choose) == ("busy", False)
        assert words.endswith(f"the V100 pool cannot grow: {PROMISED}")
        come()
        answers = [await starts[name] for name in waiting]
        told = json.loads((await hub.visitors[ADMIN].api("GET", "gpuspawner/cluster")).text)
        assert [pool["awaited_by"] for pool in told["pools"]] == [0]
    assert [answer.status < 400 for answer in answers] == [True, True]
    assert hub.failures == 0
    for name in waiting:
        await hub.stop_server(name)


async def test_who_cancels_gives_the_node_to_the_next(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("gpu-users"), new_name("gpu-users")
    for name in (first, second):
        await hub.visitor(name)

    async def stands_as(standing: str) -> bool:
        return (await cards(hub, second))["both"][0] == standing

    with without_the_node(hub) as come:
        await hub.cluster.wait_until(lambda: stands_as("can-start-node"), 20)
        start = asyncio.create_task(hub.start_server(first, "both"))
        await hub.cluster.wait_until(lambda: stands_as("busy"), 20)
        await hub.cluster.wait_until(lambda: hub.pods_of(first), 20)
        answer = await hub.visitors[first].api("DELETE", f"users/{first}/server")
        assert answer.status < 400, answer.text
        await start
        await hub.cluster.wait_until(lambda: stands_as("can-start-node"), 30)
        start = asyncio.create_task(hub.start_server(second, "both"))
        await hub.cluster.wait_until(lambda: hub.pods_of(second), 20)
        come()
        assert (await start).status < 400
    await hub.stop_server(second)
