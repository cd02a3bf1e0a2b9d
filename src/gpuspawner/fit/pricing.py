"""Whether others can keep a pod off each of some nodes, shown by prices.

Let each node that takes a pod have a price. To keep the pod off a node, others must take more of
some resource than it has to spare; each of them is charged the price of the node times the share
it takes of that, on the node where this is the most. If what all others are charged is less than
the prices of all the nodes, one node is left. Several prices are tried: the same for each node,
and what makes one kind of the others pay the same on each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import gcd

from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.examining import examine_node
from gpuspawner.fit.reasons import Hindrance

_PODS = "pods"
_ROUNDING = 1e-9


def one_is_left(nodes: int, others: Sequence[tuple[int, Sequence[float]]]) -> bool:
    """Whether the others cannot keep a pod off each node.

    Args:
        nodes: how many there are.
        others: how many there are of each sort, and their `share` of each node.
    """
    return any(
        sum(
            number * max(map(float.__mul__, prices, shares), default=0.0)
            for number, shares in others
        )
        < sum(prices) * (1 - _ROUNDING)
        for prices in _prices(nodes, [shares for _, shares in others])
    )


def units_of(others: Iterable[PodRequest]) -> dict[str, int]:
    """Of each resource, what all that the others may take of it is a multiple of."""
    units: dict[str, int] = {}
    for other in others:
        for resource, taken in other.requests.items():
            units[resource] = gcd(units.get(resource, 0), taken)
    return units


def share(
    other: PodRequest, request: PodRequest, state: NodeState, units: Mapping[str, int]
) -> float:
    """How much another pod takes of what it takes to keep a pod off a node; 1 at most."""
    if Hindrance.NOT_FOR_POD in examine_node(other, state).hindrances:
        return 0.0
    places = state.node.allocatable.get(_PODS, 0) - state.pod_count
    largest = 1 / max(1, places)
    for resource, asked in request.requests.items():
        taken = other.requests.get(resource, 0)
        if asked > 0 and taken > 0:
            unit = units.get(resource, 1)
            spare = max(0, left(state, resource) - asked)
            largest = max(largest, taken / (spare // unit * unit + unit))
    return min(1.0, largest)


def left(state: NodeState, resource: str) -> int:
    """How much of a resource nobody has on a node."""
    return max(0, state.node.allocatable.get(resource, 0) - state.requested.get(resource, 0))


def _dearest(prices: Sequence[float], shares: Sequence[float]) -> float:
    return max(map(float.__mul__, prices, shares), default=0.0)


def _prices(nodes: int, shares: Iterable[Sequence[float]]) -> Iterator[Sequence[float]]:
    yield [1.0] * nodes
    for share_of_each in islice(shares, 8):
        highest = max((1 / part for part in share_of_each if part), default=1.0)
        yield [1 / part if part else highest for part in share_of_each]
