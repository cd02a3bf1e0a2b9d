"""From what the hub knows at one moment to what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.catalog import Catalog
from gpuspawner.cluster.grouping import Grouped, Naming, grouped
from gpuspawner.cluster.holders import Holders, holdings_in, rfc3339
from gpuspawner.cluster.values import Cluster, ClusterGroup, ClusterUnits
from gpuspawner.cluster.watches import Watched, granting, kinds_of, told_freshness
from gpuspawner.pod import is_device, is_known_device
from gpuspawner.rights import EVERYTHING, Grant, purposes_of


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


def cluster_of(look: Look) -> Cluster:
    """What is said of the cluster."""
    naming, is_live = Naming(look.catalog), look.freshness.is_live

    # Asked for each resource of each node, of which there are few kinds.
    @cache
    def is_shown(resource: str) -> bool:
        if look.catalog is None:
            return is_known_device(resource)
        return is_device(resource, look.catalog)

    nodes: Grouped | None = None
    if look.snapshot.nodes or is_live:
        nodes = grouped(look.snapshot, look.holders, naming, is_shown, look.doubtful)
        nodes = nodes if is_live else _as_unknown(nodes)
    holdings = holdings_in(look.snapshot, look.holders, is_shown, naming.title, is_live=is_live)
    classes = look.snapshot.objects.device_classes or {}
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
        holdings=holdings,
        without_devices=len(look.holders) - len(holdings),
        claims_hidden=bool(look.snapshot.objects.slices),
        kinds=kinds,
        manifest=granting(kinds, look.grant),
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
