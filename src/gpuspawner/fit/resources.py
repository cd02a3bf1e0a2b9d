"""NodeResourcesFit: what the pod asks must be left on the node, and a place for one more pod."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.model import Node, PodRequest, Resources
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.delegation import is_delegated
from gpuspawner.fit.reasons import Hindrance, Reason, Reasons
from gpuspawner.fit.transitions import passing_transition

_PODS = "pods"


class Room(msgspec.Struct, frozen=True, gc=False):
    """What a node has left for a pod.

    Attributes:
        reasons: why it is not enough; none if it is.
        slots: how many such pods the node takes one after another, by resources alone.
        free: what is left of each extended resource that the pod asks for.
        held: how much of it pods hold.
    """

    reasons: Reasons
    slots: int
    free: tuple[tuple[str, int], ...]
    held: tuple[tuple[str, int], ...] = ()


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node that is short of a resource; every resource that is short is a reason."""
    return room(request, state).reasons


def room(request: PodRequest, state: NodeState) -> Room:
    """What is left on the node, in one pass: this is done for each node that changes.

    A resource is short if and only if the pod asks for some of it and for more than what is
    allocatable less what the pods there request. Allocatable that is not given is 0. A resource of
    which the node has none may be delegated to DRA and is not looked at then.
    """
    allocatable, requested = state.node.allocatable, state.requested
    reasons: list[Reason] = []
    free: list[tuple[str, int]] = []
    held: tuple[tuple[str, int], ...] = ()
    places = allocatable.get(_PODS, 0)
    slots = [places - state.pod_count]
    if slots[0] < 1:
        hindrance = Hindrance.FULL if places else Hindrance.CLOSED
        reasons.append(Reason("Too many pods", hindrance, _PODS, 1, places))
    for resource, asked in request.requests.items():
        if asked <= 0 or (request.delegable and is_delegated(request, resource, state.node)):
            continue
        offered = allocatable.get(resource, 0)
        taken = requested.get(resource, 0)
        left = offered - taken
        if left < asked:
            hindrance = _hindrance(resource, asked, state.node)
            reasons.append(Reason(f"Insufficient {resource}", hindrance, resource, asked, offered))
        slots.append(left // asked)
        if "/" in resource:
            free.append((resource, max(0, left)))
            # A device that a pod holds may be gone by now, and is counted nowhere then.
            if taken and (taken := min(taken, devices_on(state.node, resource))):
                held += ((resource, taken),)
    return Room(tuple(reasons), max(0, min(slots)), tuple(free), held)


def devices_on(node: Node, resource: str) -> int:
    """How many devices of an extended resource a node has, those that are unhealthy included."""
    return max(node.capacity.get(resource, 0), node.allocatable.get(resource, 0))


def devices_there(request: PodRequest, node: Node) -> tuple[tuple[str, int], ...]:
    """`devices_on` a node for each extended resource that the pod asks for; zeros left out."""
    found: tuple[tuple[str, int], ...] = ()
    for resource, asked in request.requests.items():
        if "/" in resource and asked > 0 and (devices := devices_on(node, resource)):
            found += ((resource, devices),)
    return found


def slots_if_empty(request: PodRequest, node: Node) -> int:
    """How many such pods the node would take if nothing ran on it.

    0 if DRA serves some of what the pod asks for there: those devices are counted elsewhere.
    """
    if any(is_delegated(request, resource, node) for resource in request.delegable):
        return 0
    return slots_beside_devices(request, node)


def slots_beside_devices(request: PodRequest, node: Node) -> int:
    """The same by what the node itself offers, whatever devices DRA has for it."""
    return _most(request, node, {}, node.allocatable.get(_PODS, 0))


def _most(request: PodRequest, node: Node, used: Resources, places: int) -> int:
    left = [places]
    for resource, asked in request.requests.items():
        if asked > 0 and not is_delegated(request, resource, node):
            free = node.allocatable.get(resource, 0) - used.get(resource, 0)
            left.append(free // asked)
    return max(0, min(left))


def _hindrance(resource: str, asked: int, node: Node) -> Hindrance:
    """TOO_LARGE if the node empty would not do; CLOSED if it may, with its devices in order."""
    if asked <= node.allocatable.get(resource, 0):
        return Hindrance.FULL
    if "/" in resource and passing_transition(node) is not None:
        return Hindrance.CLOSED
    if "/" in resource and asked <= node.capacity.get(resource, 0):
        return Hindrance.CLOSED
    return Hindrance.TOO_LARGE
