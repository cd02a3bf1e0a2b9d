"""The pools of nodes that the catalog names."""

from __future__ import annotations

from collections.abc import Iterator

from gpuspawner.capacity.model import Node, Taint
from gpuspawner.catalog import Catalog
from gpuspawner.fit import NodeTemplate
from gpuspawner.quantity import parse_amount

_PODS_ON_A_NODE = 110
"""The kubelet's own default."""


def pool_of(node: Node, catalog: Catalog) -> str:
    """The title of the catalog's pool that a node belongs to; empty if it is in none."""
    pools = catalog.node_pools.values()
    return next((pool.title for pool in pools if pool.labels.items() <= node.labels.items()), "")


def node_templates(catalog: Catalog) -> Iterator[NodeTemplate]:
    """What a new node looks like of each pool that the catalog describes, in its order."""
    for name, pool in catalog.node_pools.items():
        allocatable = {
            resource: parse_amount(resource, text) for resource, text in pool.allocatable.items()
        }
        allocatable.setdefault("pods", _PODS_ON_A_NODE)
        node = Node(
            name=f"a new node of {name}",
            uid="",
            labels=pool.labels,
            taints=tuple(Taint(t.key, t.value, t.effect) for t in pool.taints),
            unschedulable=False,
            allocatable=allocatable,
            capacity=allocatable,
        )
        yield NodeTemplate(pool.title, node, pool.most_nodes, pool.autoscaler_group or "")
