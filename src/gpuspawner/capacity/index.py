"""The cluster as last heard of, kept up to date one object at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gpuspawner.capacity.assumed import Assumed, AssumedPods
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.capacity.node_states import NodeState, summed
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
        assumed: pods that are counted where they are expected, since they are not bound yet.
    """

    generation: int
    nodes: Mapping[str, NodeState]
    changed: frozenset[str] = frozenset()
    repelling: Repelling = field(default_factory=dict)
    objects: ClusterObjects = NO_OBJECTS
    assumed: tuple[Assumed, ...] = ()


class ClusterIndex:
    """The cluster as last heard of; `snapshot` gives it away.

    Nodes and pods may come in any order, twice or late: the same name with a new uid replaces,
    and a drop that names another uid than the one held is ignored.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._pods = PodTable()
        self._changed: set[str] = set()
        self._assumed = AssumedPods()
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
        for key in self._assumed.keys():  # noqa: SIM118 - not a dict: some go away meanwhile
            held = pods.held(*key)
            if held is not None:
                self._changed.update(self._assumed.heard_of(held))

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
        self._changed.update(self._assumed.heard_of(pod))

    def drop_pod(self, namespace: str, name: str, uid: str) -> None:
        """Let go of a pod, unless another of the same name has its place."""
        self._changed.update(self._pods.drop(namespace, name, uid))
        self._changed.update(self._assumed.gone(namespace, name, uid))

    def assume(self, assumed: Assumed) -> None:
        """Count a pod that is yet to be bound, until it is, or is over, deleted or let go."""
        pod = assumed.pod
        held = self._pods.held(pod.namespace, pod.name)
        is_it = held is not None and held.uid == pod.uid
        if is_it and held is not None and held.holds_capacity:
            return
        before = "" if held is None or is_it else held.uid
        self._changed.update(self._assumed.put(assumed, before))

    def assume_again(self, assumed: Assumed) -> None:
        """Count a pod that was assumed and has been created by now, unless it counts already."""
        key = assumed.pod.namespace, assumed.pod.name
        held = self._pods.held(*key)
        is_bound = held is not None and held.holds_capacity and not held.terminating
        if key not in self._assumed and not is_bound:
            self.assume(assumed)

    def adopt_assumed(self, other: ClusterIndex) -> None:
        """Count what another index of the same cluster does; it has heard of no pod yet."""
        self._changed.update(self._assumed.adopt(other._assumed))

    def forget_assumed(self, namespace: str, name: str) -> bool:
        """Count a pod no longer that was assumed; whether it was."""
        changed = self._assumed.drop(namespace, name)
        self._changed.update(changed)
        return bool(changed)

    def snapshot(self) -> Snapshot:
        """The cluster now: the same object as before if nothing visible has changed.

        The state of every node that did not change is shared with the snapshot before.
        """
        objects = self.objects.snapshot()
        if not self._changed and objects is self._snapshot.objects:
            return self._snapshot
        assumed = tuple(self._assumed)
        states = self._states.copy()
        differs = frozenset(name for name in self._changed if self._refresh(states, name))
        self._changed.clear()
        same = objects is self._snapshot.objects and assumed == self._snapshot.assumed
        if differs or not same:
            self._states = states
            self._snapshot = Snapshot(
                generation=self._snapshot.generation + 1,
                nodes=MappingProxyType(states),
                changed=differs,
                repelling=self._pods.repelling.snapshot(),
                objects=objects,
                assumed=assumed,
            )
        return self._snapshot

    def _refresh(self, states: PartedMapping[NodeState], name: str) -> bool:
        before = states.get(name)
        node = self._nodes.get(name)
        if node is None:
            states.pop(name, None)
            return before is not None
        state = self._state_of(node)
        if before == state:
            return False
        states[name] = state
        return True

    def _state_of(self, node: Node) -> NodeState:
        load = self._pods.load(node.name)
        assumed = self._assumed.on(node.name)
        if not assumed:
            return load.state_of(node)
        names = {(pod.namespace, pod.name) for pod in assumed}
        # One for which the scheduler has made room meanwhile is counted once.
        nominated = [pod for pod in load.nominated if (pod.namespace, pod.name) not in names]
        return summed(node, [*load.pods, *assumed], nominated)
