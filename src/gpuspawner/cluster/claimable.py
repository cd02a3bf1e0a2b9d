"""Devices that are had by claims: what drivers publish of each node, and what claims have got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpuspawner.capacity.model import DeviceID, ResourceSlice
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.cluster.values import ClusterClaimable


@dataclass(frozen=True, slots=True)
class Claimable:
    """The devices of Dynamic Resource Allocation.

    Attributes:
        by_node: those of one node each.
        shared: drivers that publish others as well.
    """

    by_node: Mapping[str, tuple[ClusterClaimable, ...]]
    shared: tuple[str, ...]


def claimable_in(objects: ClusterObjects, *, is_live: bool) -> Claimable:
    """What there is by the newest slices of each pool.

    Where some of these are missing, or devices exclude each other, nobody can say how many there
    are.

    Args:
        objects: of the cluster.
        is_live: whether slices and claims are known as they are now.
    """
    pools: dict[tuple[str, str], list[ResourceSlice]] = {}
    for one in (objects.slices or {}).values():
        pools.setdefault((one.driver, one.pool), []).append(one)
    there: dict[tuple[str, str], set[DeviceID]] = {}
    uncounted, shared = set(), set()
    for (driver, _pool), slices in pools.items():
        newest = max(one.generation for one in slices)
        current = [one for one in slices if one.generation == newest]
        is_counted = _is_plain(current)
        for one in current:
            if one.reach is None or not one.reach.node:
                shared.add(driver)
                continue
            key = (one.reach.node, driver)
            there.setdefault(key, set()).update(device.id for device in one.devices)
            if not is_counted:
                uncounted.add(key)
    taken = _taken(objects) if is_live else None
    by_node: dict[str, tuple[ClusterClaimable, ...]] = {}
    for key in sorted(there):
        node, driver = key
        devices = None if key in uncounted else there[key]
        said = ClusterClaimable(
            driver=driver,
            count=None if devices is None else len(devices),
            in_use=None if devices is None or taken is None else len(devices & taken),
        )
        if said.count != 0:
            by_node[node] = (*by_node.get(node, ()), said)
    return Claimable(by_node, tuple(sorted(shared)))


def _is_plain(slices: Iterable[ResourceSlice]) -> bool:
    """Whether all slices of a pool are there, and each device is one that a claim has whole."""
    known = tuple(slices)
    return {one.slices for one in known} == {len(known)} and all(
        not one.has_counters and all(device.is_plain for device in one.devices) for one in known
    )


def _taken(objects: ClusterObjects) -> set[DeviceID] | None:
    """The devices that claims have got; None if the claims are not known."""
    if objects.resource_claims is None:
        return None
    got = (claim.allocation for claim in objects.resource_claims.values())
    return {device for one in got if one is not None for device in one.devices}
