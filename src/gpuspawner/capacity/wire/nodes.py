"""The shape in which the API server sends nodes."""

from __future__ import annotations

from gpuspawner.capacity.wire.base import Metadata, Quantities, Wire
from gpuspawner.capacity.wire.placement import Taint


class NodeMetadata(Metadata):
    """ObjectMeta of a node."""

    creation_timestamp: str | None = None


class NodeSpec(Wire):
    """core/v1 NodeSpec."""

    taints: list[Taint] | None = None
    unschedulable: bool | None = None


class NodeStatus(Wire):
    """core/v1 NodeStatus."""

    allocatable: Quantities | None = None
    capacity: Quantities | None = None


class Node(Wire):
    """core/v1 Node."""

    metadata: NodeMetadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None
