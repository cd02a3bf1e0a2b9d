"""The checks of the cluster, prepared for one pod and asked of one node after another."""

from __future__ import annotations

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.repelling import ANYWHERE
from gpuspawner.fit.checks import OF_THE_CLUSTER, NodeCheck
from gpuspawner.fit.examining import ask, beside_promised, is_certain
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Reasons


class Survey:
    """The checks of the cluster that a pod needs; false if it needs none.

    Attributes:
        is_needed: whether there is anything that some check would look at. It follows from the pod
            and from `Snapshot.repelling` alone.
        checks: those that were prepared, in the scheduler's order.
        blocked: why the pod can go nowhere, if that is so.
    """

    def __init__(self, request: PodRequest, snapshot: Snapshot) -> None:
        self._request = request
        self.checks: list[NodeCheck] = []
        self.blocked: Blocked | None = None
        self.is_needed = _is_needed(request, snapshot)
        if not self.is_needed:
            return
        for prepare in OF_THE_CLUSTER:
            check = prepare(request, snapshot)
            if isinstance(check, Blocked):
                self.blocked = check
                return
            if check is not None:
                self.checks.append(check)

    def __bool__(self) -> bool:
        return bool(self.checks)

    def refusal(self, state: NodeState) -> Reasons:
        """The reasons of the first check that refuses a node for certain, else the unknown.

        Args:
            state: the node as it is, or as it would be with other pods on it.
        """
        alone = ask(self.checks, state)
        crowded = beside_promised(self._request, state)
        beside = NO_REASONS if crowded is state else ask(self.checks, crowded)
        return beside if is_certain(beside) else alone or beside


def _is_needed(request: PodRequest, snapshot: Snapshot) -> bool:
    """Most pods have nothing for these checks, and to hear it from each of them takes longer."""
    repelling = snapshot.repelling
    return bool(
        request.claims
        or request.spread
        or request.pod_affinity
        or request.pod_anti_affinity
        or request.resource_claims
        or request.delegable
        or repelling.get(request.namespace)
        or repelling.get(ANYWHERE)
    )
