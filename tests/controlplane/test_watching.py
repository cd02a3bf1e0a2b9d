"""The product's watch against the real API server."""

from __future__ import annotations

import asyncio

import pytest
from kubernetes_asyncio.client import Configuration
from tests.controlplane.kube import Api, Object, until
from tests.controlplane.plane import ControlPlane
from tests.controlplane.watching import listed, watching

from gpuspawner.capacity.watching import ClusterWatch

GPU = "nvidia.com/gpu"
NODES = 7


class Load:
    """Nodes and bound pods of a namespace's own."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def node(self, number: int) -> str:
        return f"{self._namespace}-{number}"

    async def set(self) -> None:
        """More nodes and pods than fit on a page; one pod has ended."""
        for number in range(NODES):
            await self.add_node(number)
            await self.add_pod(f"p{number}", number)
            await self.add_pod(f"q{number}", number)
        await self._api.patch(f"{self._pods}/p0/status", {"status": {"phase": "Succeeded"}})

    async def add_node(self, number: int) -> None:
        name = self.node(number)
        amounts = {"cpu": "8", "memory": "32Gi", "pods": "20", GPU: "4"}
        taint = {"key": "for", "value": self._namespace, "effect": "NoSchedule"}
        node = {
            "metadata": {"name": name},
            "spec": {"taints": [taint]},
            "status": {"capacity": amounts, "allocatable": amounts},
        }
        await self._api.create_for_now("/api/v1/nodes", node)

    async def add_pod(self, name: str, number: int) -> None:
        resources = {"limits": {GPU: "1", "cpu": "250m"}}
        container = {"name": "main", "image": "example.invalid/image", "resources": resources}
        spec = {
            "nodeName": self.node(number),
            "containers": [container],
            "tolerations": [{"operator": "Exists"}],
        }
        pod: Object = {"metadata": {"name": name}, "spec": spec}
        await self._api.create(self._pods, pod)

    async def drop_pod(self, name: str) -> None:
        await self._api.delete(f"{self._pods}/{name}", gracePeriodSeconds="0")

    async def end_pod(self, name: str) -> None:
        await self._api.patch(f"{self._pods}/{name}/status", {"status": {"phase": "Failed"}})

    def gpus(self, watch: ClusterWatch) -> list[int]:
        """How many GPUs are taken, by node."""
        nodes = watch.snapshot().nodes
        names = [self.node(number) for number in range(NODES)]
        return [nodes[name].requested.get(GPU, 0) for name in names if name in nodes]


@pytest.fixture
async def load(api: Api, namespace: str) -> Load:
    made = Load(api, namespace)
    await made.set()
    return made


async def becomes(watch: ClusterWatch, load: Load, gpus: list[int]) -> None:
    async def is_so() -> bool:
        return load.gpus(watch) == gpus

    await until(is_so)


@pytest.mark.parametrize(
    "streams",
    [
        pytest.param(True, id="with streaming lists"),
        pytest.param(False, id="with lists in pages"),
    ],
)
async def test_what_is_listed_and_what_changes_is_the_same_as_a_fresh_list(
    load: Load, configuration: Configuration, *, streams: bool
) -> None:
    async with watching(configuration, streams=streams) as watch:
        assert await watch.wait_synced(30)
        assert load.gpus(watch) == [1, 2, 2, 2, 2, 2, 2]
        await load.add_pod("new", 1)
        await load.drop_pod("p2")
        await load.end_pod("p3")
        await becomes(watch, load, [1, 3, 1, 1, 2, 2, 2])
        assert watch.freshness().malformed == 0
        assert dict(watch.snapshot().nodes) == dict(await listed(configuration))


async def test_it_survives_a_restart_of_the_api_server(
    own_plane: ControlPlane, load: Load, configuration: Configuration
) -> None:
    async with watching(configuration) as watch:
        assert await watch.wait_synced(30)
        await asyncio.to_thread(own_plane.down)

        async def is_stale() -> bool:
            return watch.freshness().state == "stale"

        async def is_live() -> bool:
            return watch.freshness().is_live

        await until(is_stale)
        assert (watch.freshness().age or 0) > 4
        assert load.gpus(watch) == [1, 2, 2, 2, 2, 2, 2], "what was known stays, as old"
        assert watch.freshness().last_error
        await asyncio.to_thread(own_plane.up)
        await load.add_pod("new", 1)
        await load.drop_pod("p2")
        await becomes(watch, load, [1, 3, 1, 2, 2, 2, 2])
        await until(is_live)
        assert dict(watch.snapshot().nodes) == dict(await listed(configuration))
