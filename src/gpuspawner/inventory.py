"""The devices of each node: how many there are, are in use, are free."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node
from gpuspawner.fit import Transition, transition_of

_NOT_READY = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "not reachable",
}
_CLOSING = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class NodeDevices:
    """The devices of one kind on one node.

    Attributes:
        allocatable: how many pods can be given.
        used: how many the pods there have asked for.
        free: how many are left, also on a node that takes no pods; None if it is not known.
        unhealthy: how many its device plugin does not hand out.
        closed: why the node takes no pods at present; empty if it takes some.
        transition: what it goes through that explains its figures; None if nothing.
    """

    node: str
    resource: str
    allocatable: int
    used: int
    free: int | None
    unhealthy: int
    closed: tuple[str, ...]
    transition: Transition | None


def devices_in(
    snapshot: Snapshot,
    is_shown: Callable[[str], bool],
    doubtful: Collection[str | None] = (),
) -> Iterator[NodeDevices]:
    """What each node has, by name of the node and the resource.

    Args:
        snapshot: the cluster.
        is_shown: which resources are looked at.
        doubtful: nodes on which something is that cannot be read; None among them, on any.
    """
    for name, state in sorted(snapshot.nodes.items()):
        node = state.node
        closed = closed_by(node)
        for resource in sorted({*node.capacity, *node.allocatable, *state.requested}):
            if not is_shown(resource):
                continue
            allocatable = node.allocatable.get(resource, 0)
            unhealthy = max(0, node.capacity.get(resource, 0) - allocatable)
            # What a device plugin that is gone has handed out is still in use.
            used = state.requested.get(resource, 0)
            if not (allocatable or unhealthy or used):
                continue
            is_known = None not in doubtful and name not in doubtful
            yield NodeDevices(
                node=name,
                resource=resource,
                allocatable=allocatable,
                used=used,
                free=max(0, allocatable - used) if is_known else None,
                unhealthy=unhealthy,
                closed=closed,
                transition=transition_of(node),
            )


def closed_by(node: Node) -> tuple[str, ...]:
    """Why a node takes no pods at present: "cordoned", "not ready" or "not reachable"."""
    return tuple(_closed(node))


def _closed(node: Node) -> Iterator[str]:
    if node.unschedulable:
        yield "cordoned"
    for taint in node.taints:
        if taint.effect in _CLOSING and taint.key in _NOT_READY:
            yield _NOT_READY[taint.key]
            return
