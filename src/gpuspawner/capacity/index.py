"""Nodes and what their pods take of them, kept up to date one object at a time.

Which pods count is the scheduler's own rule (`Pod.holds_capacity`): bound to a node and in a
phase that is not terminal, terminating ones included.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType

from gpuspawner.capacity.model import Node, Pod, Resources
from gpuspawner.capacity.objects import NO_OBJECTS, ClusterObjects, ObjectTables
from gpuspawner.capacity.repelling import Repelling, RepellingPods

_NAMESPACE = attrgetter("namespace")
_NAME = attrgetter("namespace", "name")


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node and what the pods bound to it have requested.

    Attributes:
        node: the node itself.
        requested: the exact sum over its pods; a resource that nobody requests is left out.
        pod_count: how many pods count against ``allocatable["pods"]``.
        pods: those pods, by namespace and name.
        nominated: pods that wait for this node, where the scheduler has made room for them.
        claims: namespace and name of each PersistentVolumeClaim that its pods mount, in order;
            some twice.
    """

    node: Node
    requested: Resources
    pod_count: int
    pods: tuple[Pod, ...] = ()
    nominated: tuple[Pod, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()

    def pods_in(self, namespace: str) -> tuple[Pod, ...]:
        """Those of one namespace."""
        start = bisect_left(self.pods, namespace, key=_NAMESPACE)
        end = bisect_right(self.pods, namespace, lo=start, key=_NAMESPACE)
        return self.pods[start:end]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one moment; it never changes afterwards.

    Attributes:
        generation: grows by one with every visible change of the index it came from.
        nodes: the nodes by name.
        changed: names of the nodes that differ from the snapshot of the generation before.
        repelling: the pods whose required anti-affinity keeps others away; some may be on nodes
            that are not known.
        objects: what else decides, each kind None while it is not known.
    """

    generation: int
    nodes: Mapping[str, NodeState]
    changed: frozenset[str] = frozenset()
    repelling: Repelling = field(default_factory=dict)
    objects: ClusterObjects = NO_OBJECTS


def summed(node: Node, pods: Iterable[Pod], nominated: Iterable[Pod] = ()) -> NodeState:
    """A node as it would be with just these pods on it."""
    load = _Load()
    for pod in pods:
        load.put(pod)
    load.nominated.extend(nominated)
    return load.state_of(node)


@dataclass(slots=True)
class _Load:
    """The running sums of one node."""

    requested: dict[str, int] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    nominated: list[Pod] = field(default_factory=list)
    claims: list[tuple[str, str]] = field(default_factory=list)

    def state_of(self, node: Node) -> NodeState:
        """The node as these pods make it."""
        return NodeState(
            node,
            MappingProxyType(self.requested.copy()),
            len(self.pods),
            tuple(self.pods),
            tuple(self.nominated),
            tuple(self.claims),
        )

    def put(self, pod: Pod) -> None:
        if not pod.holds_capacity:
            insort(self.nominated, pod, key=_NAME)
            return
        insort(self.pods, pod, key=_NAME)
        self._count(pod, +1)

    def drop(self, pod: Pod) -> None:
        if not pod.holds_capacity:
            self.nominated.remove(pod)
            return
        self.pods.remove(pod)
        self._count(pod, -1)

    def _count(self, pod: Pod, sign: int) -> None:
        for name in pod.claims:
            claim = (pod.namespace, name)
            if sign > 0:
                insort(self.claims, claim)
            else:
                self.claims.remove(claim)
        for resource, amount in pod.requests.items():
            total = self.requested.get(resource, 0) + sign * amount
            if total:
                self.requested[resource] = total
            else:
                # Left at zero it would tell this index from one built afresh.
                self.requested.pop(resource, None)


_NO_LOAD = _Load()


class PodTable:
    """The pods that count on nodes, and their sums by the name of the node.

    A node need not be known for its pods to be counted. `put` and `drop` return the names of
    the nodes whose sums they changed.

    Args:
        pods: the first ones.
        previous: a table whose pods are used again where they are equal, so that what did not
            change is the same object.

    Attributes:
        repelling: those that keep others away.
    """

    __slots__ = ("_held", "_loads", "_previous", "repelling")

    def __init__(self, pods: Iterable[Pod] = (), previous: PodTable | None = None) -> None:
        self._held: dict[tuple[str, str], Pod] = {}
        self._loads: dict[str, _Load] = {}
        self.repelling = RepellingPods()
        self._previous = previous
        for pod in pods:
            self.put(pod)

    def put(self, pod: Pod) -> tuple[str, ...]:
        """Take in `pod` in place of whatever had its namespace and name."""
        key = (pod.namespace, pod.name)
        before = self._held.get(key)
        if not (pod.holds_capacity or pod.is_nominated):
            return () if before is None else (self._release(key, before),)
        if before is None:
            return (self._hold(key, pod),)
        if before == pod:
            return ()
        return (self._release(key, before), self._hold(key, pod))

    def drop(self, namespace: str, name: str, uid: str) -> tuple[str, ...]:
        """Let go of a pod, unless another of the same name (a different `uid`) has its place."""
        key = (namespace, name)
        held = self._held.get(key)
        if held is None or held.uid != uid:
            return ()
        return (self._release(key, held),)

    def settle(self) -> None:
        """The table is complete: what it was compared to is let go."""
        self._previous = None

    def load(self, node: str) -> _Load:
        """What is on `node`; live."""
        return self._loads.get(node, _NO_LOAD)

    def _hold(self, key: tuple[str, str], pod: Pod) -> str:
        if self._previous is not None and self._previous._held.get(key) == pod:
            pod = self._previous._held[key]
        self._held[key] = pod
        node = _place(pod)
        load = self._loads.get(node)
        if load is None:
            load = self._loads[node] = _Load()
        load.put(pod)
        if pod.anti_affinity and pod.holds_capacity:
            self.repelling.count(pod, node, +1)
        return node

    def _release(self, key: tuple[str, str], held: Pod) -> str:
        del self._held[key]
        node = _place(held)
        load = self._loads[node]
        load.drop(held)
        if held.anti_affinity and held.holds_capacity:
            self.repelling.count(held, node, -1)
        if not load.pods and not load.nominated:
            del self._loads[node]
        return node


def _place(pod: Pod) -> str:
    return pod.node or pod.nominated_node or ""


class ClusterIndex:
    """The cluster as last heard of; `snapshot` gives it away.

    Nodes and pods may come in any order, twice or late: the same name with a new uid replaces,
    and a drop that names another uid than the one held is ignored.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._pods = PodTable()
        self._changed: set[str] = set()
        self._states: dict[str, NodeState] = {}
        self._snapshot = Snapshot(0, MappingProxyType(self._states))
        self.objects = ObjectTables()

    def pod_table(self) -> PodTable:
        """An empty table for a full list of pods, which shares what did not change."""
        return PodTable(previous=self._pods)

    def replace_nodes(self, nodes: Iterable[Node]) -> None:
        """Take a full list of nodes; whatever is not in it is gone."""
        held = self._nodes
        # What did not change stays the same object, so that later comparisons are cheap.
        self._nodes = {
            node.name: held[node.name] if held.get(node.name) == node else node for node in nodes
        }
        names = held.keys() | self._nodes
        self._changed.update(n for n in names if held.get(n) is not self._nodes.get(n))

    def replace_pods(self, pods: Iterable[Pod]) -> None:
        """Take a full list of pods; whatever is not in it is gone."""
        self.adopt_pods(PodTable(pods))

    def adopt_pods(self, pods: PodTable) -> None:
        """Take a full list of pods that was summed up elsewhere, and find the nodes that differ.

        The caller gives the table away: it must not touch it again.
        """
        pods.settle()
        before, self._pods = self._pods, pods
        self._changed.update(name for name in self._nodes if before.load(name) != pods.load(name))

    def put_node(self, node: Node) -> None:
        """Take in `node` in place of whatever had its name."""
        self._nodes[node.name] = node
        self._changed.add(node.name)

    def drop_node(self, name: str, uid: str) -> None:
        """Let go of a node, unless another of the same name has its place."""
        held = self._nodes.get(name)
        if held is not None and held.uid == uid:
            del self._nodes[name]
            self._changed.add(name)

    def put_pod(self, pod: Pod) -> None:
        """Take in `pod` in place of whatever had its namespace and name."""
        self._changed.update(self._pods.put(pod))

    def drop_pod(self, namespace: str, name: str, uid: str) -> None:
        """Let go of a pod, unless another of the same name has its place."""
        self._changed.update(self._pods.drop(namespace, name, uid))

    def snapshot(self) -> Snapshot:
        """The cluster now: the same object as before if nothing visible has changed.

        The state of every node that did not change is shared with the snapshot before.
        """
        objects = self.objects.snapshot()
        if not self._changed and objects is self._snapshot.objects:
            return self._snapshot
        states = self._states.copy()
        differs = frozenset(name for name in self._changed if self._refresh(states, name))
        self._changed.clear()
        if differs or objects is not self._snapshot.objects:
            self._states = states
            self._snapshot = Snapshot(
                generation=self._snapshot.generation + 1,
                nodes=MappingProxyType(states),
                changed=differs,
                repelling=self._pods.repelling.snapshot(),
                objects=objects,
            )
        return self._snapshot

    def _refresh(self, states: dict[str, NodeState], name: str) -> bool:
        before = states.get(name)
        node = self._nodes.get(name)
        if node is None:
            states.pop(name, None)
            return before is not None
        state = self._pods.load(name).state_of(node)
        if before == state:
            return False
        states[name] = state
        return True
