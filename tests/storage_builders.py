"""Small sound values about volumes: say what matters to the test, leave out the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    CSINode,
    NewClaim,
    Node,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodRequest,
    Requirement,
    StorageClass,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import Blocked, Reasons

from .builders import a_node, a_pod, a_request, altered

ZONE = "topology.kubernetes.io/zone"
DRIVER = "example.csi"
GIB = 2**30


def in_zones(*zones: str) -> tuple[NodeSelectorTerm, ...]:
    """The node affinity of a volume that is there only."""
    return (NodeSelectorTerm((Requirement(ZONE, "In", zones),)),)


def a_zonal_node(name: str, zone: str) -> Node:
    """A node in a zone."""
    return a_node(name, labels={ZONE: zone})


def a_volume(name: str = "pv", **fields: Any) -> PersistentVolume:
    """An available volume of 10 GiB of the class ``wait`` that any node can use."""
    volume = PersistentVolume(
        name=name,
        uid=f"uid-of-{name}",
        capacity=10 * GIB,
        access_modes=("ReadWriteOnce",),
        storage_class="wait",
        phase="Available",
        driver=DRIVER,
        handle=f"handle-of-{name}",
    )
    return replace(volume, **fields)


def a_claim(name: str = "home", **fields: Any) -> PersistentVolumeClaim:
    """A claim on 10 GiB of the class ``wait`` that is not bound."""
    claim = PersistentVolumeClaim(
        namespace="jhub",
        name=name,
        uid=f"uid-of-{name}",
        access_modes=("ReadWriteOnce",),
        size=10 * GIB,
        storage_class="wait",
        phase="Pending",
    )
    return replace(claim, **fields)


def a_bound_claim(name: str = "home", volume: str = "pv", **fields: Any) -> PersistentVolumeClaim:
    """A claim that is bound to a volume of that name."""
    return a_claim(name, **{"volume": volume, "is_bound": True, "phase": "Bound", **fields})


def a_new_claim(name: str = "home", **fields: Any) -> NewClaim:
    """A claim like `a_claim` that is made with the pod; its class is the default if it is None."""
    named = fields.pop("storage_class", "wait")
    is_ephemeral = fields.pop("is_ephemeral", False)
    claim = replace(a_claim(name, uid="", storage_class=named or "", **fields), namespace="")
    return NewClaim(claim, uses_default_class=named is None, is_ephemeral=is_ephemeral)


def a_class(name: str = "wait", **fields: Any) -> StorageClass:
    """A class that waits for the first consumer and then has a driver make a volume."""
    return replace(
        StorageClass(name=name, uid=f"uid-of-{name}", provisioner=DRIVER, waits=True), **fields
    )


def a_csi_node(name: str = "n1", **fields: Any) -> CSINode:
    """What the drivers on a node say: nothing."""
    return replace(CSINode(name=name, uid=f"uid-of-{name}"), **fields)


def a_mounting_pod(name: str, *claims: str, node: str = "n1", namespace: str = "jhub") -> Pod:
    """A running pod that mounts claims."""
    return altered(a_pod(name, node=node), claims=claims, namespace=namespace)


def mounting(*claims: str, to_make: Iterable[NewClaim] = ()) -> PodRequest:
    """A pod that mounts claims, those that are made with it among them."""
    to_make = tuple(to_make)
    names = (*claims, *(new.claim.name for new in to_make))
    return replace(a_request(), claims=names, claims_to_make=to_make)


def answers(
    prepared: Callable[[NodeState], Reasons] | Blocked | None, snapshot: Snapshot
) -> str | dict[str, list[str]]:
    """What a check says: the words for the pod as a whole, or those for each node."""
    if isinstance(prepared, Blocked):
        return prepared.words
    return {
        name: [reason.words for reason in prepared(state)] if prepared is not None else []
        for name, state in snapshot.nodes.items()
    }
