"""KubeSpawner's reflectors as one more way to know the cluster."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from kubernetes_asyncio import client
from kubespawner.reflector import ResourceReflector

from gpuspawner.quantity import parse_amount

from .parts import PROBE_LABEL
from .subjects import PROBE


class NodeReflector(ResourceReflector):  # type: ignore[misc] # KubeSpawner has no types
    """KubeSpawner's reflector, of all nodes."""

    kind = "nodes"
    list_method_name = "list_node"
    omit_namespace = True
    resources: dict[str, Any]


class AllPodsReflector(ResourceReflector):  # type: ignore[misc] # KubeSpawner has no types
    """KubeSpawner's reflector, of the pods of all namespaces."""

    kind = "pods"
    omit_namespace = True
    resources: dict[str, Any]


class Reflecting:
    """KubeSpawner's reflectors, and a sum over what they hold for each verdict."""

    def __init__(self, url: str) -> None:
        client.Configuration.set_default(client.Configuration(host=url))
        logging.getLogger("traitlets").setLevel(logging.CRITICAL)
        self.reflectors = NodeReflector(), AllPodsReflector()
        self._free = 0

    async def sync(self) -> None:
        await asyncio.gather(*(reflector.start() for reflector in self.reflectors))

    def mark(self) -> None:
        self._free = self._free_cores()

    def pods(self) -> int:
        return sum(1 for pod in self._pods.values() if pod["spec"].get("nodeName"))

    def seen(self) -> int:
        probe = self._pods.get(PROBE)
        return int(_requests(probe).get("cpu", 0)) if probe else 0

    def judged(self) -> int:
        return self._free - self._free_cores()

    def _free_cores(self) -> int:
        """What somebody would write who has only the dictionaries: a sum over all pods."""
        free = {
            node["metadata"]["name"]: parse_amount("cpu", node["status"]["allocatable"]["cpu"])
            for node in self.reflectors[0].resources.values()
            if node["metadata"]["labels"].get(PROBE_LABEL)
        }
        for pod in self._pods.values():
            node = pod["spec"].get("nodeName")
            if node in free and pod["status"]["phase"] not in ("Succeeded", "Failed"):
                free[node] -= parse_amount("cpu", _requests(pod).get("cpu", "0"))
        return sum(free.values()) // 1000

    async def aclose(self) -> None:
        await asyncio.gather(*(reflector.stop() for reflector in self.reflectors))

    @property
    def _pods(self) -> dict[str, Any]:
        pods: dict[str, Any] = self.reflectors[1].resources
        return pods


def _requests(pod: dict[str, Any]) -> dict[str, str]:
    requests: dict[str, str] = pod["spec"]["containers"][0]["resources"].get("requests", {})
    return requests
