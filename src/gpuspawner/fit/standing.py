"""Verdicts that are kept and brought up to date, so that reading one costs next to nothing.

What `gpuspawner.fit.judge` says afresh is said here by the same code from the same sums, of which
only the nodes that changed are counted anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

import msgspec

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node, PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.capacity.repelling import Repelling
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
        return self._of(request).steps(snapshot, nodes)

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        """The verdict of `gpuspawner.fit.judge`."""
        known = self._of(request)
        if known.generation != snapshot.generation:
            for _ in known.steps(snapshot, len(snapshot.nodes) + 1):
                """Without a pause."""
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


class _Basis(msgspec.Struct, frozen=True):
    """All that a verdict follows from if no check looks at the cluster, and nobody can be evicted.

    Told by identity: to compare what is in them would take longer than a verdict.
    """

    tally: Tally
    changes: int
    objects: ClusterObjects
    repelling: Repelling

    def is_still(self, tally: Tally, snapshot: Snapshot) -> bool:
        return (
            self.changes == tally.changes
            and self.tally is tally
            and self.objects is snapshot.objects
            and self.repelling is snapshot.repelling
        )


def _basis(snapshot: Snapshot, tally: Tally, survey: Survey) -> _Basis | None:
    if survey.is_needed or tally.evictable:
        return None
    return _Basis(tally, tally.changes, snapshot.objects, snapshot.repelling)


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

    def steps(self, snapshot: Snapshot, nodes: int) -> Iterator[None]:
        """Bring the verdict to `snapshot`, and pause after each `nodes` nodes."""
        if self.generation == snapshot.generation:
            return
        standing = self.standing.towards(snapshot)
        while not standing.settle(snapshot, nodes):
            yield
            standing = standing.towards(snapshot)
        tally = standing.tally
        if self.basis is not None and self.basis.is_still(tally, snapshot):
            self.generation = snapshot.generation
            return
        request = with_delegable(self.request, snapshot)
        survey = Survey(request, snapshot)
        basis = _basis(snapshot, tally, survey)
        if survey:
            # Others may take the sums further during any pause from here on.
            tally = tally.copy()
            # Some checks have looked at every pod to be prepared.
            yield
        self.verdict = yield from concluding(request, snapshot, tally, survey, nodes)
        self.generation, self.basis = snapshot.generation, basis


class _Counted(msgspec.Struct, frozen=True, gc=False):
    """A node, as it was counted last.

    Attributes:
        state: None if the node is not for the pod, which it stays whatever runs on it.
        alone: what holds of it whatever runs on it.
        finding: what it was counted by.
    """

    node: Node
    state: NodeState | None
    alone: NodeFinding
    finding: Finding

    def is_of(self, state: NodeState) -> bool:
        return self.node is state.node and (self.state is None or self.state is state)


class _Standing:
    """The sums for one kind of pod, by the generations of snapshots.

    They only go forward: were two generations settled in turn, each would undo the other's work.
    """

    def __init__(self, request: PodRequest) -> None:
        self._request = request
        self.tally = Tally()
        self._counted: dict[str, _Counted] = {}
        # What may be delegated was found out by these.
        self._objects: ClusterObjects | None = None
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
        if snapshot.objects is self._objects:
            return
        self._objects = snapshot.objects
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
            if (known := counted.get(name)) is None or not known.is_of(state)
        ]
        differing += [name for name in counted if name not in snapshot.nodes]
        return differing

    def _count(self, name: str, snapshot: Snapshot) -> None:
        before, state = self._counted.get(name), snapshot.nodes.get(name)
        if before is None or state is None or before.node is not state.node:
            self._count_anew(name, state)
        elif before.state is not None:
            finding = examine(self._request, state, before.alone)
            if finding == before.finding:
                finding = before.finding
            else:
                self.tally.exchange(name, before.finding, finding)
            self._counted[name] = _Counted(state.node, state, before.alone, finding)

    def _count_anew(self, name: str, state: NodeState | None) -> None:
        before = self._counted.pop(name, None)
        if before is not None:
            self.tally.drop(name, before.finding)
        self.tally.largest = None
        if state is None:
            return
        alone = examine_node(self._request, state)
        finding = examine(self._request, state, alone)
        self.tally.put(name, finding)
        is_for_pod = Hindrance.NOT_FOR_POD not in alone.hindrances
        self._counted[name] = _Counted(state.node, state if is_for_pod else None, alone, finding)


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
