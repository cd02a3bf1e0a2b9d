"""From what the hub knows at one moment to what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.catalog import Catalog
from gpuspawner.cluster.claimable import claimable_in
from gpuspawner.cluster.grouping import Grouped, Naming, grouped
from gpuspawner.cluster.holders import Holders, awaiting_nodes, holdings_in, rfc3339
from gpuspawner.cluster.pools import awaited, pools_in
from gpuspawner.cluster.quotas import quotas_in
from gpuspawner.cluster.values import Cluster, ClusterGroup, ClusterKind, ClusterPool, ClusterUnits
from gpuspawner.cluster.watches import Watched, granting, kinds_of, told_freshness
from gpuspawner.pod import is_device, is_known_device
from gpuspawner.rights import EVERYTHING, Grant, purposes_of

_OF_CLAIMS = ("resourceslices", "resourceclaims")
_OF_QUOTAS = "resourcequotas"
_OF_THE_AUTOSCALER = "configmaps"


@dataclass(frozen=True, slots=True)
class Look:
    """What the hub knows at one moment.

    Attributes:
        taken: when, in UTC.
        freshness: what `snapshot` is worth.
        doubtful: nodes on which something is that cannot be read; None among them, on any.
        watches: by resource.
        holders: the hub's servers that are up, or on their way up or down.
        catalog: None if it cannot be read.
        homes: whether servers mount claims that the hub's configuration names.
        grant: to whom the rights are to be granted.
        namespace: of the hub's servers; empty if each user has one of their own.
    """

    taken: datetime
    snapshot: Snapshot
    freshness: Freshness
    doubtful: Collection[str | None]
    watches: Mapping[str, Watched]
    holders: Holders
    catalog: Catalog | None
    homes: bool
    grant: Grant
    namespace: str = ""


def cluster_of(look: Look) -> Cluster:
    """What is said of the cluster."""
    is_live = look.freshness.is_live

    # Asked for each resource of each node, of which there are few kinds.
    @cache
    def is_shown(resource: str) -> bool:
        if look.catalog is None:
            return is_known_device(resource)
        return is_device(resource, look.catalog)

    naming = Naming(look.catalog, is_shown)
    objects = look.snapshot.objects
    claimable = claimable_in(objects, is_live=is_live and _are_live(look, *_OF_CLAIMS))
    nodes: Grouped | None = None
    if look.snapshot.nodes or is_live:
        nodes = grouped(look.snapshot, look.holders, naming, look.doubtful, claimable.by_node)
        nodes = nodes if is_live else _as_unknown(nodes)
    holdings = holdings_in(look.snapshot, look.holders, is_shown, naming.title, is_live=is_live)
    classes = objects.device_classes or {}
    dra = any(one.extended_resource for one in classes.values())
    needed = EVERYTHING
    if look.catalog is not None:
        needed = purposes_of(look.catalog, homes=look.homes, dra=dra)
    kinds = kinds_of(look.watches, needed)
    return Cluster(
        taken=rfc3339(look.taken),
        freshness=told_freshness(look.freshness),
        groups=nodes.groups if nodes else None,
        plain=nodes.plain if nodes else None,
        pools=_pools(look, naming),
        quotas=quotas_in(objects, look.namespace, is_live=is_live and _are_live(look, _OF_QUOTAS)),
        holdings=holdings,
        without_devices=len(look.holders) - len(holdings),
        claims_hidden=bool(objects.slices),
        claims_unknown=objects.slices is None and any(map(_should_tell_of_slices, kinds)),
        shared_drivers=claimable.shared,
        kinds=kinds,
        manifest=granting(kinds, look.grant),
    )


def _should_tell_of_slices(kind: ClusterKind) -> bool:
    is_it = kind.resource.partition(".")[0] == _OF_CLAIMS[0]
    # A right that the catalog needs for nothing is not asked for.
    is_let_be = kind.state == "denied" and not kind.needed
    return is_it and kind.state != "not-served" and not is_let_be


def _pools(look: Look, naming: Naming) -> tuple[ClusterPool, ...]:
    if look.catalog is None:
        return ()
    # A node that cannot be read may be of any pool.
    is_whole = all(node is None or node in look.snapshot.nodes for node in look.doubtful)
    found = pools_in(
        look.snapshot,
        look.catalog,
        naming,
        is_live=look.freshness.is_live and is_whole,
        is_reported=_are_live(look, _OF_THE_AUTOSCALER),
    )
    pools = tuple(found)
    if not look.freshness.is_live:
        return pools
    return tuple(awaited(pools, awaiting_nodes(look.snapshot, look.holders)))


def _are_live(look: Look, *resources: str) -> bool:
    return all(
        resource in look.watches and look.watches[resource].freshness.is_live
        for resource in resources
    )


def _as_unknown(nodes: Grouped) -> Grouped:
    """The nodes as last heard of, and nothing said of what is free on them, or who has it."""
    plain = replace(nodes.plain, cpu_used=None, memory_used=None)
    return Grouped(tuple(map(_unknown_group, nodes.groups)), plain)


def _unknown_group(group: ClusterGroup) -> ClusterGroup:
    return replace(
        group,
        nodes=tuple(
            replace(
                node,
                devices=tuple(
                    replace(
                        devices,
                        unhealthy=0,
                        units=(ClusterUnits("unknown", "", sum(u.count for u in devices.units)),),
                    )
                    for devices in node.devices
                ),
            )
            for node in group.nodes
        ),
    )
