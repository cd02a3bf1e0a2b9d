"""A pod, and the pods of others that are on no node yet: who can be where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.alike import Kind, by_room, kind_of
from gpuspawner.fit.entangling import is_entangled
from gpuspawner.fit.examining import beside_promised, examine
from gpuspawner.fit.pricing import one_is_left, share, units_of
from gpuspawner.fit.reasons import NO_REASONS
from gpuspawner.fit.scaling import NodeTemplate, grown, new_nodes
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.verdict import Verdict

VerdictOn = Callable[[PodRequest, Snapshot], Verdict]
_LOOKS = 4000
"""At how many pairs of a kind and a node is looked, at most: some milliseconds. Beyond it a start
waits for others to find their node."""


@dataclass(frozen=True, slots=True)
class _Sort:
    """Pods that may take the same room.

    Attributes:
        may_get_new: whether a node that is yet to come may be theirs. One with room on a node that
            is there is bound within moments, and a new node takes minutes.
        places: names of the nodes that are there and may be theirs; None: any with room. Those who
            have no place wait for a new node: they are taken to go only where they could be now.
    """

    kind: Kind
    may_get_new: bool
    places: frozenset[str] | None = None


class Contest:
    """A pod, and the assumed ones of others.

    Args:
        request: the pod.
        snapshot: the cluster.
        templates: the pools that may get new nodes.

    Attributes:
        pending: the others.
        kinds: how many of them there are of each kind.
        relieved: the nodes where they are expected, without them.
        new: the nodes by which pools may grow, as many as may matter.
        is_entangled: whether more than room decides: where each goes bears on other nodes.
    """

    def __init__(
        self, request: PodRequest, snapshot: Snapshot, templates: Iterable[NodeTemplate] = ()
    ) -> None:
        own = (request.namespace, request.name)
        self._request, self._snapshot = request, snapshot
        self.pending = [one for one in snapshot.assumed if _key(one) != own]
        self.kinds = Counter(kind_of(one.request) for one in self.pending)
        self.relieved = {state.node.name: state for state in _relieved(snapshot, self.pending)}
        self._growing = list(new_nodes(snapshot, templates, len(self.pending) + 1))
        self.new = {
            name: replace(found.state, node=replace(found.state.node, name=name))
            for found in self._growing
            for name in _names(found.state.node.name, found.number)
        }
        self._grown = grown(snapshot, self.new) if self.new else snapshot
        self._survey = Survey(request, self._grown) if self.pending or self.new else None
        self._known_takers: dict[Kind, frozenset[str]] = {}
        self._looks = 0

    @property
    def is_entangled(self) -> bool:
        """Whether more than room decides: where each goes bears on other nodes."""
        return is_entangled(self._request, self.pending, self._snapshot)

    @property
    def has_a_new_node_for_each(self) -> bool:
        """Whether the pod and all others can have a node of their own that is yet to come."""
        return all(not one.pod.node for one in self.pending) and len(self.pending) < sum(
            map(self.takes_it, self.new.values())
        )

    def takes_it(self, state: NodeState) -> bool:
        """Whether a node takes the pod."""
        survey = self._survey
        if examine(self._request, state).first or survey is None or survey.blocked is not None:
            return False
        return not survey or survey.refusal(state) == NO_REASONS

    def leaves_room_for_it(self, verdict: Verdict, verdict_on: VerdictOn) -> bool:
        """Whether the others cannot keep the pod off each node that takes it."""
        most = len(self.pending)
        # Each of the others can keep it off one node at most.
        nodes = list(islice(filter(self._is_open_to_all, self._open_states(verdict)), most + 1))
        others = Counter(self._sort_of(one, verdict_on) for one in self.pending)
        return len(nodes) > most or self._one_is_left(self._request, nodes, others)

    def leaves_room_for_others(self, verdict: Verdict, verdict_on: VerdictOn) -> bool:
        """Whether the pod and the rest cannot keep any of the others off what it was promised."""
        sorts = [self._sort_of(one, verdict_on) for one in self.pending]
        mine = _Sort(kind_of(self._request), not verdict.fits, self._places(verdict))
        known: dict[tuple[_Sort, frozenset[str]], bool] = {}
        for one, sort in zip(self.pending, sorts, strict=True):
            names = self._promised(one, verdict_on)
            if len(names) > len(self.pending):
                continue
            case = (sort, names)
            if case not in known:
                rest = Counter([mine, *sorts])
                rest[sort] -= 1
                nodes = [self._bare(name) for name in names]
                in_the_way = self._bears_on(mine, sort, nodes)
                known[case] = not in_the_way or self._one_is_left(by_room(sort.kind), nodes, rest)
            if not known[case]:
                return False
        return True

    def is_confined(self, kind: Kind, nodes: Iterable[NodeState], verdict_on: VerdictOn) -> bool:
        """Whether pods of a kind have nowhere to go but to these nodes."""
        verdict = verdict_on(by_room(kind), self._snapshot)
        if verdict.fits is None:
            return False
        names = {state.node.name for state in nodes}
        if len(verdict.nodes) > len(names) or not names.issuperset(verdict.nodes):
            return False
        room = (name for name, state in self.relieved.items() if _has_room(kind, state))
        return names.issuperset(room) and all(
            found.is_all and names.issuperset(_names(found.state.node.name, found.number))
            for found in self._growing
            if _has_room(kind, found.state)
        )

    def _sort_of(self, one: Assumed, verdict_on: VerdictOn) -> _Sort:
        kind = kind_of(one.request)
        if not one.pod.node:
            verdict = verdict_on(one.request, self._snapshot)
            freed = (name for name, state in self.relieved.items() if _has_room(kind, state))
            places = None if verdict.fits is None else frozenset(verdict.nodes).union(freed)
            return _Sort(kind, may_get_new=True, places=places)
        has_room = not self.new or not one.nodes.isdisjoint(self._takers(kind, verdict_on))
        return _Sort(kind, may_get_new=not has_room)

    def _places(self, verdict: Verdict) -> frozenset[str] | None:
        if verdict.fits:
            return None
        return frozenset(name for name, state in self.relieved.items() if self.takes_it(state))

    def _promised(self, one: Assumed, verdict_on: VerdictOn) -> frozenset[str]:
        """The nodes that are left of those that one was promised; none if it was promised none.

        Who was let through without a place waits for a new node, or for any that takes it.
        """
        names = one.nodes
        if names:
            names &= self._takers(kind_of(one.request), verdict_on)
        if one.pod.node or one.request.gates:
            return names
        names = names.union(verdict_on(one.request, self._snapshot).nodes)
        if not self.new:
            return names
        survey = Survey(one.request, self._grown)
        return names.union(
            name
            for name, state in self.new.items()
            if not examine(one.request, state).first
            and survey.blocked is None
            and survey.refusal(state) == NO_REASONS
        )

    def _takers(self, kind: Kind, verdict_on: VerdictOn) -> frozenset[str]:
        """The nodes with room for a kind if no assumed pod goes there."""
        takers = self._known_takers.get(kind)
        if takers is None:
            room = verdict_on(by_room(kind), self._snapshot).nodes
            takers = self._known_takers[kind] = frozenset(room).union(
                name
                for name, state in self.relieved.items()
                if name not in room and _has_room(kind, state)
            )
        return takers

    def _bare(self, name: str) -> NodeState:
        return self.relieved.get(name) or self.new.get(name) or self._snapshot.nodes[name]

    def _open_states(self, verdict: Verdict) -> Iterator[NodeState]:
        """The nodes that take the pod if no assumed pod goes there."""
        for name in verdict.nodes:
            yield self._bare(name)
        for name, state in self.relieved.items():
            if name not in verdict.nodes and self.takes_it(state):
                yield state
        if not verdict.fits:
            yield from filter(self.takes_it, self.new.values())

    def _is_open_to_all(self, state: NodeState) -> bool:
        """Whether the checks of the cluster let the pod beside all assumed pods at once."""
        if not self._survey:
            return True
        node = state.node
        crowd = [*state.pods, *(one.pod.bound_to(node.name) for one in self.pending)]
        return self._survey.refusal(summed(node, crowd, state.nominated)) == NO_REASONS

    def _one_is_left(
        self, request: PodRequest, nodes: Sequence[NodeState], sorts: Mapping[_Sort, int]
    ) -> bool:
        self._looks += len(sorts) * len(nodes)
        if self._looks > _LOOKS:
            return False
        sorts = {sort: number for sort, number in sorts.items() if number}
        units = units_of(by_room(sort.kind) for sort in sorts)
        others = [
            (number, [self._share(sort, request, state, units) for state in nodes])
            for sort, number in sorts.items()
        ]
        return one_is_left(len(nodes), others)

    def _bears_on(self, mine: _Sort, other: _Sort, nodes: Iterable[NodeState]) -> bool:
        """Whether the pod may take some of the nodes of another, or of one that comes up for it."""
        if mine.may_get_new and other.may_get_new:
            coming = (state for found in self._growing for state in found.coming)
            if any(_has_room(mine.kind, new) and _has_room(other.kind, new) for new in coming):
                return True
        return any(self._share(mine, by_room(other.kind), state, {}) for state in nodes)

    def _share(
        self, sort: _Sort, request: PodRequest, state: NodeState, units: Mapping[str, int]
    ) -> float:
        if state.node.name in self.new:
            if not sort.may_get_new:
                return 0.0
        elif sort.places is not None and state.node.name not in sort.places:
            return 0.0
        return share(by_room(sort.kind), request, beside_promised(request, state), units)


def _has_room(kind: Kind, state: NodeState) -> bool:
    return not examine(by_room(kind), state).first


def _names(node: str, number: int) -> list[str]:
    return [f"{node} ({one})" for one in range(1, number + 1)]


def _key(one: Assumed) -> tuple[str, str]:
    return one.pod.namespace, one.pod.name


def _relieved(snapshot: Snapshot, pending: Sequence[Assumed]) -> Iterator[NodeState]:
    names = {_key(one): one.pod.node for one in pending}
    for node in sorted({name for name in names.values() if name}):
        state = snapshot.nodes.get(node)
        if state is not None:
            kept = [pod for pod in state.pods if names.get((pod.namespace, pod.name)) != node]
            yield summed(state.node, kept, state.nominated)
