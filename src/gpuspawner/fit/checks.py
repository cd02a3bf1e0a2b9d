"""The register of checks; the order is the scheduler's, and a node counts under the first."""

from __future__ import annotations

from collections.abc import Callable

from gpuspawner.capacity.index import NodeState
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import node_affinity, node_name, resources, taints, unschedulable
from gpuspawner.fit.reasons import Reasons

Check = Callable[[PodRequest, NodeState], Reasons]
"""Gives the reasons why a node cannot take a pod; none if it can."""

IN_ORDER: tuple[Check, ...] = (
    node_affinity.check_names,
    unschedulable.check,
    node_name.check,
    taints.check,
    node_affinity.check,
    resources.check,
)
