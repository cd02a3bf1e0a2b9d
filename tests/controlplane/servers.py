"""The two API servers that the conformance suite holds to each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import load_kube_config
from tests.controlplane.kube import Api, as_user, connected
from tests.controlplane.plane import ControlPlane

from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

_TINY = """
name: tiny
node_pools:
  - {name: cpu, node_name: "cpu-{index}", count: 1, capacity: {cpu: 1, memory: 1Gi, pods: 3}}
"""


@dataclass(frozen=True)
class Server:
    """An API server, a namespace in it, and three ways to speak to it.

    Attributes:
        api: an administrator's.
        nobody: of a user without any right.
        nobodys_name: what the API server calls that user.
        stranger: with a token that the API server never gave.
        forget_history: makes old versions too old, where that does not come by itself.
    """

    api: Api
    namespace: str
    nobody: Api
    nobodys_name: str
    stranger: Api
    forget_history: Callable[[], Awaitable[None]]

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


async def administrator(kubeconfig: Path) -> Configuration:
    """The configuration that a kubeconfig stands for."""
    configuration = Configuration()
    await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    return configuration


async def make_namespace(api: Api) -> str:
    """A namespace for now, in which pods can be created."""
    metadata = {"generateName": "gpuspawner-test-"}
    made = await api.create_for_now("/api/v1/namespaces", {"metadata": metadata})
    name = str(made["metadata"]["name"])
    # Where no controller makes it; where one does, it may come first.
    account = {"metadata": {"name": "default"}}
    await api.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)
    return name


async def make_account(api: Api, namespace: str, name: str) -> str:
    """A service account without any right; its token."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.create(path, {"metadata": {"name": name}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await api.create(f"{path}/{name}/token", request)
    return str(made["status"]["token"])


@asynccontextmanager
async def real_server(kubeconfig: Path, plane: ControlPlane | None) -> AsyncIterator[Server]:
    """The API server of a kubeconfig; `plane` is what runs it, if that is ours."""

    async def forget_history() -> None:
        if plane is None:
            pytest.skip("what the API server of --kubeconfig has forgotten is not ours to choose")
        await asyncio.to_thread(plane.down)
        await asyncio.to_thread(plane.up)

    configuration = await administrator(kubeconfig)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(connected(configuration))
        stack.push_async_callback(api.forget)
        namespace = await make_namespace(api)
        token = await make_account(api, namespace, "nobody")
        yield Server(
            api,
            namespace,
            await stack.enter_async_context(connected(as_user(configuration, token))),
            f"system:serviceaccount:{namespace}:nobody",
            await stack.enter_async_context(connected(as_user(configuration, "unknown"))),
            forget_history,
        )


@asynccontextmanager
async def simulated_server() -> AsyncIterator[Server]:
    access = AccessRules(
        {"secret": "admin", "token": "nobody"}, [Rule(("*",), ("*",), users=("admin",))]
    )
    cluster = SimCluster(ClusterDescription.parse(_TINY), access=access)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(cluster)
        admin, nobody, stranger = [
            await stack.enter_async_context(
                connected(as_user(Configuration(host=cluster.url), token))
            )
            for token in ("secret", "token", "unknown")
        ]
        namespace = await make_namespace(admin)

        async def forget_history() -> None:
            cluster.store.compact()

        yield Server(admin, namespace, nobody, "nobody", stranger, forget_history)
