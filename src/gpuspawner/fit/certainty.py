"""Whether a pod fits wherever those go that are not bound yet, and they wherever it goes.

They are counted where they are expected (`gpuspawner.capacity.assumed`), but the scheduler decides
where they go, and in which order. A start may be promised only room that is left in any case, and
that leaves room in any case for those that were promised it before; it may be refused at once only
if none is left in any case.

The first is shown by prices. Let each node that takes a pod have a price. To keep the pod off a
node, others must take more of some resource than it has to spare; each of them is charged the
price of the node times the share it takes of that, on the node where this is the most. If what
all others are charged is less than the prices of all the nodes, one node is left. Several prices
are tried: the same for each node, and what makes one kind of the others pay the same on each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import NodeSelectorTerm, PodRequest, Toleration
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.delegation import with_delegable
from gpuspawner.fit.examining import beside_promised, examine, examine_node
from gpuspawner.fit.reasons import NO_REASONS, Hindrance
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.verdict import Verdict

VerdictOn = Callable[[PodRequest, Snapshot], Verdict]
_Kind = tuple[
    tuple[tuple[str, int], ...],
    tuple[tuple[str, str], ...],
    tuple[NodeSelectorTerm, ...] | None,
    tuple[Toleration, ...],
    str,
    int,
]
"""What a pod asks for and where it may go: all that is asked of a node's room."""

_PODS = "pods"
_LOOKS = 4000
"""At how many pairs of a kind and a node is looked, at most: some milliseconds. Beyond it a start
waits for others to find their node."""

_ROUNDING = 1e-9


def fits_wherever(
    request: PodRequest, snapshot: Snapshot, verdict: Verdict, verdict_on: VerdictOn
) -> bool:
    """Whether a pod that fits, and all assumed pods, would fit wherever the others went.

    Args:
        request: the pod.
        snapshot: the cluster.
        verdict: on the pod in that cluster; it fits.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.

    Returns:
        True only if that is certain.
    """
    contest = _Contest(request, snapshot)
    if not contest.pending:
        return True
    if contest.is_entangled:
        return False
    return contest.leaves_room_for_it(verdict) and contest.leaves_room_for_others(verdict_on)


def fits_somewhere(request: PodRequest, snapshot: Snapshot, verdict_on: VerdictOn) -> bool:
    """Whether a pod that does not fit might, if the assumed pods went elsewhere.

    Args:
        request: the pod.
        snapshot: the cluster.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.

    Returns:
        False only if that is certain.
    """
    contest = _Contest(request, snapshot)
    if not contest.pending or contest.is_entangled:
        return bool(contest.pending)
    nodes = [state for state in contest.relieved.values() if contest.takes_it(state)]
    if not nodes:
        return False
    confined = [
        (kind, number)
        for kind, number in contest.kinds.items()
        if contest.is_confined(kind, nodes, verdict_on)
    ]
    return all(
        sum(_left(state, resource) for state in nodes)
        - sum(number * by_room(kind).requests.get(resource, 0) for kind, number in confined)
        >= asked
        for resource, asked in request.requests.items()
    )


def open_nodes(request: PodRequest, snapshot: Snapshot, verdict: Verdict) -> frozenset[str]:
    """The nodes that take a pod now, and those that would if assumed pods went elsewhere."""
    contest = _Contest(request, snapshot)
    relieved = (name for name, state in contest.relieved.items() if contest.takes_it(state))
    return frozenset(verdict.nodes).union(relieved)


def room_requests(snapshot: Snapshot) -> list[PodRequest]:
    """Pods whose verdicts the functions here ask for; those of old stay the same objects."""
    return [by_room(kind) for kind in {_kind_of(one.request): None for one in snapshot.assumed}]


