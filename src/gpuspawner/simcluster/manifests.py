"""The API objects that a cluster description stands for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from gpuspawner.quantity import is_bytes
from gpuspawner.simcluster.apimachinery.objects import Object, timestamp, utc_now
from gpuspawner.simcluster.apimachinery.resources import (
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PRIORITYCLASSES,
    RESOURCEQUOTAS,
    RUNTIMECLASSES,
    SERVICEACCOUNTS,
    STORAGECLASSES,
    ResourceType,
)
from gpuspawner.simcluster.description import ClusterDescription, NodePool, SystemPods
from gpuspawner.simcluster.nodes.containers import SIMULATED

KUBELET_VERSION = "v1.36.2+k3s1"
DEFAULT_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class"
_KIBI = 1024
_HOST_NETWORK = IPv4Address("10.0.0.10")
_POD_NETWORK = IPv4Address("10.42.0.0")

Manifest = tuple[ResourceType, str | None, Object]
"""A resource, a namespace for a namespaced one, and an object."""


def cluster_manifests(description: ClusterDescription) -> Iterator[Manifest]:
    """Everything but pods, in an order in which it can be created."""
    yield from _namespaces(description)
    yield from _classes(description)
    yield from _claims_and_quotas(description)
    for site in sites(description):
        if site.name in site.pool.node_names:
            yield NODES, None, node(site)


def _namespaces(description: ClusterDescription) -> Iterator[Manifest]:
    labels: dict[str, dict[str, str]] = {"default": {}, "kube-system": {}}
    labels |= {each.name: each.labels for each in description.namespaces}
    for name, own in labels.items():
        yield NAMESPACES, None, {"metadata": {"name": name, "labels": dict(own)}}
        yield SERVICEACCOUNTS, name, {"metadata": {"name": "default"}}


def _classes(description: ClusterDescription) -> Iterator[Manifest]:
    for priority in description.priority_classes:
        yield (
            PRIORITYCLASSES,
            None,
            {
                "metadata": {"name": priority.name},
                "value": priority.value,
                "globalDefault": priority.default,
                "description": priority.description,
                "preemptionPolicy": priority.preemption_policy,
            },
        )
    for runtime in description.runtime_classes:
        yield (
            RUNTIMECLASSES,
            None,
            {"metadata": {"name": runtime.name}, "handler": runtime.handler},
        )
    for storage in description.storage_classes:
        default = {DEFAULT_STORAGE_CLASS: "true"} if storage.default else {}
        yield (
            STORAGECLASSES,
            None,
            {
                "metadata": {"name": storage.name, "annotations": default},
                "provisioner": storage.provisioner,
                "reclaimPolicy": storage.reclaim_policy,
                "volumeBindingMode": storage.volume_binding_mode,
            },
        )


def _claims_and_quotas(description: ClusterDescription) -> Iterator[Manifest]:
    for claim in description.claims:
        yield (
            PERSISTENTVOLUMECLAIMS,
            claim.namespace,
            {
                "metadata": {"name": claim.name},
                "spec": {
                    "accessModes": list(claim.access_modes),
                    "resources": {"requests": {"storage": claim.size}},
                    "storageClassName": claim.storage_class,
                },
            },
        )
    for quota in description.resource_quotas:
        yield (
            RESOURCEQUOTAS,
            quota.namespace,
            {"metadata": {"name": quota.name}, "spec": {"hard": dict(quota.hard)}},
        )


@dataclass(frozen=True, slots=True)
class Site:
    """A node's place in the cluster: at neither address does anything listen."""

    name: str
    pool: NodePool
    host_ip: str
    pod_subnet: IPv4Network


def sites(description: ClusterDescription) -> Iterator[Site]:
    """Every node that there may ever be, with the addresses that k3s would give it."""
    nodes = ((name, pool) for pool in description.node_pools for name in pool.possible_node_names)
    for index, (name, pool) in enumerate(nodes):
        subnet = IPv4Network((int(_POD_NETWORK) + index * 256, 24))
        yield Site(name, pool, str(_HOST_NETWORK + index), subnet)


def node(site: Site) -> Object:
    """A node that is ready."""
    name, pool = site.name, site.pool
    now = timestamp(utc_now())
    roles = {f"node-role.kubernetes.io/{role}": "true" for role in pool.roles}
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        **roles,
        **pool.labels,
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "podCIDR": str(site.pod_subnet),
            "taints": [taint.model_dump() for taint in pool.taints],
        },
        "status": {
            "capacity": dict(pool.capacity),
            "allocatable": quantities(pool.allocatable),
            "addresses": [
                {"type": "InternalIP", "address": site.host_ip},
                {"type": "Hostname", "address": name},
            ],
            "conditions": [_condition(*words, now) for words in _HEALTHY],
            "nodeInfo": {
                "architecture": "amd64",
                "containerRuntimeVersion": "containerd://2.2.0-k3s1",
                "kernelVersion": "6.12.0-simulated",
                "kubeletVersion": KUBELET_VERSION,
                "operatingSystem": "linux",
                "osImage": "gpuspawner simcluster",
            },
        },
    }


def quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    """Amounts in the units of `gpuspawner.quantity`, written as a kubelet writes them."""
    return {resource: _quantity(resource, amount) for resource, amount in amounts.items()}


def system_pod(pods: SystemPods, node_name: str) -> Object:
    """The pod of a DaemonSet on one node."""
    pod = simulated_pod(f"{pods.name}-{node_name}", pods.image, pods.requests)
    pod["metadata"]["labels"] |= {"app.kubernetes.io/name": pods.name}
    pod["metadata"]["annotations"] = {"simcluster/daemon-set": pods.name}
    pod["spec"] |= {
        "nodeName": node_name,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
    }
    return pod


def system_pods(description: ClusterDescription, site: Site) -> Iterator[tuple[str, Object]]:
    """The pods that DaemonSets have on a node, each with its namespace."""
    for pods in description.system_pods:
        if not pods.node_pools or site.pool.name in pods.node_pools:
            yield pods.namespace, system_pod(pods, site.name)


def simulated_pod(name: str, image: str, requests: Mapping[str, str]) -> Object:
    """A pod that is only marked as running; what it requests is also its limit."""
    amounts = dict(requests)
    return {
        "metadata": {"name": name, "labels": {SIMULATED: "true"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "resources": {"requests": amounts, "limits": dict(amounts)},
                }
            ]
        },
    }


def kubeconfig(name: str, url: str) -> dict[str, Any]:
    """How kubectl reaches the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


_HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID"),
    ("Ready", "True", "KubeletReady"),
)


def _condition(kind: str, status: str, reason: str, now: str) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _quantity(resource: str, amount: int) -> str:
    if resource == "cpu":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if is_bytes(resource) and amount and amount % _KIBI == 0:
        return f"{amount // _KIBI}Ki"
    return str(amount)
