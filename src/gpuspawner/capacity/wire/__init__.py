"""The shapes in which the API server sends what `gpuspawner.capacity.model` reads.

Every field that Kubernetes may leave out or send as null is optional; unknown fields are skipped
without being decoded. Names are the API's own, in Python's spelling.
"""

from __future__ import annotations

from gpuspawner.capacity.wire.base import Quantities, Wire, decode, decode_map
from gpuspawner.capacity.wire.framing import ObjectList, Status, WatchEvent
from gpuspawner.capacity.wire.nodes import Node, NodeSpec, NodeStatus
from gpuspawner.capacity.wire.placement import (
    Affinity,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    Requirement,
    Selector,
    Spread,
    Toleration,
    WeightedPodAffinityTerm,
)
from gpuspawner.capacity.wire.pods import (
    Condition,
    Container,
    Pod,
    PodSpec,
    PodStatus,
    PodToJudge,
    PresentContainer,
    PresentPodSpec,
    Resources,
    Volume,
)

__all__ = [
    "Affinity",
    "Condition",
    "Container",
    "LabelSelector",
    "Node",
    "NodeSpec",
    "NodeStatus",
    "ObjectList",
    "Pod",
    "PodAffinity",
    "PodAffinityTerm",
    "PodSpec",
    "PodStatus",
    "PodToJudge",
    "PresentContainer",
    "PresentPodSpec",
    "Quantities",
    "Requirement",
    "Resources",
    "Selector",
    "Spread",
    "Status",
    "Toleration",
    "Volume",
    "WatchEvent",
    "WeightedPodAffinityTerm",
    "Wire",
    "decode",
    "decode_map",
]
