"""TaintToleration: a node's taints repel pods that do not tolerate them."""

from __future__ import annotations

from collections.abc import Iterable

from gpuspawner.capacity.model import PodRequest, Taint, Toleration
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons

_REPELLING = frozenset({"NoSchedule", "NoExecute"})
_PASSING = (
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
)
_WORDS = "node(s) had untolerated taint(s)"


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node with a NoSchedule or NoExecute taint that no toleration matches.

    Taints that Kubernetes' own components set for a node's condition (not ready, memory pressure,
    about to be removed) close the node for a while; all others say for whom the node is.
    """
    untolerated = [
        taint
        for taint in state.node.taints
        if taint.effect in _REPELLING and not is_tolerated(taint, request.tolerations)
    ]
    if not untolerated:
        return NO_REASONS
    passing = all(taint.key.startswith(_PASSING) for taint in untolerated)
    return (Reason(_WORDS, Hindrance.CLOSED if passing else Hindrance.NOT_FOR_POD),)


def is_tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Whether any toleration matches the taint.

    An empty effect or key is a wildcard and an empty operator is Equal, as in core/v1's
    ``Toleration.ToleratesTaint``. An operator this version does not know tolerates nothing.
    """
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"
