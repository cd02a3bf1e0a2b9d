"""NodeResourcesFit: what the pod asks must be left on the node, and a place for one more pod."""

from __future__ import annotations

from gpuspawner.capacity.index import NodeState
from gpuspawner.capacity.model import Node, PodRequest, Resources
from gpuspawner.fit.reasons import Hindrance, Reason, Reasons

_PODS = "pods"


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node that is short of a resource; every resource that is short is a reason.

    A resource is short if and only if the pod asks for some of it and for more than what is
    allocatable less what the pods there request. Allocatable that is not given is 0.
    """
    reasons = []
    places = state.node.allocatable.get(_PODS, 0)
    if state.pod_count + 1 > places:
        hindrance = Hindrance.FULL if places else Hindrance.CLOSED
        reasons.append(Reason("Too many pods", hindrance, _PODS, 1, places))
    for resource, asked in request.requests.items():
        offered = state.node.allocatable.get(resource, 0)
        if asked > 0 and asked > offered - state.requested.get(resource, 0):
            hindrance = _hindrance(resource, asked, state.node)
            reasons.append(Reason(f"Insufficient {resource}", hindrance, resource, asked, offered))
    return tuple(reasons)


def slots(request: PodRequest, state: NodeState) -> int:
    """How many such pods the node takes one after another, by resources alone."""
    places = state.node.allocatable.get(_PODS, 0) - state.pod_count
    return _most(request, state.node, state.requested, places)


def slots_if_empty(request: PodRequest, node: Node) -> int:
    """How many such pods the node would take if nothing ran on it."""
    return _most(request, node, {}, node.allocatable.get(_PODS, 0))


def _most(request: PodRequest, node: Node, used: Resources, places: int) -> int:
    left = [places]
    for resource, asked in request.requests.items():
        if asked > 0:
            free = node.allocatable.get(resource, 0) - used.get(resource, 0)
            left.append(free // asked)
    return max(0, min(left))


def _hindrance(resource: str, asked: int, node: Node) -> Hindrance:
    """TOO_LARGE if the node empty would not do; CLOSED if it would with every device healthy."""
    if asked <= node.allocatable.get(resource, 0):
        return Hindrance.FULL
    if "/" in resource and asked <= node.capacity.get(resource, 0):
        return Hindrance.CLOSED
    return Hindrance.TOO_LARGE
