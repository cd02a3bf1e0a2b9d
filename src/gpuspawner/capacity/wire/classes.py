"""The shapes in which the API server sends what admission makes a pod of."""

from __future__ import annotations

from gpuspawner.capacity.wire.base import Metadata, Quantities, Wire
from gpuspawner.capacity.wire.placement import Toleration


class Overhead(Wire):
    """node.k8s.io/v1 Overhead."""

    pod_fixed: Quantities | None = None


class Scheduling(Wire):
    """node.k8s.io/v1 Scheduling."""

    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None


class RuntimeClass(Wire):
    """node.k8s.io/v1 RuntimeClass."""

    metadata: Metadata
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None


class PriorityClass(Wire):
    """scheduling.k8s.io/v1 PriorityClass."""

    metadata: Metadata
    value: int = 0
    global_default: bool | None = None
    preemption_policy: str | None = None
