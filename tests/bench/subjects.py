"""Who is measured: the product's watch, and lists for each form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from kubernetes_asyncio import client

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.capacity.transport import KubernetesTransport
from gpuspawner.capacity.watching import ClusterWatch
from gpuspawner.fit import StandingVerdicts, judge

from .parts import GPU, HUB_NAMESPACE, PROBE_LABEL, PRODUCTS, node_name

_PATIENCE = 600.0
PROBED_NODE = node_name(0)
EVERYWHERE: Mapping[str, str] = MappingProxyType({})
PROBE = f"{HUB_NAMESPACE}/probe"


def request(
    cpu: str, gpus: int = 0, selector: Mapping[str, str] = EVERYWHERE, memory: str = "4Gi"
) -> PodRequest:
    """A pod that asks for so much, on nodes with these labels."""
    resources = {"cpu": cpu, "memory": memory, **({GPU: str(gpus)} if gpus else {})}
    return read_request(
        {
            "metadata": {"name": "new", "namespace": HUB_NAMESPACE},
            "spec": {
                "containers": [{"name": "notebook", "resources": {"requests": resources}}],
                "nodeSelector": dict(selector),
                "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
            },
        }
    )


PROFILES = (
    request("1"),
    request("8"),
    *(request("4", 1, {"gpu-model": short}) for _, short in PRODUCTS),
    request("8", 2, {"gpu-model": "a100"}),
    request("8", 16, {"gpu-model": "a100"}),
)
"""Seven pods that a form offers: two without GPUs, one that never fits."""

PROBING = request("1", selector={PROBE_LABEL: "true"}, memory="1Mi")
"""A pod of which one less fits for each core that the probe asks for."""


class Subject(Protocol):
    """One way to know the cluster."""

    async def sync(self) -> None:
        """Know all of it, for the first time."""

    def pods(self) -> int:
        """How many pods that are bound to a node it knows."""

    async def aclose(self) -> None:
        """End it."""


def without_quotas() -> ClusterIndex:
    """An index of a cluster that has no quotas, so that it is known how many fit."""
    index = ClusterIndex()
    index.objects.table("quotas").replace(())
    return index


@runtime_checkable
class WatchingSubject(Subject, Protocol):
    """One that hears of changes."""

    def mark(self) -> None:
        """Take what is there for the state without a probe."""

    def seen(self) -> int:
        """The cores that the probe asks for, in what is held."""

    def judged(self) -> int:
        """The same, told from a verdict that is reached now."""


class Watching:
    """The product."""

    def __init__(self, url: str) -> None:
        configuration = client.Configuration()
        configuration.host = url
        self._transport = KubernetesTransport(configuration)
        self.watch = ClusterWatch(self._transport, index=without_quotas())
        self._standing = StandingVerdicts()
        self._base = self._slots = 0

    async def sync(self) -> None:
        self.watch.start()
        if not await self.watch.wait_synced(_PATIENCE):
            raise RuntimeError(f"not synced: {self.watch.freshness()}")

    def mark(self) -> None:
        self._base, self._slots = self._requested(), self._fitting()

    def pods(self) -> int:
        return sum(state.pod_count for state in self.watch.snapshot().nodes.values())

    def seen(self) -> int:
        return (self._requested() - self._base) // 1000

    def judged(self) -> int:
        return self._slots - self._fitting()

    async def aclose(self) -> None:
        await self.watch.stop()
        await self._transport.aclose()

    def _requested(self) -> int:
        return self.watch.snapshot().nodes[PROBED_NODE].requested.get("cpu", 0)

    def _fitting(self) -> int:
        return self._standing.verdict(PROBING, self.watch.snapshot()).slots or 0


class Listing:
    """A list of nodes and pods for a form, with the product's own decoder, then forgotten."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._count = 0

    async def sync(self) -> None:
        watching = Watching(self._url)
        try:
            await watching.sync()
            snapshot = watching.watch.snapshot()
            for profile in PROFILES:
                judge(profile, snapshot)
            self._count = watching.pods()
        finally:
            await watching.aclose()

    def pods(self) -> int:
        return self._count

    async def aclose(self) -> None:
        """Nothing is open."""


class ModelListing:
    """The same with the client's own models, as its documentation shows, and one GPU count."""

    def __init__(self, url: str) -> None:
        self._configuration = client.Configuration(host=url)
        self._count = 0

    async def sync(self) -> None:
        async with client.ApiClient(self._configuration) as connection:
            api = client.CoreV1Api(connection)
            nodes = (await api.list_node()).items
            pods = (await api.list_pod_for_all_namespaces()).items
        free = {node.metadata.name: int(node.status.allocatable.get(GPU, 0)) for node in nodes}
        for pod in pods:
            if pod.spec.node_name in free:
                for container in pod.spec.containers:
                    asked = (container.resources.requests or {}).get(GPU, 0)
                    free[pod.spec.node_name] -= int(asked)
                self._count += 1

    def pods(self) -> int:
        return self._count

    async def aclose(self) -> None:
        """Nothing is open."""
