"""NodePorts: a port of the node itself is taken by one pod at a time."""

from __future__ import annotations

from gpuspawner.capacity.model import ALL_ADDRESSES, HostPort, PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons

_TAKEN = (Reason("node(s) didn't have free ports for the requested pod ports", Hindrance.FULL),)


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node where a pod holds a port that this one asks for.

    Two host ports collide if number and protocol are equal and the address is, or one of them
    takes all addresses.
    """
    if not request.host_ports:
        return NO_REASONS
    held = (port for pod in state.pods for port in pod.host_ports)
    return _TAKEN if any(_collide(a, b) for b in held for a in request.host_ports) else NO_REASONS


def at_most(request: PodRequest, slots: int) -> int:
    """How many of `slots` are left: a pod with host ports stands in its own copies' way."""
    return min(slots, 1) if request.host_ports else slots


def _collide(a: HostPort, b: HostPort) -> bool:
    if (a.port, a.protocol) != (b.port, b.protocol):
        return False
    return a.ip == b.ip or ALL_ADDRESSES in (a.ip, b.ip)
