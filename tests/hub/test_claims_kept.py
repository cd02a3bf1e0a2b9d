"""A promise lasts as long as its pod may find a node; here no scheduler takes any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from kubernetes_asyncio.client import ApiClient, CoreV1Api

from gpuspawner.capacity import shared
from gpuspawner.simcluster.apiserver.faults import Refuse
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import NAMESPACE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    config = configuration(cluster)
    config.KubeSpawner.scheduler_name = "nobody"
    config.KubeSpawner.start_timeout = 60
    config.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    async with running_hub(cluster, config) as hub:
        yield hub


def claims() -> int:
    """How many pods count that are on no node yet."""
    [cluster] = shared._shared[asyncio.get_running_loop()].values()
    return len(cluster.snapshot().assumed)


async def begin(hub: Hub, name: str) -> None:
    answer = await hub.start_server(name, "gpu")
    assert answer.status == 202, answer.text
    await hub.cluster.wait_until(lambda: hub.pods_of(name), 20)


async def end(hub: Hub, name: str) -> None:
    spawner = hub.app.users[name].spawners[""]
    await hub.cluster.wait_until(lambda: not spawner.pending, 20)
    if hub.pods_of(name):
        await hub.stop_server(name)


async def test_a_stop_that_fails_lets_nothing_go(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    await begin(hub, name)
    spawner = hub.app.users[name].spawners[""]
    await hub.cluster.wait_until(lambda: spawner.pod_reflector.pods, 20)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/*"
    kept = hub.cluster.faults.add(Refuse(403, "Forbidden"), verb="delete", path=path, times=None)
    await hub.visitors[name].api("DELETE", f"users/{name}/server")
    await hub.cluster.wait_until(lambda: not spawner.pending, 20)
    assert len(hub.pods_of(name)) == claims() == 1
    hub.cluster.faults.remove(kept)
    # The watch tells of its end: nobody else does.
    [pod] = hub.pods_of(name)
    async with ApiClient() as client:
        await CoreV1Api(client).delete_namespaced_pod(pod["metadata"]["name"], NAMESPACE)
    await hub.cluster.wait_until(lambda: claims() == 0, 20)


async def test_a_pod_that_is_made_again_is_counted_again(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first create is carried out and not answered; KubeSpawner deletes and tries again."""
    name, create, creates = new_name("gpu-users"), CoreV1Api.create_namespaced_pod, []

    async def unanswered(self: CoreV1Api, *args: Any, **kwargs: Any) -> Any:
        answer = await create(self, *args, **kwargs)
        creates.append(answer.metadata.uid)
        if len(creates) == 1:
            raise TimeoutError
        return answer

    monkeypatch.setattr(CoreV1Api, "create_namespaced_pod", unanswered)
    await hub.visitor(name)
    await begin(hub, name)
    await hub.cluster.wait_until(
        lambda: [pod["metadata"]["uid"] for pod in hub.pods_of(name)] == creates[1:2], 30
    )
    await hub.cluster.wait_until(lambda: claims() == 1, 20)
    await hub.visitors[name].api("DELETE", f"users/{name}/server")
    await end(hub, name)
    await hub.cluster.wait_until(lambda: claims() == 0, 20)