@lru_cache(maxsize=1024)
def by_room(kind: _Kind) -> PodRequest:
    """A pod of a kind that needs nothing but room."""
    requests, node_selector, affinity, tolerations, node_name, priority = kind
    return PodRequest(
        namespace="",
        labels={},
        requests=dict(requests),
        node_selector=dict(node_selector),
        affinity=affinity,
        tolerations=tolerations,
        node_name=node_name,
        priority=priority,
        preempts=False,
    )


class _Contest:
    """A pod, and the assumed ones of others.

    Attributes:
        pending: the others.
        kinds: how many of them there are of each kind.
        relieved: the nodes where they are expected, without them.
    """

    def __init__(self, request: PodRequest, snapshot: Snapshot) -> None:
        own = (request.namespace, request.name)
        self._request, self._snapshot = request, snapshot
        self.pending = [one for one in snapshot.assumed if _key(one) != own]
        self.kinds: dict[_Kind, int] = {}
        for one in self.pending:
            kind = _kind_of(one.request)
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.relieved = {state.node.name: state for state in _relieved(snapshot, self.pending)}
        self._survey = Survey(request, snapshot) if self.pending else None
        self._looks = 0

    @property
    def is_entangled(self) -> bool:
        """Whether more than room decides: where each goes bears on other nodes."""
        request, others = self._request, [one.request for one in self.pending]
        return bool(
            request.spread
            or request.pod_affinity
            or request.pod_anti_affinity
            or request.resource_claims
            or with_delegable(request, self._snapshot).delegable
            or any(other.pod_anti_affinity or other.spread for other in others)
            or (request.host_ports and any(other.host_ports for other in others))
            or self._shares_an_unbound_claim
        )

    @property
    def _shares_an_unbound_claim(self) -> bool:
        """Whoever comes first binds it to a volume, which may be of one place only."""
        mine, claims = self._request, self._snapshot.objects.claims or {}
        shared = set(mine.claims).intersection(
            name
            for one in self.pending
            if one.request.namespace == mine.namespace
            for name in one.request.claims
        )
        return any(
            (claim := claims.get((mine.namespace, name))) is None or not claim.is_bound
            for name in shared
        )

    def takes_it(self, state: NodeState) -> bool:
        """Whether a node takes the pod."""
        survey = self._survey
        if examine(self._request, state).first or survey is None or survey.blocked is not None:
            return False
        return not survey or survey.refusal(state) == NO_REASONS

    def leaves_room_for_it(self, verdict: Verdict) -> bool:
        """Whether the others cannot keep the pod off each node that takes it."""
        most = len(self.pending)
        # Each of the others can keep it off one node at most.
        nodes = list(islice(filter(self._is_open_to_all, self._open_states(verdict)), most + 1))
        return len(nodes) > most or self._cannot_be_filled(self._request, nodes, self.kinds)

    def leaves_room_for_others(self, verdict_on: VerdictOn) -> bool:
        """Whether the pod and the rest cannot keep any of the others off what it was promised."""
        most = len(self.pending)
        mine = _kind_of(self._request)
        takers = {kind: self._takers(kind, verdict_on) for kind in self.kinds}
        known: dict[tuple[_Kind, frozenset[str]], bool] = {}
        for one in self.pending:
            kind = _kind_of(one.request)
            names = one.nodes & takers[kind]
            if not one.nodes or len(names) > most:
                continue
            case = (kind, names)
            if case not in known:
                rest = {**self.kinds, mine: self.kinds.get(mine, 0) + 1}
                rest[kind] -= 1
                nodes = [self._bare(name) for name in names]
                known[case] = self._cannot_be_filled(by_room(kind), nodes, rest)
            if not known[case]:
                return False
        return True

    def _takers(self, kind: _Kind, verdict_on: VerdictOn) -> frozenset[str]:
        """The nodes with room for a kind if no assumed pod goes there."""
        room = verdict_on(by_room(kind), self._snapshot).nodes
        return frozenset(room).union(
            name
            for name, state in self.relieved.items()
            if name not in room and not examine(by_room(kind), state).first
        )

    def is_confined(self, kind: _Kind, nodes: Iterable[NodeState], verdict_on: VerdictOn) -> bool:
        """Whether pods of a kind have nowhere to go but to these nodes."""
        verdict = verdict_on(by_room(kind), self._snapshot)
        if verdict.fits is None:
            return False
        names = {state.node.name for state in nodes}
        if len(verdict.nodes) > len(names) or not names.issuperset(verdict.nodes):
            return False
        return names.issuperset(
            name for name, state in self.relieved.items() if not examine(by_room(kind), state).first
        )

    def _bare(self, name: str) -> NodeState:
        return self.relieved[name] if name in self.relieved else self._snapshot.nodes[name]

    def _open_states(self, verdict: Verdict) -> Iterator[NodeState]:
        """The nodes that take the pod if no assumed pod goes there."""
        for name in verdict.nodes:
            yield self._bare(name)
        for name, state in self.relieved.items():
            if name not in verdict.nodes and self.takes_it(state):
                yield state

    def _is_open_to_all(self, state: NodeState) -> bool:
        """Whether the checks of the cluster let the pod beside all assumed pods at once."""
        if not self._survey:
            return True
        node = state.node
        crowd = [*state.pods, *(one.pod.bound_to(node.name) for one in self.pending)]
        return self._survey.refusal(summed(node, crowd, state.nominated)) == NO_REASONS

    def _cannot_be_filled(
        self, request: PodRequest, nodes: Sequence[NodeState], kinds: Mapping[_Kind, int]
    ) -> bool:
        self._looks += len(kinds) * len(nodes)
        if self._looks > _LOOKS:
            return False
        states = [beside_promised(request, state) for state in nodes]
        numbers = [number for number in kinds.values() if number]
        shares = [
            [_share(by_room(kind), request, state) for state in states]
            for kind, number in kinds.items()
            if number
        ]
        return any(
            sum(
                number * max(map(float.__mul__, prices, share), default=0.0)
                for number, share in zip(numbers, shares, strict=True)
            )
            < sum(prices) * (1 - _ROUNDING)
            for prices in _prices(len(nodes), shares)
        )


