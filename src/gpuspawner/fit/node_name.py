"""NodeName: a pod that names its node goes nowhere else."""

from __future__ import annotations

from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons

_REASONS = (Reason("node(s) didn't match the requested node name", Hindrance.NOT_FOR_POD),)


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse every node but the one in ``spec.nodeName``, if there is one."""
    if request.node_name and request.node_name != state.node.name:
        return _REASONS
    return NO_REASONS
