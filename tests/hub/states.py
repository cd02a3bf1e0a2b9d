"""A cluster on which a unit stands in each way that there is, for the page of the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpuspawner.simcluster.apimachinery.resources import NODES, PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE

DESCRIPTION = ClusterDescription.load(HERE / "states_cluster.yaml")
CATALOG = HERE / "states_catalog.yaml"
GPU = "nvidia.com/gpu"
MIG_STATE = "nvidia.com/mig.config.state"
OURS = {"anna-1": "a100", "bert-2": "a100-pair", "cleo-3": "slice", "dora-4": "cpu", "emil-5": "t4"}
"""Who starts what."""


def change(cluster: SimCluster, name: str, edit: Callable[[Any], None]) -> None:
    """Change a node."""
    node = cluster.store.get(NODES, None, name)
    edit(node)
    for part in (None, "status"):
        node["metadata"].pop("resourceVersion", None)
        cluster.store.replace(NODES, None, name, node, subresource=part)


def theirs(cluster: SimCluster, node: str, resource: str, number: int, first: int = 0) -> None:
    """Give others a device each."""
    for index in range(first, first + number):
        container = {"name": "x", "image": "x", "resources": {"limits": {resource: "1"}}}
        pod = {
            "metadata": {"name": f"theirs-{node}-{index}", "annotations": {"of": "others"}},
            "spec": {"nodeName": node, "containers": [container]},
        }
        cluster.store.create(PODS, ("lab", "jupyterhub")[index % 2], pod)


def arrange(cluster: SimCluster) -> None:
    """Let each thing happen that can be shown."""
    theirs(cluster, "dgx-1", GPU, 5)
    for index in range(4, 11):
        theirs(cluster, f"a100-{index}", GPU, 8)
    theirs(cluster, "a100-2", GPU, 3)
    theirs(cluster, "t4-1", f"{GPU}.shared", 7)
    theirs(cluster, "mig-1", "nvidia.com/mig-1g.10gb", 2)

    def cordon(node: Any) -> None:
        node["spec"]["unschedulable"] = True

    def reconfigure(node: Any) -> None:
        node["metadata"]["labels"][MIG_STATE] = "pending"

    def break_two(node: Any) -> None:
        node["status"]["allocatable"][GPU] = "6"

    change(cluster, "a100-2", cordon)
    change(cluster, "a100-3", break_two)
    change(cluster, "mig-2", reconfigure)
