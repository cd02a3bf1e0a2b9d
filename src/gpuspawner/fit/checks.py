"""The register of checks; the order is the scheduler's, and a node counts under the first.

Three kinds, by what a check must know. That of a node alone is kept as long as the node stays the
same; that of its pods is made anew with each of them; that of the cluster looks at other nodes and
other objects, is prepared once for a pod, and is asked last, as the scheduler does.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit import (
    dynamic_resources,
    inter_pod_affinity,
    node_affinity,
    node_name,
    node_ports,
    node_volume_limits,
    pod_topology_spread,
    resources,
    taints,
    unschedulable,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from gpuspawner.fit.reasons import Blocked, Reasons

Check = Callable[[PodRequest, NodeState], Reasons]
"""Gives the reasons why a node cannot take a pod; none if it can."""

NodeCheck = Callable[[NodeState], Reasons]
"""The same for one pod, against the cluster it was prepared for.

The node may be given in another state than it has there: with pods taken away or added.
"""

Prepare = Callable[[PodRequest, Snapshot], NodeCheck | Blocked | None]
"""Prepares a check for a pod; None if the pod needs no such check."""

OF_THE_NODE: tuple[Check, ...] = (
    node_affinity.check_names,
    unschedulable.check,
    node_name.check,
    taints.check,
    node_affinity.check,
)
OF_ITS_PODS: tuple[Check, ...] = (node_ports.check, resources.check)
OF_THE_CLUSTER: tuple[Prepare, ...] = (
    volume_restrictions.prepare,
    node_volume_limits.prepare,
    volume_binding.prepare,
    volume_zone.prepare,
    pod_topology_spread.prepare,
    inter_pod_affinity.prepare,
    dynamic_resources.prepare,
)
