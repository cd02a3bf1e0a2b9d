"""Pods that are alike in all that is asked of a node's room."""

from __future__ import annotations

from functools import lru_cache

from gpuspawner.capacity.model import NodeSelectorTerm, PodRequest, Toleration

Kind = tuple[
    tuple[tuple[str, int], ...],
    tuple[tuple[str, str], ...],
    tuple[NodeSelectorTerm, ...] | None,
    tuple[Toleration, ...],
    str,
    int,
]
"""What a pod asks for and where it may go."""


def kind_of(request: PodRequest) -> Kind:
    """The kind that a pod is of."""
    return (
        tuple(sorted(request.requests.items())),
        tuple(sorted(request.node_selector.items())),
        request.affinity,
        request.tolerations,
        request.node_name,
        request.priority,
    )


@lru_cache(maxsize=1024)
def by_room(kind: Kind) -> PodRequest:
    """A pod of a kind that needs nothing but room."""
    requests, node_selector, affinity, tolerations, node_name, priority = kind
    return PodRequest(
        namespace="",
        labels={},
        requests=dict(requests),
        node_selector=dict(node_selector),
        affinity=affinity,
        tolerations=tolerations,
        node_name=node_name,
        priority=priority,
        preempts=False,
    )
