"""Small sound values to write tests with: say what matters to the test, leave out the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import (
    CSIDriver,
    CSINode,
    DeviceClass,
    HostPort,
    Node,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    ResourceClaim,
    ResourceSlice,
    SpreadConstraint,
    StorageClass,
    Taint,
    Toleration,
    VolumeAttachment,
    pack,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.catalog import Catalog
from gpuspawner.offers import Situation, View
from gpuspawner.policy import Person
from gpuspawner.quantity import parse_amount

GPU = "nvidia.com/gpu"
LIVE = Freshness("live", age=0.2)
CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
TABLES: Mapping[type, str] = {
    PersistentVolume: "volumes",
    PersistentVolumeClaim: "claims",
    StorageClass: "storage_classes",
    CSINode: "csi_nodes",
    CSIDriver: "csi_drivers",
    VolumeAttachment: "attachments",
    ResourceSlice: "slices",
    DeviceClass: "device_classes",
    ResourceClaim: "resource_claims",
}


def amounts(**quantities: str | int) -> dict[str, int]:
    """Amounts by resource: ``gpus`` is nvidia.com/gpu, the rest is named as it is."""
    named = {GPU if name == "gpus" else name: text for name, text in quantities.items()}
    return {name: parse_amount(name, text) for name, text in named.items()}


def a_node(
    name: str = "n1",
    *,
    gpus: int = 0,
    cpu: str | int = 64,
    memory: str = "256Gi",
    pods: int = 110,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Taint] = (),
    unschedulable: bool = False,
    allocatable: Mapping[str, int] | None = None,
    capacity: Mapping[str, int] | None = None,
) -> Node:
    """A node with room; `allocatable` adds to what the other words say, `capacity` is like it."""
    offered = {**amounts(gpus=gpus, cpu=cpu, memory=memory, pods=pods), **(allocatable or {})}
    return Node(
        name=name,
        uid=f"uid-of-{name}",
        labels={"kubernetes.io/hostname": name, **(labels or {})},
        taints=tuple(taints),
        unschedulable=unschedulable,
        allocatable=offered,
        capacity={**offered, **(capacity or {})},
    )


def a_pod(
    name: str = "p1",
    *,
    node: str | None = "n1",
    gpus: int = 0,
    cpu: str | int = 0,
    memory: str | int = 0,
    requests: Mapping[str, int] | None = None,
    phase: str = "Running",
    namespace: str = "jhub",
    labels: Mapping[str, str] | None = None,
    terminating: bool = False,
    priority: int = 0,
    nominated_node: str | None = None,
    host_ports: Iterable[HostPort] = (),
    anti_affinity: Iterable[PodAffinityTerm] = (),
    ends_by: float | None = None,
) -> Pod:
    """A pod that exists, bound to a node unless `node` is None."""
    asked = {**amounts(gpus=gpus, cpu=cpu, memory=memory), **(requests or {})}
    return Pod(
        uid=f"uid-of-{name}",
        namespace=namespace,
        name=name,
        node=node,
        requests=asked,
        terminating=terminating,
        phase=phase,
        priority=priority,
        packed_labels=pack(labels or {}),
        nominated_node=nominated_node,
        host_ports=tuple(host_ports),
        anti_affinity=tuple(anti_affinity),
        ends_by=ends_by,
    )


def altered(pod: Pod, **fields: Any) -> Pod:
    """The same pod with other fields."""
    if "labels" in fields:
        fields["packed_labels"] = pack(fields.pop("labels"))
    return msgspec.structs.replace(pod, **fields)


def a_request(
    *,
    gpus: int = 0,
    cpu: str | int = 0,
    memory: str | int = 0,
    requests: Mapping[str, int] | None = None,
    node_selector: Mapping[str, str] | None = None,
    affinity: tuple[NodeSelectorTerm, ...] | None = None,
    tolerations: Iterable[Toleration] = (),
    node_name: str = "",
    unchecked: tuple[str, ...] = (),
    namespace: str = "jhub",
    labels: Mapping[str, str] | None = None,
    host_ports: Iterable[HostPort] = (),
    pod_affinity: Iterable[PodAffinityTerm] = (),
    pod_anti_affinity: Iterable[PodAffinityTerm] = (),
    spread: Iterable[SpreadConstraint] = (),
) -> PodRequest:
    """A pod that somebody would like to start."""
    return PodRequest(
        namespace=namespace,
        labels=labels or {},
        requests={**amounts(gpus=gpus, cpu=cpu, memory=memory), **(requests or {})},
        node_selector=node_selector or {},
        affinity=affinity,
        tolerations=tuple(tolerations),
        node_name=node_name,
        unchecked=unchecked,
        host_ports=tuple(host_ports),
        pod_affinity=tuple(pod_affinity),
        pod_anti_affinity=tuple(pod_anti_affinity),
        spread=tuple(spread),
    )


def a_snapshot(*things: Node | Pod) -> Snapshot:
    """The cluster with these nodes and pods, and without quotas; nothing else of it is known."""
    return a_cluster(*things, unknown=TABLES.values())


def a_cluster(*things: Any, unknown: Iterable[str] = ()) -> Snapshot:
    """A cluster of nothing but these, and without quotas; `unknown` are tables nobody watches."""
    index = ClusterIndex()
    index.objects.table("quotas").replace(())
    index.replace_nodes(thing for thing in things if isinstance(thing, Node))
    index.replace_pods(thing for thing in things if isinstance(thing, Pod))
    for kind, table in TABLES.items():
        if table not in unknown:
            index.objects.table(table).replace(thing for thing in things if isinstance(thing, kind))
    return index.snapshot()


def a_state(node: Node, *pods: Pod) -> NodeState:
    """One node with the pods on it."""
    return a_snapshot(node, *pods).nodes[node.name]


def a_term(*labels: Requirement, fields: tuple[Requirement, ...] = ()) -> NodeSelectorTerm:
    """A node selector term over these labels and fields."""
    return NodeSelectorTerm(labels, fields)


CPU_PROFILE: Mapping[str, Any] = {"slug": "cpu", "title": "CPU", "default": True}
A100: Mapping[str, Any] = {"title": "NVIDIA A100", "resource": GPU}
FOR_EVERYONE: Mapping[str, Any] = {"users": ["*"], "profiles": ["*"]}


def a_catalog(
    *profiles: Mapping[str, Any],
    accelerators: Mapping[str, Any] | None = None,
    volumes: Mapping[str, Any] | None = None,
    access: Iterable[Mapping[str, Any]] = (FOR_EVERYONE,),
    node_pools: Mapping[str, Any] | None = None,
) -> Catalog:
    """A catalog whose default is a plain profile ``cpu``, then `profiles`, open to everyone.

    It knows the accelerator ``a100``, a whole nvidia.com/gpu, unless others are given.
    """
    return Catalog.model_validate(
        {
            "accelerators": {"a100": A100} if accelerators is None else accelerators,
            "volumes": volumes or {},
            "node_pools": node_pools or {},
            "profiles": [CPU_PROFILE, *profiles],
            "access": list(access),
        }
    )


def a_profile(slug: str = "gpu", **fields: Any) -> dict[str, Any]:
    """A profile as an admin writes it, with one a100 unless `accelerator` says otherwise."""
    return {"slug": slug, "title": slug.capitalize(), "accelerator": "a100", **fields}


def a_situation(
    catalog: Catalog,
    *things: Node | Pod,
    freshness: Freshness = LIVE,
    base: Mapping[str, Any] | None = None,
    person: Person | None = None,
) -> Situation:
    """Someone before a cluster of these nodes and pods."""
    person = person or Person("ada", frozenset({"hpc"}))
    return Situation(person, catalog, base or {}, View(a_snapshot(*things), freshness))
