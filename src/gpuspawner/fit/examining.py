"""One node examined for one pod: what every check says of it.

Where the scheduler has made room for other pods that still wait (nominated pods), it asks twice:
beside those of no lower priority as if they ran there already, and without them. Both must pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit import checks, node_ports, resources
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reasons
from gpuspawner.fit.transitions import Note, notes_on


class NodeFinding(msgspec.Struct, frozen=True, gc=False):
    """What holds of a node whatever runs on it.

    Attributes:
        first: the reasons of the first check that refuses.
        hindrances: those of all checks.
        slots_if_empty: how many such pods it would take if nothing ran on it; 0 if it is not for
            the pod.
        notes: what the node is going through, if it is for the pod.
        devices: how many it has of each device that the pod asks for, if it is for the pod.
    """

    first: Reasons
    hindrances: frozenset[Hindrance]
    slots_if_empty: int
    notes: tuple[Note, ...] = ()
    devices: tuple[tuple[str, int], ...] = ()


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What holds of a node now.

    There is one for each node and kind of pod; the garbage collector passes over them.

    Attributes:
        first: the reasons of the first check that refuses; none if the node takes the pod, as far
            as its own state goes.
        hindrances: those of all checks.
        notes: what the node is going through.
        short: the resources it is short of.
        free: what is left of each device the pod asks for, if the node is open and for the pod.
        evictable: whether only what runs there is in the way, and some of it has lower priority.
        slots: how many such pods it takes one after another.
        devices: how many it has of each device that the pod asks for, if it is for the pod.
        held: how many of these pods hold.
    """

    first: Reasons
    hindrances: frozenset[Hindrance]
    slots_if_empty: int
    notes: tuple[Note, ...]
    short: frozenset[str]
    free: tuple[tuple[str, int], ...]
    evictable: bool
    slots: int
    devices: tuple[tuple[str, int], ...] = ()
    held: tuple[tuple[str, int], ...] = ()


_NOTHING_SHORT: frozenset[str] = frozenset()


def examine_node(request: PodRequest, state: NodeState) -> NodeFinding:
    """What the checks of the node alone say."""
    found = [
        reasons for check in checks.OF_THE_NODE if (reasons := check(request, state)) != NO_REASONS
    ]
    hindrances = frozenset(reason.hindrance for reasons in found for reason in reasons)
    is_for_pod = Hindrance.NOT_FOR_POD not in hindrances
    return NodeFinding(
        first=found[0] if found else NO_REASONS,
        hindrances=hindrances,
        slots_if_empty=node_ports.at_most(request, resources.slots_if_empty(request, state.node))
        if is_for_pod
        else 0,
        notes=notes_on(request, state.node) if is_for_pod else (),
        devices=resources.devices_there(request, state.node) if is_for_pod else (),
    )


def examine(request: PodRequest, state: NodeState, node: NodeFinding | None = None) -> Finding:
    """What the checks of a node and of its pods say.

    Args:
        request: the pod.
        state: the node.
        node: what `examine_node` gave for the same node, if that is known.
    """
    if node is None:
        node = examine_node(request, state)
    crowded = beside_promised(request, state)
    room = resources.room(request, crowded)
    found = list(filter(None, (node_ports.check(request, crowded), room.reasons)))
    if not found and crowded is not state:
        found = refusals(request, state)
    first = node.first or (found[0] if found else NO_REASONS)
    hindrances, short = node.hindrances, _NOTHING_SHORT
    if found:
        own = [reason for reasons in found for reason in reasons]
        hindrances = hindrances.union(reason.hindrance for reason in own)
        short = frozenset(reason.resource for reason in own if reason.resource)
    return Finding(
        first=first,
        hindrances=hindrances,
        slots_if_empty=node.slots_if_empty,
        notes=node.notes,
        short=short,
        free=() if node.hindrances else room.free,
        evictable=bool(first) and is_evictable(request, state, first),
        slots=0 if first else node_ports.at_most(request, room.slots),
        devices=node.devices,
        held=room.held if node.devices else (),
    )


def refusals(request: PodRequest, state: NodeState) -> list[Reasons]:
    """The reasons of each check of a node's pods that refuses."""
    return [
        reasons for check in checks.OF_ITS_PODS if (reasons := check(request, state)) != NO_REASONS
    ]


def is_evictable(request: PodRequest, state: NodeState, first: Reasons) -> bool:
    """Whether eviction may do away with `first`, the reasons of the first check that refuses.

    That needs pods of lower priority, which hold as much as the pod is short of.
    """
    if any(reason.hindrance is not Hindrance.FULL for reason in first):
        return False
    priority = request.priority
    lower = [pod for pod in state.pods if pod.priority < priority]
    return bool(lower) and not any(
        reason.asked > reason.offered - _held(reason.resource, state, lower)
        for reason in first
        if reason.resource
    )


def _held(resource: str, state: NodeState, lower: list[Pod]) -> int:
    """How much of a resource would still be held without the pods of lower priority."""
    if resource == "pods":
        return state.pod_count - len(lower)
    return state.requested.get(resource, 0) - sum(pod.requests.get(resource, 0) for pod in lower)


def beside_promised(request: PodRequest, state: NodeState) -> NodeState:
    """The node as if the nominated pods that go before ran there; itself if there are none."""
    if not state.nominated:
        return state
    promised = [
        pod.bound_to(state.node.name)
        for pod in state.nominated
        if pod.priority >= request.priority and not (pod.uid and pod.uid == request.uid)
    ]
    return summed(state.node, [*state.pods, *promised]) if promised else state


def ask(cluster_checks: Iterable[checks.NodeCheck], state: NodeState) -> Reasons:
    """The reasons of the first check of the cluster that refuses for certain, else the unknown."""
    doubts = NO_REASONS
    for check in cluster_checks:
        reasons = check(state)
        if is_certain(reasons):
            return reasons
        doubts += reasons
    return doubts


def is_certain(reasons: Reasons) -> bool:
    """Whether a node is refused for a reason that is known."""
    return any(reason.hindrance is not Hindrance.UNKNOWN for reason in reasons)
