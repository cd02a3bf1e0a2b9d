"""How long nodes and images take is measured at each start, and said at the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apimachinery.objects import Object, timestamp
from gpuspawner.simcluster.apimachinery.resources import EVENTS, NODES
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, NAMESPACE, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = "v100-1"
POOL = """
  - name: v100
    node_name: v100-{index}
    count: 1
    labels: {pool: v100}
    capacity: {cpu: 32, memory: 64Gi, pods: 110, example.com/v100: 1}
image_pull_seconds: 1.5
"""
V100 = """accelerators:
  v100:
    title: V100
    resource: example.com/v100
    node_selector: {pool: v100}
"""
PROFILES = """
  - slug: v100
    title: A V100
    accelerator: v100
  - slug: grown
    title: A V100 with an image of its own
    accelerator: v100
    kubespawner_override: {image: "example/own:1"}
node_pools:
  v100:
    title: the V100 pool
    labels: {pool: v100}
    allocatable: {cpu: 32, memory: 64Gi, example.com/v100: 1}
access:
  - groups: [gpu-users]
    profiles: [v100, grown]
"""
CAN_START = "can start a node, {}: none has room now, but the V100 pool can grow"
STARTING = "A node is being started for it, for 10 min so far"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    text = (HERE / "cluster.yaml").read_text() + POOL.lstrip("\n")
    description = ClusterDescription.parse(text)
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def catalog_in(directory: Path) -> Path:
    """The catalog of the tests, with a pool that can grow."""
    text = (HERE / "catalog.yaml").read_text()
    text = text.replace("accelerators:\n", V100, 1)
    catalog = directory / "catalog.yaml"
    catalog.write_text(text.replace("access:\n", PROFILES.lstrip("\n"), 1))
    return catalog


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    c = configuration(cluster, catalog_in(tmp_path_factory.mktemp("catalog")))
    c.KubeSpawner.start_timeout = 60
    c.KubeSpawner.http_timeout = 60
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    async with running_hub(cluster, c) as hub:
        yield hub


def take_away(cluster: SimCluster) -> Object:
    """The node of the pool, which is gone afterwards."""
    node = cluster.store.get(NODES, None, NODE)
    cluster.store.delete(NODES, None, NODE)
    return {**node, "metadata": {name: node["metadata"][name] for name in ("name", "labels")}}


def call_for_a_node(cluster: SimCluster, pod: Object) -> None:
    """Say, as cluster-autoscaler does, that a node was called for, ten minutes ago."""
    called = timestamp(datetime.now(UTC) - timedelta(minutes=10))
    metadata = pod["metadata"]
    event: dict[str, Any] = {
        "metadata": {"name": f"{metadata['name']}.{metadata['uid']}", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Pod", **{key: metadata[key] for key in ("name", "uid")}},
        "reason": "TriggeredScaleUp",
        "message": "pod triggered scale-up: [{v100-group 0->1 (max: 1)}]",
        "type": "Normal",
        "source": {"component": "cluster-autoscaler"},
        "firstTimestamp": called,
        "lastTimestamp": called,
    }
    event["involvedObject"]["namespace"] = NAMESPACE
    cluster.store.create(EVENTS, NAMESPACE, event)


async def until_said(hub: Hub, name: str, words: str) -> None:
    spawner = hub.app.users[name].spawner
    said: set[str] = set()

    def is_said() -> bool:
        said.add(spawner.stage.sentence)
        return words in said

    try:
        await hub.cluster.wait_until(is_said, 30)
    except TimeoutError:
        pytest.fail(f"{words!r} is not among {said}")


async def until_card(hub: Hub, name: str, slug: str, words: str) -> None:
    async def is_shown() -> bool:
        return (await cards(hub, name))[slug][1] == words

    await hub.cluster.wait_until(is_shown, 30)


async def until_ready(hub: Hub, name: str) -> None:
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)


async def test_what_an_image_took_is_said_when_another_node_pulls_it(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("gpu-users"), new_name("gpu-users")
    await hub.start_server(first, "cpu")
    await until_said(hub, first, "The image is being pulled.")
    await until_ready(hub, first)
    await hub.start_server(second, "v100")
    await until_said(
        hub, second, "The image is being pulled; last time it took less than a minute."
    )
    await until_ready(hub, second)
    await hub.stop_server(first)
    await hub.stop_server(second)


async def test_what_a_node_took_is_said_on_the_form_and_at_the_next_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("gpu-users"), new_name("gpu-users")
    node = take_away(hub.cluster)
    await until_card(hub, first, "grown", CAN_START.format("in some minutes"))
    await hub.start_server(first, "grown")
    (pod,) = await hub.cluster.wait_until(lambda: hub.pods_of(first), 30)
    call_for_a_node(hub.cluster, pod)
    await until_said(hub, first, f"{STARTING}.")
    assert hub.app.users[first].spawner.pool_to_grow == "the V100 pool"
    made = pod["metadata"]["creationTimestamp"]
    await hub.cluster.wait_until(lambda: timestamp(datetime.now(UTC)) > made, 5)
    hub.cluster.store.create(NODES, None, node)
    await until_ready(hub, first)
    await hub.stop_server(first)

    take_away(hub.cluster)
    await until_card(hub, second, "v100", CAN_START.format("last time it took 10 min"))
    await hub.start_server(second, "v100")
    (pod,) = await hub.cluster.wait_until(lambda: hub.pods_of(second), 30)
    call_for_a_node(hub.cluster, pod)
    await until_said(hub, second, f"{STARTING}; last time it took 10 min.")
    hub.cluster.store.create(NODES, None, node)
    await until_ready(hub, second)
    await hub.stop_server(second)
