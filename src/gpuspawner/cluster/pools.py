"""Pools that the catalog describes: an autoscaler can make nodes of them, also where there is none.

What cannot be told of them is unknown, and is never taken for room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gpuspawner.capacity.index import Snapshot
from gpuspawner.catalog import Catalog
from gpuspawner.cluster.grouping import Naming
from gpuspawner.cluster.values import ClusterHeld, ClusterPool, PoolGrowth
from gpuspawner.fit import NodeTemplate, PoolState, Stuck, pool_state
from gpuspawner.offers import node_templates

_GROWTH: dict[Stuck, PoolGrowth] = {
    Stuck.FAILED: "failed",
    Stuck.UNHEALTHY: "unhealthy",
    Stuck.FULL: "full",
}


def pools_in(
    snapshot: Snapshot,
    catalog: Catalog,
    naming: Naming,
    *,
    is_live: bool,
    is_reported: bool,
) -> Iterator[ClusterPool]:
    """The pools of a catalog, in its order.

    Args:
        snapshot: the cluster.
        catalog: what is in force.
        naming: what devices are called.
        is_live: whether the nodes are known as they are now.
        is_reported: whether the autoscaler's status is; an old one says nothing.
    """
    if not is_reported:
        snapshot = replace(snapshot, objects=replace(snapshot.objects, autoscaler=None))
    pools = catalog.node_pools.items()
    for (name, pool), template in zip(pools, node_templates(catalog), strict=True):
        state = pool_state(snapshot, template)
        offered = template.node.allocatable
        yield ClusterPool(
            name=name,
            title=pool.title,
            nodes=state.nodes if is_live else None,
            most=state.most,
            devices=_devices(template, naming),
            cpu=offered["cpu"] / 1000,
            memory=offered["memory"],
            autoscaler_group=template.group,
            growth=_growth(state) if is_live else "unknown",
        )


def awaited(pools: Sequence[ClusterPool], starts: Mapping[str, int]) -> Iterator[ClusterPool]:
    """Pools, with how many starts wait for a new node of each.

    Args:
        pools: all that there are.
        starts: how many wait, by the pool's title.
    """
    titles = Counter(pool.title for pool in pools)
    for pool in pools:
        waiting = starts.get(pool.title, 0)
        # Of which of two pools with one title cannot be told.
        is_known = not waiting or titles[pool.title] == 1
        yield replace(pool, awaited_by=waiting if is_known else None)


def _growth(state: PoolState) -> PoolGrowth:
    if state.hindrance is not None:
        return _GROWTH.get(state.hindrance, "unknown")
    return "can" if state.is_reported else "unknown"


def _devices(template: NodeTemplate, naming: Naming) -> tuple[ClusterHeld, ...]:
    return tuple(
        ClusterHeld(resource, naming.title(resource, template.node), amount)
        for resource, amount in sorted(template.node.allocatable.items())
        if naming.is_shown(resource) and amount
    )
