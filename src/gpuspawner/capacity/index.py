"""The cluster as last heard of, kept up to date one object at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gpuspawner.capacity.model import Node, Pod
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import NO_OBJECTS, ClusterObjects, ObjectTables
from gpuspawner.capacity.parted import PartedMapping
from gpuspawner.capacity.pod_table import PodTable
from gpuspawner.capacity.repelling import Repelling


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


class ClusterIndex:
    """The cluster as last heard of; `snapshot` gives it away.

    Nodes and pods may come in any order, twice or late: the same name with a new uid replaces,
    and a drop that names another uid than the one held is ignored.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._pods = PodTable()
        self._changed: set[str] = set()
        self._states: PartedMapping[NodeState] = PartedMapping()
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

    def _refresh(self, states: PartedMapping[NodeState], name: str) -> bool:
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
