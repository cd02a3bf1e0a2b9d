"""Nodes with the sums over the pods on them.

Which pods count is the scheduler's own rule (`Pod.holds_capacity`): bound to a node and in a
phase that is not terminal, terminating ones included.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType

from gpuspawner.capacity.model import Node, Pod, Resources

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


def summed(node: Node, pods: Iterable[Pod], nominated: Iterable[Pod] = ()) -> NodeState:
    """A node as it would be with just these pods on it."""
    load = Load()
    for pod in pods:
        load.put(pod)
    load.nominated.extend(nominated)
    return load.state_of(node)


@dataclass(slots=True)
class Load:
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
        """Count a pod."""
        if not pod.holds_capacity:
            insort(self.nominated, pod, key=_NAME)
            return
        insort(self.pods, pod, key=_NAME)
        self._count(pod, +1)

    def drop(self, pod: Pod) -> None:
        """Count a pod no longer."""
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
