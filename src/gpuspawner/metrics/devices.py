"""How many devices are free in each node pool, kept up to date node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.catalog import Catalog
from gpuspawner.metrics import families

PRODUCT = "nvidia.com/gpu.product"
"""The label by which NVIDIA's GPU feature discovery says what a node has."""
_CLOSING = frozenset({"NoSchedule", "NoExecute"})
_OF_KUBERNETES = "node.kubernetes.io/"


class Place(NamedTuple):
    """Which devices, and in which pool."""

    resource: str
    pool: str


Amounts = Mapping[str, int]
"""How many devices are in each of `families.DEVICE_STATES`."""


class DeviceSums:
    """Sums over the nodes of a cluster; only nodes that have changed are counted again."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._resources: frozenset[str] = frozenset()
        self._counted: dict[str, tuple[NodeState, dict[Place, Counter[str]]]] = {}
        self._sums: dict[Place, Counter[str]] = {}
        self._nodes_at: Counter[Place] = Counter()
        self._generation: int | None = None
        self._products: set[str] = set()

    def of(
        self, snapshot: Snapshot, catalog: Catalog, doubtful: Collection[str] = ()
    ) -> dict[Place, Amounts]:
        """The devices of the resources that the catalog's accelerators name.

        Args:
            snapshot: the cluster.
            catalog: what is in force.
            doubtful: nodes with something on them that cannot be read; their pools are left out.
        """
        if catalog is not self._catalog:
            self._begin(catalog)
        self._settle(snapshot)
        unknown = {
            place for name in doubtful if name in self._counted for place in self._counted[name][1]
        }
        found = {
            Place(resource, name): Counter[str]()
            for name, pool in catalog.node_pools.items()
            for resource in self._resources & pool.allocatable.keys()
        } | self._sums
        return {
            place: {state: amounts[state] for state in families.DEVICE_STATES}
            for place, amounts in sorted(found.items())
            if place not in unknown
        }

    def _begin(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._resources = frozenset(one.resource for one in catalog.accelerators.values())
        self._counted, self._sums, self._nodes_at = {}, {}, Counter()
        self._generation, self._products = None, set()

    def _settle(self, snapshot: Snapshot) -> None:
        if snapshot.generation == self._generation:
            return
        for name in self._differing(snapshot):
            self._drop(name)
            state = snapshot.nodes.get(name)
            if state is not None:
                self._put(name, state)
        self._generation = snapshot.generation

    def _differing(self, snapshot: Snapshot) -> Collection[str]:
        if self._generation is not None and self._generation + 1 == snapshot.generation:
            return snapshot.changed
        counted = self._counted
        differing = [
            name
            for name, state in snapshot.nodes.items()
            if (known := counted.get(name)) is None or known[0] is not state
        ]
        return differing + [name for name in counted if name not in snapshot.nodes]

    def _put(self, name: str, state: NodeState) -> None:
        amounts = dict(self._amounts(state))
        self._counted[name] = (state, amounts)
        for place, counted in amounts.items():
            self._sums.setdefault(place, Counter()).update(counted)
            self._nodes_at[place] += 1

    def _drop(self, name: str) -> None:
        _, amounts = self._counted.pop(name, (None, {}))
        for place, counted in amounts.items():
            self._sums[place].subtract(counted)
            self._nodes_at[place] -= 1
            if not self._nodes_at[place]:
                del self._sums[place], self._nodes_at[place]

    def _amounts(self, state: NodeState) -> Iterator[tuple[Place, Counter[str]]]:
        node = state.node
        pool = ""
        for resource in self._resources:
            there = node.allocatable.get(resource, 0)
            all_of_them = max(there, node.capacity.get(resource, 0))
            used = state.requested.get(resource, 0)
            if not all_of_them and not used:
                continue
            pool = pool or self._pool_of(node)
            left = max(0, there - used)
            free = 0 if _is_closed(node) else left
            lost = max(0, all_of_them - max(there, used))
            found = {
                families.FREE: free,
                families.USED: used,
                families.UNUSABLE: lost + left - free,
            }
            yield Place(resource, pool), Counter(found)

    def _pool_of(self, node: Node) -> str:
        pools = self._catalog.node_pools if self._catalog is not None else {}
        for name, pool in pools.items():
            if pool.labels.items() <= node.labels.items():
                return name
        product = node.labels.get(PRODUCT, "")
        if not product:
            return families.NO_POOL
        if product not in self._products and len(self._products) >= families.MOST_PRODUCTS:
            return families.OTHER
        self._products.add(product)
        return product


def _is_closed(node: Node) -> bool:
    """Whether the node takes no pods at present, by what Kubernetes itself says of it."""
    return node.unschedulable or any(
        taint.effect in _CLOSING and taint.key.startswith(_OF_KUBERNETES) for taint in node.taints
    )
