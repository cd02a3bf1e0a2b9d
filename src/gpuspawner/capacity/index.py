"""Nodes and what their pods take of them, kept up to date one object at a time.

Which pods count is the scheduler's own rule (`Pod.holds_capacity`): bound to a node and in a
phase that is not terminal, terminating ones included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gpuspawner.capacity.model import Node, Pod, Resources

NOTHING: Resources = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node and what the pods bound to it have requested.

    Attributes:
        node: the node itself.
        requested: the exact sum over its pods; a resource that nobody requests is left out.
        pod_count: how many pods count against ``allocatable["pods"]``.
    """

    node: Node
    requested: Resources
    pod_count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one moment; it never changes afterwards.

    Attributes:
        generation: grows by one with every visible change of the index it came from.
        nodes: the nodes by name.
    """

    generation: int
    nodes: Mapping[str, NodeState]


@dataclass(slots=True)
class _Load:
    """The running sums of one node."""

    requested: dict[str, int]
    pod_count: int = 0

    def count(self, requests: Resources, sign: int) -> None:
        self.pod_count += sign
        for resource, amount in requests.items():
            total = self.requested.get(resource, 0) + sign * amount
            if total:
                self.requested[resource] = total
            else:
                # Left at zero it would tell this index from one built afresh.
                self.requested.pop(resource, None)


@dataclass(frozen=True, slots=True)
class _Held:
    """What is kept of a pod."""

    uid: str
    node: str
    requests: Resources


class PodTable:
    """The pods that hold capacity, and their sums by the name of the node.

    A node need not be known for its pods to be counted. `put` and `drop` return the name of
    the nodes whose sums they changed.
    """

    __slots__ = ("_held", "_interned", "_loads")

    def __init__(self, pods: Iterable[Pod] = ()) -> None:
        self._held: dict[tuple[str, str], _Held] = {}
        self._loads: dict[str, _Load] = {}
        self._interned: dict[tuple[tuple[str, int], ...], Resources] = {}
        for pod in pods:
            self.put(pod)

    def put(self, pod: Pod) -> tuple[str, ...]:
        """Take in `pod` in place of whatever had its namespace and name."""
        key = (pod.namespace, pod.name)
        before = self._held.get(key)
        if pod.node is None or not pod.holds_capacity:
            return () if before is None else self._release(key, before)
        if before is None:
            return (self._hold(key, pod, pod.node),)
        if (before.uid, before.node, before.requests) == (pod.uid, pod.node, pod.requests):
            return ()
        return (*self._release(key, before), self._hold(key, pod, pod.node))

    def drop(self, namespace: str, name: str, uid: str) -> tuple[str, ...]:
        """Let go of a pod, unless another of the same name (a different `uid`) has its place."""
        key = (namespace, name)
        held = self._held.get(key)
        if held is None or held.uid != uid:
            return ()
        return self._release(key, held)

    def load(self, node: str) -> tuple[Resources, int]:
        """The requests and the number of the pods on `node`; the mapping is live."""
        load = self._loads.get(node)
        return (NOTHING, 0) if load is None else (load.requested, load.pod_count)

    def _hold(self, key: tuple[str, str], pod: Pod, node: str) -> str:
        # Thousands of pods share a few request vectors.
        requests = self._interned.setdefault(tuple(sorted(pod.requests.items())), pod.requests)
        self._held[key] = _Held(pod.uid, node, requests)
        load = self._loads.get(node)
        if load is None:
            load = self._loads[node] = _Load({})
        load.count(requests, +1)
        return node

    def _release(self, key: tuple[str, str], held: _Held) -> tuple[str, ...]:
        del self._held[key]
        load = self._loads[held.node]
        load.count(held.requests, -1)
        if not load.pod_count:
            del self._loads[held.node]
        return (held.node,)


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

    def replace_nodes(self, nodes: Iterable[Node]) -> None:
        """Take a full list of nodes; whatever is not in it is gone."""
        self._nodes = {node.name: node for node in nodes}
        self._changed.update(self._nodes, self._states)

    def replace_pods(self, pods: Iterable[Pod]) -> None:
        """Take a full list of pods; whatever is not in it is gone."""
        self.adopt_pods(PodTable(pods))

    def adopt_pods(self, pods: PodTable) -> None:
        """Take a full list of pods that was summed up elsewhere, in constant time.

        The caller gives the table away: it must not touch it again.
        """
        self._pods = pods
        self._changed.update(self._nodes)

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
        if self._changed:
            states = self._states.copy()
            differs = [self._refresh(states, name) for name in self._changed]
            self._changed.clear()
            if any(differs):
                generation = self._snapshot.generation + 1
                self._states = states
                self._snapshot = Snapshot(generation, MappingProxyType(states))
        return self._snapshot

    def _refresh(self, states: dict[str, NodeState], name: str) -> bool:
        before = states.get(name)
        node = self._nodes.get(name)
        if node is None:
            states.pop(name, None)
            return before is not None
        requested, pod_count = self._pods.load(name)
        if before is not None and (before.node, before.requested, before.pod_count) == (
            node,
            requested,
            pod_count,
        ):
            return False
        states[name] = NodeState(node, MappingProxyType(dict(requested)), pod_count)
        return True
