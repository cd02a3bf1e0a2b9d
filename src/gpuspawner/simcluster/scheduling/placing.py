"""Which of the nodes that could take a pod gets it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from fractions import Fraction

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.simcluster.nodes.devices import is_device


class GpuStrategy(Enum):
    """Where a pod goes that asks for devices, after kube-scheduler's scoring strategies."""

    MOST_ALLOCATED = "most-allocated"
    """To the fullest node, so that whole nodes stay free for those who ask for more."""
    LEAST_ALLOCATED = "least-allocated"
    """To the emptiest node."""


def choose_node(
    request: PodRequest, nodes: Iterable[str], snapshot: Snapshot, strategy: GpuStrategy
) -> str:
    """The best of `nodes`, of which there is at least one.

    Devices decide first, by `strategy`; then the node that is left with the most cpu and memory;
    then the name.
    """
    devices = sorted(resource for resource in request.requests if is_device(resource))
    sign = -1 if strategy is GpuStrategy.MOST_ALLOCATED else 1

    def rank(name: str) -> tuple[Fraction, Fraction, str]:
        state = snapshot.nodes[name]
        return (
            sign * _mean_use(request, state, devices),
            _mean_use(request, state, ("cpu", "memory")),
            name,
        )

    return min(nodes, key=rank)


def _mean_use(request: PodRequest, state: NodeState, resources: Iterable[str]) -> Fraction:
    """The mean over `resources` of the share in use once the pod is there."""
    shares = [
        Fraction(
            state.requested.get(resource, 0) + request.requests.get(resource, 0),
            state.node.allocatable[resource],
        )
        for resource in resources
        if state.node.allocatable.get(resource)
    ]
    return sum(shares, Fraction()) / len(shares) if shares else Fraction()
