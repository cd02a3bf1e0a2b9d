"""PodTopologySpread: pods of a kind must be spread evenly over the domains of a topology.

A domain is all nodes with the same value of a label. Only constraints with ``DoNotSchedule`` bind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    LabelSelector,
    PodRequest,
    SpreadConstraint,
    matches,
    packed_matcher,
    with_label_keys,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit import node_affinity, taints
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons
from gpuspawner.fit.supposing import Supposing

_WORDS = "node(s) didn't match pod topology spread constraints"
_UNEVEN = (Reason(_WORDS, Hindrance.FULL),)
_OUTSIDE = (Reason(f"{_WORDS} (missing required label)", Hindrance.NOT_FOR_POD),)


@dataclass(frozen=True, slots=True)
class Spreading:
    """One constraint, and how many pods of its kind there are.

    Attributes:
        selector: the constraint's, with the pod's own values of its ``matchLabelKeys``.
        counts_itself: the pod that is judged is one of those it spreads.
        counts: number of such pods by domain, of the domains that take part.
    """

    constraint: SpreadConstraint
    selector: LabelSelector | None
    counts_itself: bool
    counts: Mapping[str, int]

    @property
    def moves(self) -> bool:
        """Whether copies of the pod are counted; by an empty selector no pod ever is."""
        return self.counts_itself and bool(self.selector)

    def floor(self, counts: Collection[int]) -> int:
        """What a domain is compared to: the least of all, or 0 while there are too few domains."""
        return min(counts) if len(counts) >= max(1, self.constraint.min_domains) else 0

    def is_uneven(self, count: int, floor: int) -> bool:
        """Whether the pod would put a domain that has `count` too far ahead."""
        return count + self.counts_itself - floor > self.constraint.max_skew

    def room(self, domain: str, floor: int) -> int:
        """How many copies of the pod a domain may take, if they are counted."""
        return max(0, self.constraint.max_skew + floor - self.counts.get(domain, 0))


class PodTopologySpread(Supposing):
    """The constraints of one pod, counted over a cluster.

    Attributes:
        spreadings: the constraints, in the pod's order.
    """

    def __init__(self, request: PodRequest, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self._request = request
        self.spreadings = _spreadings(request, snapshot)
        self._floors = [s.floor(s.counts.values()) for s in self.spreadings]

    def __call__(self, state: NodeState) -> Reasons:
        """Refuse a node without one of the labels, or in a domain that is too far ahead.

        The node is judged as if it had the pods of `state` and all others those of the snapshot.
        """
        for spreading, floor in zip(self.spreadings, self._floors, strict=True):
            domain = state.node.labels.get(spreading.constraint.topology_key)
            if domain is None:
                return _OUTSIDE
            count = spreading.counts.get(domain, 0)
            least = floor
            if more := self._supposed_more(spreading, state):
                count += more
                least = spreading.floor({**spreading.counts, domain: count}.values())
            if spreading.is_uneven(count, least):
                return _UNEVEN
        return NO_REASONS

    def refuses_for_good(self, state: NodeState) -> bool:
        """Whether the node stays refused however many copies of the pod there will be."""
        for spreading, floor in zip(self.spreadings, self._floors, strict=True):
            domain = state.node.labels.get(spreading.constraint.topology_key)
            if domain is None:
                return True
            if not spreading.moves and spreading.is_uneven(spreading.counts.get(domain, 0), floor):
                return True
        return False

    def _supposed_more(self, spreading: Spreading, state: NodeState) -> int:
        """How many more pods of the kind `state` has; here those that are terminating count."""
        more = sum(
            sign
            for pod, sign in self._supposed(state)
            if pod.namespace == self._request.namespace and matches(spreading.selector, pod.labels)
        )
        return more if more and _takes_part(self._request, spreading.constraint, state) else 0


def prepare(request: PodRequest, snapshot: Snapshot) -> PodTopologySpread | None:
    """The check for a pod with constraints that bind."""
    return PodTopologySpread(request, snapshot) if request.spread else None


def _spreadings(request: PodRequest, snapshot: Snapshot) -> tuple[Spreading, ...]:
    found = []
    for constraint in request.spread:
        selector = with_label_keys(
            constraint.selector, "In", constraint.match_label_keys, request.labels
        )
        counts = _counts(request, constraint, selector, snapshot)
        found.append(Spreading(constraint, selector, matches(selector, request.labels), counts))
    return tuple(found)


def _counts(
    request: PodRequest,
    constraint: SpreadConstraint,
    selector: LabelSelector | None,
    snapshot: Snapshot,
) -> dict[str, int]:
    """Number of pods of the kind by domain, without those that are terminating."""
    is_of_the_kind = packed_matcher(selector if selector else None)
    counts: dict[str, int] = {}
    for state in snapshot.nodes.values():
        if _takes_part(request, constraint, state):
            domain = state.node.labels[constraint.topology_key]
            found = [
                pod
                for pod in state.pods_in(request.namespace)
                if not pod.terminating and is_of_the_kind(pod.packed_labels)
            ]
            counts[domain] = counts.get(domain, 0) + len(found)
    return counts


def _takes_part(request: PodRequest, constraint: SpreadConstraint, state: NodeState) -> bool:
    """Whether the node counts: it has every label, and the inclusion policies let it in."""
    if any(other.topology_key not in state.node.labels for other in request.spread):
        return False
    if constraint.honors_affinity and node_affinity.check(request, state):
        return False
    return not (constraint.honors_taints and taints.check(request, state))
