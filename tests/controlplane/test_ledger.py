"""What is promised is counted until the real watch shows the pod on a node, or gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kubernetes_asyncio.client import Configuration
from tests.controlplane.kube import Api, Object, until

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.model import read_request
from gpuspawner.capacity.shared import SharedCluster

GPU = "nvidia.com/gpu"
NOBODY = "nobody"
"""A scheduler that is not there: its pods stay without a node."""


class Place:
    """A node with one GPU, and a namespace whose pods go nowhere else."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.node = namespace
        self._api = api
        self._namespace = namespace
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    async def set(self) -> None:
        amounts = {"cpu": "8", "memory": "32Gi", "pods": "20", GPU: "1"}
        node = {
            "metadata": {"name": self.node, "labels": {"pool": self._namespace}},
            "spec": {"taints": [{"key": "for", "value": self._namespace, "effect": "NoSchedule"}]},
            "status": {"capacity": amounts, "allocatable": amounts},
        }
        await self._api.create_for_now("/api/v1/nodes", node)

    def pod(self, name: str, scheduler: str, gpus: int = 1) -> Object:
        container = {"name": "notebook", "image": "example.invalid/image"}
        return {
            "metadata": {"name": name, "labels": {"hub.jupyter.org/username": "jane"}},
            "spec": {
                "containers": [container | {"resources": {"limits": {GPU: str(gpus)}}}],
                "nodeSelector": {"pool": self._namespace},
                "schedulerName": scheduler,
                "tolerations": [{"operator": "Exists"}],
            },
        }

    async def promise(self, cluster: SharedCluster, pod: Object) -> None:
        """Promise a pod the GPU, as a start does that is let in."""
        request = read_request(await self.create(pod, dryRun="All"))
        cluster.assume(as_assumed(request, self.node, frozenset({self.node})))

    async def create(self, pod: Object, **query: str) -> Object:
        return await self._api.create(self._pods, pod, **query)

    async def delete(self, name: str) -> None:
        await self._api.delete(f"{self._pods}/{name}", gracePeriodSeconds="0")

    async def bind(self, name: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
        await self._api.create(f"{self._pods}/{name}/binding", binding | {"target": target})

    def taken(self, cluster: SharedCluster) -> int:
        """GPUs of the node that are counted as taken, promises included."""
        return int(cluster.snapshot().nodes[self.node].requested.get(GPU, 0))


@pytest.fixture
async def place(api: Api, namespace: str) -> Place:
    made = Place(api, namespace)
    await made.set()
    return made


@asynccontextmanager
async def a_hubs_view(configuration: Configuration, namespace: str) -> AsyncIterator[SharedCluster]:
    cluster = SharedCluster(configuration, namespace)
    try:
        assert await cluster.wait_synced(30)
        yield cluster
    finally:
        await cluster.stop()


def names(cluster: SharedCluster) -> list[str]:
    return sorted(one.pod.name for one in cluster.snapshot().assumed)


async def lets_go(cluster: SharedCluster, name: str) -> None:
    async def is_let_go() -> bool:
        return name not in names(cluster)

    await until(is_let_go)


async def test_a_claim_is_let_go_when_its_pod_is_on_a_node_and_not_before(
    place: Place, configuration: Configuration, namespace: str
) -> None:
    async with a_hubs_view(configuration, namespace) as cluster:
        pod = place.pod("server", "default-scheduler")
        await place.promise(cluster, pod)
        await place.create(pod)
        counted = []

        async def is_let_go() -> bool:
            counted.append(place.taken(cluster))
            return not names(cluster)

        await until(is_let_go)
        assert set(counted) == {1}, "the GPU was never shown as free, nor as taken twice"


async def test_a_claim_is_let_go_when_its_pod_vanishes(
    place: Place, configuration: Configuration, namespace: str
) -> None:
    async with a_hubs_view(configuration, namespace) as cluster:
        for name in ("first", "second"):
            await place.promise(cluster, place.pod(name, NOBODY))
        await place.create(place.pod("first", NOBODY))
        await place.delete("first")
        await lets_go(cluster, "first")
        assert names(cluster) == ["second"], "whose pod is still to be created"


async def test_a_hub_that_is_started_counts_the_pods_that_have_no_node_yet(
    place: Place, configuration: Configuration, namespace: str
) -> None:
    for name in ("waiting", "bound", "gated", "over"):
        pod = place.pod(name, NOBODY)
        if name == "gated":
            pod["spec"]["schedulingGates"] = [{"name": "example.com/quota"}]
        await place.create(pod)
    await place.bind("bound")
    async with a_hubs_view(configuration, namespace) as cluster:
        assert names(cluster) == ["over", "waiting"]
        await place.delete("over")
        await lets_go(cluster, "over")
        await place.delete("bound")

        async def is_gone() -> bool:
            return not cluster.snapshot().nodes[place.node].pods

        await until(is_gone)
        assert names(cluster) == ["waiting"]
