"""What required anti-affinity there is among the pods, without looking at every one of them.

Most pods that keep others away do so by the terms of their workload, so that there are few
different ones; and nearly all of these are about pods of their own namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gpuspawner.capacity.model import Pod, PodAffinityTerm

Repeller = tuple[str, tuple[PodAffinityTerm, ...]]
"""The namespace of some pods and the required anti-affinity that they share."""

ANYWHERE = ""
"""In place of a namespace: terms that may be about pods of more than their own."""

Repelling = Mapping[str, Mapping[Repeller, Mapping[str, int]]]
"""How many such pods there are by node, by what they share, by the namespace it is about."""


class RepellingPods:
    """The pods that keep others away, counted one at a time."""

    __slots__ = ("_counts", "_given", "_stale")

    def __init__(self) -> None:
        self._counts: dict[str, dict[Repeller, dict[str, int]]] = {}
        self._given: Repelling = MappingProxyType({})
        self._stale: set[str] = set()

    def count(self, pod: Pod, node: str, number: int) -> None:
        """Count `number` more pods like this one on a node."""
        about, repeller = _about(pod), (pod.namespace, pod.anti_affinity)
        by_node = self._counts.setdefault(about, {}).setdefault(repeller, {})
        by_node[node] = by_node.get(node, 0) + number
        if not by_node[node]:
            del by_node[node]
            if not by_node:
                del self._counts[about][repeller]
        self._stale.add(about)

    def snapshot(self) -> Repelling:
        """The pods now: the same object as before if nothing has changed."""
        if self._stale:
            fresh = {about: _frozen(self._counts[about]) for about in self._stale}
            self._stale.clear()
            now = {about: of for about, of in {**self._given, **fresh}.items() if of}
            self._given = MappingProxyType(now)
        return self._given


def _frozen(counts: Mapping[Repeller, dict[str, int]]) -> Mapping[Repeller, Mapping[str, int]]:
    return {repeller: by_node.copy() for repeller, by_node in counts.items()}


def _about(pod: Pod) -> str:
    if any(term.namespaces or term.namespace_selector is not None for term in pod.anti_affinity):
        return ANYWHERE
    return pod.namespace
