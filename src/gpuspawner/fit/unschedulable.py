"""NodeUnschedulable: a cordoned node takes only pods that tolerate it."""

from __future__ import annotations

from gpuspawner.capacity.model import PodRequest, Taint
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons
from gpuspawner.fit.taints import is_tolerated

_CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_REASONS = (Reason("node(s) were unschedulable", Hindrance.CLOSED),)


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node whose ``spec.unschedulable`` is set, unless its taint is tolerated."""
    if state.node.unschedulable and not is_tolerated(_CORDON, request.tolerations):
        return _REASONS
    return NO_REASONS
