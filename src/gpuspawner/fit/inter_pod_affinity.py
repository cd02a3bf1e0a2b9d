"""InterPodAffinity: required closeness to other pods, and distance from them.

Three rules: the pod's own affinity, its own anti-affinity, and the anti-affinity of the pods that
are there. A domain is all nodes with the same value of a label; a node without it is in none. Pods
that are terminating count. Namespaces are not watched: of a namespaceSelector only an empty one,
and one for the name that every namespace bears as a label, can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    matches,
    packed_matcher,
    with_label_keys,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.repelling import ANYWHERE
from gpuspawner.fit.nearness import Near
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons, unknown
from gpuspawner.fit.supposing import Supposing

_NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"
_NOT_NEAR = (Reason("node(s) didn't match pod affinity rules", Hindrance.NOT_FOR_POD),)
_TOO_NEAR = (Reason("node(s) didn't match pod anti-affinity rules", Hindrance.FULL),)
_REPELLED = (Reason("node(s) didn't satisfy existing pods anti-affinity rules", Hindrance.FULL),)
_CANNOT_TELL = unknown("namespaceSelector")


_Repelling = tuple[PodAffinityTerm, bool | None, Mapping[str, int]]
"""A term, whether it means the pod that is judged, and how many pods have it, by node."""


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The pods that bear on the one that is judged.

    Attributes:
        wanted: those that its affinity means.
        unwanted: those that its anti-affinity means.
        repelling: those whose anti-affinity means it.
    """

    wanted: Near = field(default_factory=Near)
    unwanted: Near = field(default_factory=Near)
    repelling: Near = field(default_factory=Near)

    def copy(self) -> _Neighbours:
        return _Neighbours(Near(self.wanted), Near(self.unwanted), Near(self.repelling))


class InterPodAffinity(Supposing):
    """The three rules for one pod, counted over a cluster."""

    def __init__(
        self, request: PodRequest, snapshot: Snapshot, repelling: Iterable[_Repelling] = ()
    ) -> None:
        super().__init__(snapshot)
        self._request = request
        self._affinity = [_Meaning(term, request) for term in request.pod_affinity]
        self._anti_affinity = [_Meaning(term, request) for term in request.pod_anti_affinity]
        self._neighbours = _Neighbours()
        for term, is_so, by_node in repelling:
            for name, number in by_node.items():
                if (state := snapshot.nodes.get(name)) is not None:
                    labels = state.node.labels
                    self._neighbours.repelling.add(term.topology_key, labels, number, is_so=is_so)
        if self._affinity or self._anti_affinity:
            self._look_around(snapshot)

    def __call__(self, state: NodeState) -> Reasons:
        """Refuse a node by the first of the rules that does; by none for certain: unknown.

        The node is judged as if it had the pods of `state` and all others those of the snapshot.
        """
        labels, neighbours = state.node.labels, self._supposing(state)
        is_near = self._is_near(labels, neighbours.wanted)
        if is_near is False:
            return _NOT_NEAR
        too_near = _any(neighbours.unwanted.beside(m.key, labels) for m in self._anti_affinity)
        if too_near:
            return _TOO_NEAR
        repelling = neighbours.repelling
        repelled = _any(repelling.beside(key, labels) for key in repelling.keys)
        if repelled:
            return _REPELLED
        return _CANNOT_TELL if None in (is_near, too_near, repelled) else NO_REASONS

    @property
    def is_idle(self) -> bool:
        """Whether nothing anywhere bears on the pod."""
        has_terms = self._affinity or self._anti_affinity
        return not has_terms and self._neighbours.repelling.anywhere() is False

    @property
    def bonds(self) -> frozenset[str] | None:
        """The labels by whose domains copies of the pod must stay together, if it is the first.

        Once there is a pod that it must be near, copies of it change nothing. None: cannot be told.
        """
        found = self._neighbours.wanted.anywhere()
        if found or not self._affinity:
            return frozenset()
        return None if found is None else frozenset(m.key for m in self._affinity)

    @property
    def distances(self) -> frozenset[str] | None:
        """The labels by whose domains the pod keeps copies of itself away; None: cannot be told."""
        means = [(m.key, m.means(self._request)) for m in self._anti_affinity]
        if any(is_so is None for _, is_so in means):
            return None
        return frozenset(key for key, is_so in means if is_so)

    def _is_near(self, labels: Mapping[str, str], wanted: Near) -> bool | None:
        """Whether pods that it must be near are there, or it is the first of them.

        The first of a group whose pods must be near each other may go to any node that has the
        labels, as long as there is none of them anywhere.
        """
        if any(meaning.key not in labels for meaning in self._affinity):
            return False
        is_near = _all(wanted.beside(meaning.key, labels) for meaning in self._affinity)
        if is_near:
            return True
        others = wanted.anywhere()
        is_own_kind = _all(meaning.means(self._request) for meaning in self._affinity)
        if others or is_own_kind is False:
            return is_near
        return is_own_kind if others is False else None

    def _look_around(self, snapshot: Snapshot) -> None:
        """Count what the pod's own terms mean."""
        namespaces: set[str] | None = set()
        for meaning in (*self._affinity, *self._anti_affinity):
            known = meaning.namespaces
            namespaces = None if namespaces is None or known is None else namespaces | known
        for state in snapshot.nodes.values():
            pods = state.pods
            if namespaces is not None:
                pods = tuple(pod for name in namespaces for pod in state.pods_in(name))
            if pods:
                self._count_meant(self._neighbours, pods, state.node.labels, +1)

    def _supposing(self, state: NodeState) -> _Neighbours:
        neighbours = self._neighbours
        for pod, number in self._supposed(state):
            if neighbours is self._neighbours:
                neighbours = neighbours.copy()
            self._count(neighbours, pod, state.node.labels, number)
        return neighbours

    def _count(
        self, neighbours: _Neighbours, pod: Pod, labels: Mapping[str, str], number: int
    ) -> None:
        for term in pod.anti_affinity:
            is_so = _means(term, pod.namespace, self._request)
            neighbours.repelling.add(term.topology_key, labels, number, is_so=is_so)
        self._count_meant(neighbours, (pod,), labels, number)

    def _count_meant(
        self, neighbours: _Neighbours, pods: tuple[Pod, ...], labels: Mapping[str, str], number: int
    ) -> None:
        """Count `number` for each of some pods of one node."""
        if self._affinity:
            wanted = [
                means[0] if len(means) == 1 else _all(means)
                for means in zip(
                    *([m.means_pod(pod) for pod in pods] for m in self._affinity), strict=True
                )
            ]
            for meaning in self._affinity:
                neighbours.wanted.add_all(meaning.key, labels, number, wanted)
        for meaning in self._anti_affinity:
            unwanted = [meaning.means_pod(pod) for pod in pods]
            neighbours.unwanted.add_all(meaning.key, labels, number, unwanted)


