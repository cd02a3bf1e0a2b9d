"""Pools that grow when pods find no room, and shrink when their nodes have nothing to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from gpuspawner.capacity.model.autoscaler import read_autoscaler_status
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import CONFIGMAPS, EVENTS, NODES, PODS
from gpuspawner.simcluster.autoscaler import STATUS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription
from gpuspawner.simcluster.manifests import simulated_pod

CLUSTER = """
name: growing
scheduler_backoff_seconds: [0.01, 0.05]
node_pools:
  - name: workers
    node_name: worker
    count: 1
    capacity: {cpu: 4, memory: 8Gi, pods: 110}
  - name: gpu
    node_name: gpu-{index}
    first_index: 0
    count: 0
    labels: {agentpool: gpu}
    capacity: {cpu: 8, memory: 8Gi, pods: 110, nvidia.com/gpu: 2}
    autoscaling: {group: gpu-vmss, max: 2, ready_after_seconds: 0.2, idle_seconds: 0.2}
system_pods:
  - name: device-plugin
    image: plugin
    requests: {cpu: 1}
    node_pools: [gpu]
"""

Start = Callable[[str, str], None]


@pytest.fixture
async def cluster() -> AsyncIterator[SimCluster]:
    async with SimCluster(ClusterDescription.parse(CLUSTER)) as cluster:
        yield cluster


@pytest.fixture
def start(cluster: SimCluster) -> Start:
    def create(name: str, gpus: str) -> None:
        pod = simulated_pod(name, "image", {"cpu": "1", "nvidia.com/gpu": gpus})
        cluster.store.create(PODS, "default", pod)

    return create


def nodes(cluster: SimCluster) -> list[str]:
    return [node["metadata"]["name"] for node in cluster.store.list(NODES)[0]]


def places(cluster: SimCluster) -> dict[str, str | None]:
    pods, _ = cluster.store.list(PODS, "default")
    return {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in pods}


def calls(cluster: SimCluster) -> list[str]:
    events, _ = cluster.store.list(EVENTS, "default")
    return [event["message"] for event in events if event["reason"] == "TriggeredScaleUp"]


def status(cluster: SimCluster) -> Object:
    return cluster.store.get(CONFIGMAPS, *STATUS)


async def test_one_node_comes_for_pods_that_fit_it_together_and_a_second_for_the_next(
    cluster: SimCluster, start: Start
) -> None:
    start("one", "1")
    start("two", "1")
    await cluster.wait_until(lambda: all(places(cluster).values()))
    assert places(cluster) == {"one": "gpu-0", "two": "gpu-0"}
    assert calls(cluster) == ["pod triggered scale-up: [{gpu-vmss 0->1 (max: 2)}]"]
    daemons, _ = cluster.store.list(PODS, "kube-system")
    assert [pod["spec"]["nodeName"] for pod in daemons] == ["gpu-0"]
    start("three", "2")
    await cluster.wait_until(lambda: all(places(cluster).values()))
    assert places(cluster)["three"] == "gpu-1"
    assert len(calls(cluster)) == 2


async def test_no_node_comes_for_a_pod_that_none_would_take_nor_beyond_the_most(
    cluster: SimCluster, start: Start
) -> None:
    start("too-large", "3")
    for name in ("one", "two"):
        start(name, "2")
    await cluster.wait_until(
        lambda: len([place for place in places(cluster).values() if place]) == 2
    )
    start("late", "2")
    await cluster.wait_until(lambda: len(unscheduled(cluster)) == 2)
    assert unscheduled(cluster) == {"too-large", "late"}
    assert nodes(cluster) == ["gpu-0", "gpu-1", "worker"]
    assert len(calls(cluster)) == 2


def unscheduled(cluster: SimCluster) -> set[str]:
    pods, _ = cluster.store.list(PODS, "default")
    return {
        pod["metadata"]["name"]
        for pod in pods
        if any(
            each.get("reason") == "Unschedulable" for each in pod["status"].get("conditions", ())
        )
    }


async def test_a_node_with_nothing_to_do_goes_with_its_daemons(
    cluster: SimCluster, start: Start
) -> None:
    start("one", "1")
    await cluster.wait_until(lambda: places(cluster)["one"])
    cluster.store.delete(PODS, "default", "one", grace_seconds=0)
    await cluster.wait_until(lambda: nodes(cluster) == ["worker"])
    assert cluster.store.list(PODS, "kube-system")[0] == []
    start("again", "1")
    await cluster.wait_until(lambda: places(cluster)["again"] == "gpu-0")


async def test_its_status_is_what_the_product_reads(cluster: SimCluster) -> None:
    def is_there() -> bool:
        return cluster.store.contains(CONFIGMAPS, *STATUS)

    await cluster.wait_until(is_there)
    group = read_autoscaler_status(status(cluster)).groups["gpu-vmss"]
    assert (group.max_size, group.is_healthy, group.is_backing_off) == (2, True, False)
