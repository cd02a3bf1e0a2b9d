"""Pods that count on nodes, kept up to date one at a time."""

from __future__ import annotations

from collections.abc import Iterable

from gpuspawner.capacity.model import Pod
from gpuspawner.capacity.node_states import Load
from gpuspawner.capacity.repelling import RepellingPods

_NO_LOAD = Load()


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
        self._loads: dict[str, Load] = {}
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

    def load(self, node: str) -> Load:
        """What is on `node`; live."""
        return self._loads.get(node, _NO_LOAD)

    def held(self, namespace: str, name: str) -> Pod | None:
        """A pod that counts, or for which room was made."""
        return self._held.get((namespace, name))

    def _hold(self, key: tuple[str, str], pod: Pod) -> str:
        if self._previous is not None and self._previous._held.get(key) == pod:
            pod = self._previous._held[key]
        self._held[key] = pod
        node = _place(pod)
        load = self._loads.get(node)
        if load is None:
            load = self._loads[node] = Load()
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