def prepare(request: PodRequest, snapshot: Snapshot) -> InterPodAffinity | None:
    """The check for a pod with terms, or one that pods which are there keep away."""
    repelling = list(_repelling(request, snapshot))
    if not (request.pod_affinity or request.pod_anti_affinity or repelling):
        return None
    check = InterPodAffinity(request, snapshot, repelling)
    return None if check.is_idle else check


def _repelling(request: PodRequest, snapshot: Snapshot) -> Iterator[_Repelling]:
    """The terms of pods that are there which mean the pod, or perhaps do."""
    for about in (request.namespace, ANYWHERE):
        for (owner, terms), by_node in snapshot.repelling.get(about, {}).items():
            for term in terms:
                if (is_so := _means(term, owner, request)) is not False:
                    yield term, is_so, by_node


class _Meaning:
    """A term of the pod that is judged, as the API server admits it.

    Attributes:
        key: its topology key.
        namespaces: it means no pods of any other; None if that cannot be said beforehand.
    """

    def __init__(self, term: PodAffinityTerm, request: PodRequest) -> None:
        selector = with_label_keys(term.selector, "In", term.match_label_keys, request.labels)
        selector = with_label_keys(selector, "NotIn", term.mismatch_label_keys, request.labels)
        self.key = term.topology_key
        self.namespaces: frozenset[str] | None = None
        if term.namespace_selector is None:
            self.namespaces = frozenset(term.namespaces or (request.namespace,))
        self._selector = selector
        self._is_match = packed_matcher(selector)
        self._reaches = cache(partial(_reaches, term, request.namespace))

    def means_pod(self, pod: Pod) -> bool | None:
        """Whether it means a pod; None if that cannot be told."""
        return self._is_match(pod.packed_labels) and self._reaches(pod.namespace)

    def means(self, request: PodRequest) -> bool | None:
        """The same of a pod that is yet to be."""
        return matches(self._selector, request.labels) and self._reaches(request.namespace)


def _means(term: PodAffinityTerm, owner: str, request: PodRequest) -> bool | None:
    reaches = _reaches(term, owner, request.namespace)
    return reaches if reaches is False or matches(term.selector, request.labels) else False


def _reaches(term: PodAffinityTerm, owner: str, namespace: str) -> bool | None:
    """Whether a term of a pod in the namespace `owner` is about pods in `namespace`."""
    if namespace in term.namespaces:
        return True
    if term.namespace_selector is None:
        return not term.namespaces and namespace == owner
    return _all(_is_named(expression, namespace) for expression in term.namespace_selector)


def _is_named(expression: Requirement, namespace: str) -> bool | None:
    """What can be told of a namespace's labels: the API server keeps its name among them.

    NotIn is not told: by scheduler 1.36 a selector that only excludes reaches every namespace.
    """
    if expression.key == _NAME_OF_NAMESPACE and expression.operator == "In":
        return namespace in expression.values
    return None


def _any(answers: Iterable[bool | None]) -> bool | None:
    """True if one is, else None if one cannot be told."""
    found: bool | None = False
    for answer in answers:
        if answer:
            return True
        if answer is None:
            found = None
    return found


def _all(answers: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one cannot be told."""
    found: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            found = None
    return found
