"""A real hub whose servers' pods go to the API server of a kubeconfig."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import kube_config
from kubespawner.clients import load_config
from tests.controlplane.kube import Api, Object
from tests.hub.conftest import Answer, Hub, configuration, running_hub

from gpuspawner.capacity import shared
from gpuspawner.capacity.assumed import Assumed
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.starting.telling import TellingKubeSpawner

Key: TypeAlias = tuple[str, str]
"""A person and a server."""


@dataclass(frozen=True)
class _Elsewhere:
    """What a hub of `tests.hub` needs of its cluster if that is not simcluster."""

    url: str


@dataclass(frozen=True)
class Start:
    """A server that somebody asked for."""

    hub: Hub
    person: str
    server: str
    answer: asyncio.Task[Answer]

    @property
    def spawner(self) -> TellingKubeSpawner:
        spawner = self.hub.app.users[self.person].spawners[self.server]
        assert isinstance(spawner, TellingKubeSpawner)
        return spawner

    @property
    def key(self) -> Key:
        return self.person, self.server

    async def cancel(self) -> None:
        """As the page of a start under way does it; returns once the hub has cleaned up."""
        visitor = await self.hub.visitor(self.person)
        path = f"hub/gpuspawner/cancel/{self.person}/{self.server}"
        await visitor.post_form(path, {"then": "home"})
        assert "[cancelled]" in (await self.answer).text


@dataclass(frozen=True)
class RealHub:
    """A hub, and an administrator's view of the namespace of its pods."""

    hub: Hub
    api: Api
    namespace: str

    async def start(self, person: str, server: str, profile: str) -> Start:
        """Ask for a server; the answer is there when it is refused, or the start has ended."""
        visitor = await self.hub.visitor(person)
        path = f"users/{person}/servers/{server}"
        asking = visitor.api("POST", path, {"profile": profile})
        return Start(self.hub, person, server, asyncio.create_task(asking))

    async def pods(self) -> dict[Key, Object]:
        """The pods in the API server, by whose servers they are."""
        listed = await self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")
        return {_key(pod["metadata"]["annotations"]): pod for pod in listed["items"]}

    def assumed(self) -> list[Assumed]:
        """The pods that the hub counts though they are on no node yet."""
        [cluster] = shared._shared[asyncio.get_running_loop()].values()
        return list(cluster.snapshot().assumed)


def _key(annotations: Mapping[str, str]) -> Key:
    of = "hub.jupyter.org/{}".format
    return annotations[of("username")], annotations.get(of("servername"), "")


@contextmanager
def credentials_of(kubeconfig: Path) -> Iterator[None]:
    """KubeSpawner reads this kubeconfig, instead of the one that all tests have."""
    location = kube_config.KUBE_CONFIG_DEFAULT_LOCATION
    default = Configuration.get_default_copy()
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = str(kubeconfig)
    load_config.cache_clear()
    try:
        yield
    finally:
        kube_config.KUBE_CONFIG_DEFAULT_LOCATION = location
        Configuration.set_default(default)
        load_config.cache_clear()


@asynccontextmanager
async def real_hub(
    api: Api, kubeconfig: Path, namespace: str, catalog: Path
) -> AsyncIterator[RealHub]:
    """A hub that starts what `catalog` offers in a namespace of a real cluster.

    Nothing runs there: no pod comes further than to a node, and a start waits until it is ended.
    """
    elsewhere = cast(SimCluster, _Elsewhere(url=""))
    c = configuration(elsewhere, catalog)
    c.KubeSpawner.namespace = namespace
    c.KubeSpawner.start_timeout = 300
    # Without a kubelet, nobody else would take away a pod on a node.
    c.KubeSpawner.delete_grace_period = 0
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 300}
    with credentials_of(kubeconfig):
        async with running_hub(elsewhere, c) as hub:
            # Past the proxy: the one that is written in Python gives up on an answer after a while.
            hub.base = str(hub.app.hub.url).removesuffix("hub/")
            yield RealHub(hub, api, namespace)
