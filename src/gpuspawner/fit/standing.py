"""Verdicts that are kept and brought up to date, so that reading one costs next to nothing.

What `gpuspawner.fit.judge` says afresh is said here by the same code from the same sums, of which
only the nodes that changed are counted anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from gpuspawner.capacity.index import NodeState, Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.fit.delegation import with_delegable
from gpuspawner.fit.examining import Finding, NodeFinding, examine, examine_node
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.tallying import Tally
from gpuspawner.fit.verdict import Verdict, concluding, judge


class StandingVerdicts:
    """Verdicts on the pods that were asked for last, by the snapshots of one index.

    Pods that differ only in what no check of a node looks at (names, labels, volumes) share their
    sums. Snapshots are told apart by their generation, so that no old one is kept.

    Args:
        most: how many verdicts are kept, and the sums that they follow from.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._standing: WeakValueDictionary[Hashable, _Standing] = WeakValueDictionary()
        # By identity, since a request that is asked for again is mostly the same object.
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def steps(self, request: PodRequest, snapshot: Snapshot, nodes: int) -> Iterator[None]:
        """Do what is left to do for `verdict`, and pause after each `nodes` nodes."""
        known = self._of(request)
        if known.generation == snapshot.generation:
            return
        standing = known.standing.towards(snapshot)
        while not standing.settle(snapshot, nodes):
            yield
            standing = standing.towards(snapshot)
        own = with_delegable(request, snapshot)
        survey, tally = Survey(own, snapshot), standing.tally
        if survey:
            # Others may take the sums further during any pause from here on.
            tally = tally.copy()
            # Some checks have looked at every pod to be prepared.
            yield
        basis = _basis(snapshot, tally, survey)
        if basis is None or known.verdict is None or not basis.is_that_of(known.basis):
            known.verdict = yield from concluding(own, snapshot, tally, survey, nodes)
        known.generation, known.basis = snapshot.generation, basis

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        """The verdict of `gpuspawner.fit.judge`."""
        known = self._known.get(id(request))
        if known is None or known.generation != snapshot.generation or known.verdict is None:
            deque(self.steps(request, snapshot, len(snapshot.nodes) + 1), maxlen=0)
            known = self._of(request)
        else:
            self._known.move_to_end(id(request))
        if known.verdict is None:
            return judge(request, snapshot)
        return known.verdict

    def _of(self, request: PodRequest) -> _Known:
        known = self._known.get(id(request))
        if known is None:
            known = self._known[id(request)] = _Known(request, self._alike(request))
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(id(request))
        return known

    def _alike(self, request: PodRequest) -> _Standing:
        key = _local_key(request)
        standing = self._standing.get(key)
        if standing is None:
            standing = self._standing[key] = _Standing(request)
        return standing


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a verdict follows from if no check looks at other nodes, and nobody can be evicted."""

    tally: Tally
    changes: int
    objects: ClusterObjects

    def is_that_of(self, other: _Basis | None) -> bool:
        """Told by identity: to compare what is in them would take longer than a verdict."""
        return (
            other is not None
            and self.changes == other.changes
            and self.tally is other.tally
            and self.objects is other.objects
        )


def _basis(snapshot: Snapshot, tally: Tally, survey: Survey) -> _Basis | None:
    if survey or survey.blocked or tally.evictable:
        return None
    return _Basis(tally, tally.changes, snapshot.objects)


@dataclass(slots=True)
class _Known:
    """A pod that was asked for, and the last verdict on it.

    Attributes:
        generation: of the snapshot that the verdict is on.
        basis: what the verdict follows from.
    """

    request: PodRequest
    standing: _Standing
    generation: int | None = None
    verdict: Verdict | None = None
    basis: _Basis | None = None


class _Standing:
    """The sums for one kind of pod, by the generations of snapshots.

    They only go forward: were two generations settled in turn, each would undo the other's work.
    """

    def __init__(self, request: PodRequest) -> None:
        self._request = request
        self.tally = Tally()
        self._counted: dict[str, tuple[NodeState, NodeFinding, Finding]] = {}
        self._settled: int | None = None
        self._target: int | None = None
        self._pending: list[str] = []

    def towards(self, snapshot: Snapshot) -> _Standing:
        """Itself, or a copy to settle apart if it has gone beyond `snapshot`."""
        reached = self._settled if self._target is None else self._target
        if reached is None or reached <= snapshot.generation:
            return self
        apart = _Standing(self._request)
        apart.tally, apart._counted = self.tally.copy(), self._counted.copy()
        return apart

    def settle(self, snapshot: Snapshot, nodes: int) -> bool:
        if snapshot.generation == self._settled:
            return True
        if snapshot.generation != self._target:
            self._delegate(snapshot)
            self._pending = self._differing(snapshot)
            self._target, self._settled = snapshot.generation, None
        while self._pending and nodes > 0:
            self._count(self._pending.pop(), snapshot)
            nodes -= 1
        if self._pending:
            return False
        self._settled, self._target = snapshot.generation, None
        return True

    def _delegate(self, snapshot: Snapshot) -> None:
        """Start over if device classes have changed what may be delegated to DRA."""
        request = with_delegable(self._request, snapshot)
        if request.delegable != self._request.delegable:
            self._request, self._settled = request, None
            self.tally, self._counted = Tally(), {}

    def _differing(self, snapshot: Snapshot) -> list[str]:
        if self._settled is not None and self._settled + 1 == snapshot.generation:
            return list(snapshot.changed)
        counted = self._counted
        differing = [
            name
            for name, state in snapshot.nodes.items()
            if name not in counted or counted[name][0] is not state
        ]
        differing += [name for name in counted if name not in snapshot.nodes]
        return differing

    def _count(self, name: str, snapshot: Snapshot) -> None:
        before, state = self._counted.get(name), snapshot.nodes.get(name)
        if before is None or state is None or before[0].node is not state.node:
            self._count_anew(name, state)
            return
        _, node, known = before
        finding = known
        # Whatever runs on it, one that is not for the pod will not be.
        if Hindrance.NOT_FOR_POD not in node.hindrances:
            finding = examine(self._request, state, node)
            if finding == known:
                finding = known
            else:
                self.tally.drop(name, known)
                self.tally.put(name, finding)
        self._counted[name] = (state, node, finding)

    def _count_anew(self, name: str, state: NodeState | None) -> None:
        before = self._counted.pop(name, None)
        if before is not None:
            self.tally.drop(name, before[2])
        self.tally.largest = None
        if state is None:
            return
        node = examine_node(self._request, state)
        finding = examine(self._request, state, node)
        self.tally.put(name, finding)
        self._counted[name] = (state, node, finding)


def _local_key(request: PodRequest) -> Hashable:
    """All that the checks of a node and of its pods look at."""
    return (
        tuple(request.requests.items()),
        tuple(request.node_selector.items()),
        request.affinity,
        request.tolerations,
        request.node_name,
        request.host_ports,
        request.priority,
        request.uid,
    )
