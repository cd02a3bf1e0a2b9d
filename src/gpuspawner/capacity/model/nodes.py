"""Nodes, as far as scheduling looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.resources import Resources, amounts_of
from gpuspawner.errors import MalformedObjectError


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node, as far as scheduling looks at it.

    Attributes:
        created: when its object was made, as Kubernetes writes it; scheduling does not look at it.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    unschedulable: bool
    allocatable: Resources
    capacity: Resources
    created: str = ""


def read_node(obj: bytes | Mapping[str, Any]) -> Node:
    """A node from its JSON, as text or as plain objects.

    Raises:
        MalformedObjectError: it is not a node.
    """
    raw = wire.decode(obj, wire.Node)
    spec, status = raw.spec or wire.NodeSpec(), raw.status or wire.NodeStatus()
    if not raw.metadata.name:
        raise MalformedObjectError("a node without metadata.name")
    return Node(
        name=raw.metadata.name,
        uid=raw.metadata.uid or "",
        labels=raw.metadata.labels or {},
        taints=tuple(
            Taint(taint.key, taint.value or "", taint.effect or "") for taint in spec.taints or ()
        ),
        unschedulable=bool(spec.unschedulable),
        allocatable=amounts_of(status.allocatable),
        capacity=amounts_of(status.capacity),
        created=raw.metadata.creation_timestamp or "",
    )
