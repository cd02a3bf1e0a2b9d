"""Pods on their way to a node, each counted where it is expected.

kube-scheduler does the same with its own decisions (it calls them assumed pods); here a pod is
assumed from the moment a start is let through, so that two starts cannot rely on the same room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gpuspawner.capacity.model import TERMINAL_PHASES, Pod, PodRequest, pack

NOWHERE: frozenset[str] = frozenset()
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """A pod that is not bound yet.

    Attributes:
        request: what it asks for.
        pod: the same as it is counted; its `node` is where it is expected, empty if no place is
            known that would take it.
        nodes: the nodes of which it was promised one; empty if it was promised nothing.
    """

    request: PodRequest
    pod: Pod
    nodes: frozenset[str] = field(default=NOWHERE, compare=False, repr=False)


def as_assumed(request: PodRequest, node: str, nodes: frozenset[str] = NOWHERE) -> Assumed:
    """A pod that is expected on a node, of those that it was promised."""
    pod = Pod(
        uid=request.uid,
        namespace=request.namespace,
        name=request.name,
        node=node,
        requests=request.requests,
        terminating=False,
        phase="Pending",
        priority=request.priority,
        packed_labels=pack(request.labels),
        host_ports=request.host_ports,
        anti_affinity=request.pod_anti_affinity,
        claims=request.claims,
    )
    return Assumed(request, pod, nodes)


@dataclass(slots=True)
class _Entry:
    """What is known of an assumed pod.

    Attributes:
        uid: the pod's own, once it was heard of.
        before: of the pod that had its name when it was assumed, whose end is none of its own.
    """

    assumed: Assumed
    uid: str
    before: str


class AssumedPods:
    """Those of one cluster. Each method gives the node whose sums it changed, else an empty name.

    A pod is let go when it is heard of as bound, as over or as deleted, or by `drop`.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._on: dict[str, tuple[Pod, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __iter__(self) -> Iterator[Assumed]:
        return (entry.assumed for entry in self._entries.values())

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def keys(self) -> tuple[Key, ...]:
        """Namespace and name of each."""
        return tuple(self._entries)

    def on(self, node: str) -> tuple[Pod, ...]:
        """Those expected on a node."""
        return self._on.get(node, ())

    def put(self, assumed: Assumed, before: str) -> tuple[str, ...]:
        """Count one from now on, in place of one of the same name.

        Args:
            assumed: the pod.
            before: the uid of the pod that has its name now; empty if there is none.
        """
        pod = assumed.pod
        changed = self.drop(pod.namespace, pod.name)
        self._entries[pod.namespace, pod.name] = _Entry(assumed, pod.uid, before)
        self._on[pod.node or ""] = (*self.on(pod.node or ""), pod)
        return (*changed, pod.node or "")

    def adopt(self, others: AssumedPods) -> tuple[str, ...]:
        """Count those of another table as well, as far as it knows them."""
        new = {key: entry for key, entry in others._entries.items() if key not in self._entries}
        for key, entry in new.items():
            self._entries[key] = replace(entry)
            pod = entry.assumed.pod
            self._on[pod.node or ""] = (*self.on(pod.node or ""), pod)
        return tuple(entry.assumed.pod.node or "" for entry in new.values())

    def drop(self, namespace: str, name: str) -> tuple[str, ...]:
        """Count one no longer."""
        entry = self._entries.pop((namespace, name), None)
        if entry is None:
            return ()
        pod = entry.assumed.pod
        node = pod.node or ""
        self._on[node] = tuple(other for other in self._on[node] if other is not pod)
        if not self._on[node]:
            del self._on[node]
        return (node,)

    def heard_of(self, pod: Pod) -> tuple[str, ...]:
        """A pod is as it is: one that is bound or over is assumed no longer."""
        entry = self._entries.get((pod.namespace, pod.name))
        if entry is None or pod.uid == entry.before:
            return ()
        if pod.holds_capacity or pod.phase in TERMINAL_PHASES:
            return self.drop(pod.namespace, pod.name)
        if not pod.terminating:
            entry.uid = pod.uid
        return ()

    def gone(self, namespace: str, name: str, uid: str) -> tuple[str, ...]:
        """A pod was deleted."""
        entry = self._entries.get((namespace, name))
        if entry is None or not uid or entry.uid != uid:
            return ()
        return self.drop(namespace, name)
