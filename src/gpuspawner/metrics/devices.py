"""How many devices are free in each node pool, kept up to date node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
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
MOST_AT_ONCE = 500
"""How many nodes are counted without a pause: some milliseconds."""
_Counted = tuple[Place, tuple[int, int, int]]


class DeviceSums:
    """Sums over the nodes of a cluster; only nodes that have changed are counted again."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._resources: frozenset[str] = frozenset()
        self._counted: dict[str, tuple[NodeState, tuple[_Counted, ...]]] = {}
        self._sums: dict[Place, list[int]] = {}
        self._nodes_at: Counter[Place] = Counter()
        self._generation: int | None = None
        self._products: set[str] = set()

    def of(
        self, snapshot: Snapshot, catalog: Catalog, doubtful: Collection[str] = ()
    ) -> dict[Place, Amounts] | None:
        """The devices of the resources that the catalog's accelerators name.

        Args:
            snapshot: the cluster.
            catalog: what is in force.
            doubtful: nodes with something on them that cannot be read; their pools are left out.

        Returns:
            None if too many nodes have to be counted first, by `settle`.
        """
        self._begin(catalog)
        differing = self._differing(snapshot)
        if len(differing) > MOST_AT_ONCE:
            return None
        self._count(differing, snapshot)
        self._generation = snapshot.generation
        unknown = {
            place
            for name in doubtful
            if name in self._counted
            for place, _ in self._counted[name][1]
        }
        # A pool that has no node has none of what its nodes would have.
        found = {
            Place(resource, name): [0, 0, 0]
            for name, pool in catalog.node_pools.items()
            for resource in self._resources & pool.allocatable.keys()
        } | self._sums
        return {
            place: dict(zip(families.DEVICE_STATES, amounts, strict=True))
            for place, amounts in sorted(found.items())
            if place not in unknown
        }

    def settle(self, snapshot: Snapshot, catalog: Catalog) -> Iterator[None]:
        """Count what there is to count, and pause after each `MOST_AT_ONCE` nodes."""
        self._begin(catalog)
        differing = list(self._differing(snapshot))
        # Of no snapshot as long as it is not done, and then others may be newer.
        self._generation = None
        for first in range(0, len(differing), MOST_AT_ONCE):
            if catalog is not self._catalog or self._generation is not None:
                # Somebody has begun anew, or come to the end with what may be newer.
                return
            self._count(differing[first : first + MOST_AT_ONCE], snapshot)
            yield

    def _begin(self, catalog: Catalog) -> None:
        if catalog is self._catalog:
            return
        self._catalog = catalog
        self._resources = frozenset(one.resource for one in catalog.accelerators.values())
        self._counted, self._sums, self._nodes_at = {}, {}, Counter()
        self._generation, self._products = None, set()

    def _differing(self, snapshot: Snapshot) -> Collection[str]:
        if self._generation == snapshot.generation:
            return ()
        if self._generation is not None and self._generation + 1 == snapshot.generation:
            return snapshot.changed
        counted = self._counted
        differing = [
            name
            for name, state in snapshot.nodes.items()
            if (known := counted.get(name)) is None or known[0] is not state
        ]
        return differing + [name for name in counted if name not in snapshot.nodes]

    def _count(self, names: Iterable[str], snapshot: Snapshot) -> None:
        for name in names:
            self._drop(name)
            state = snapshot.nodes.get(name)
            if state is not None:
                self._put(name, state)

    def _put(self, name: str, state: NodeState) -> None:
        found = tuple(self._amounts(state))
        self._counted[name] = (state, found)
        for place, amounts in found:
            before = self._sums.get(place, (0, 0, 0))
            self._sums[place] = [one + more for one, more in zip(before, amounts, strict=True)]
            self._nodes_at[place] += 1

    def _drop(self, name: str) -> None:
        _, found = self._counted.pop(name, (None, ()))
        for place, amounts in found:
            before = self._sums[place]
            self._sums[place] = [one - less for one, less in zip(before, amounts, strict=True)]
            self._nodes_at[place] -= 1
            if not self._nodes_at[place]:
                del self._sums[place], self._nodes_at[place]

    def _amounts(self, state: NodeState) -> Iterator[_Counted]:
        node = state.node
        for resource in self._resources:
            there = node.allocatable.get(resource, 0)
            all_of_them = max(there, node.capacity.get(resource, 0))
            used = state.requested.get(resource, 0)
            if not all_of_them and not used:
                continue
            left = max(0, there - used)
            free = 0 if _is_closed(node) else left
            lost = max(0, all_of_them - max(there, used))
            yield Place(resource, self._pool_of(node)), (free, used, lost + left - free)

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