def _key(one: Assumed) -> tuple[str, str]:
    return one.pod.namespace, one.pod.name


def _kind_of(request: PodRequest) -> _Kind:
    return (
        tuple(sorted(request.requests.items())),
        tuple(sorted(request.node_selector.items())),
        request.affinity,
        request.tolerations,
        request.node_name,
        request.priority,
    )


def _relieved(snapshot: Snapshot, pending: Sequence[Assumed]) -> Iterator[NodeState]:
    names = {_key(one): one.pod.node for one in pending}
    for node in sorted({name for name in names.values() if name}):
        state = snapshot.nodes.get(node)
        if state is not None:
            kept = [pod for pod in state.pods if names.get((pod.namespace, pod.name)) != node]
            yield summed(state.node, kept, state.nominated)


def _prices(nodes: int, shares: Iterable[Sequence[float]]) -> Iterator[Sequence[float]]:
    yield [1.0] * nodes
    for share in islice(shares, 8):
        highest = max((1 / part for part in share if part), default=1.0)
        yield [1 / part if part else highest for part in share]


def _share(kind: PodRequest, request: PodRequest, state: NodeState) -> float:
    """How much one of a kind takes of what it takes to keep the pod off a node; 1 at most."""
    if Hindrance.NOT_FOR_POD in examine_node(kind, state).hindrances:
        return 0.0
    places = state.node.allocatable.get(_PODS, 0) - state.pod_count
    share = 1 / max(1, places)
    for resource, asked in request.requests.items():
        taken = kind.requests.get(resource, 0)
        if asked > 0 and taken > 0:
            share = max(share, taken / max(1, _left(state, resource) - asked + 1))
    return min(1.0, share)


def _left(state: NodeState, resource: str) -> int:
    return max(0, state.node.allocatable.get(resource, 0) - state.requested.get(resource, 0))
