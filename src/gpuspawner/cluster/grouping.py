"""Nodes with their units, grouped by what they are.

A unit that is left is free only where that is known and its node takes pods: on a node that is
closed or goes through something it is said to be so, and where something cannot be read, or the
cluster is not known at this moment, it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node
from gpuspawner.catalog import Accelerator, Catalog
from gpuspawner.cluster.holders import Holders, held_by_ours
from gpuspawner.cluster.values import (
    ClusterClaimable,
    ClusterDevices,
    ClusterGroup,
    ClusterNode,
    ClusterPlain,
    ClusterUnits,
    Unit,
    UnitState,
)
from gpuspawner.fit import passing_transition, transition_of
from gpuspawner.inventory import NodeDevices, closed_by, devices_in
from gpuspawner.offers import pool_of

_PRODUCTS = ("nvidia.com/gpu.product", "amd.com/gpu.product-name", "gpu.intel.com/product")
_SHARING = "nvidia.com/gpu.sharing-strategy"
_MARKS = ("nvidia.com/gpu.present", "amd.com/gpu.present")
_SHARED = frozenset({"mps", "time-slicing"})
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Naming:
    """What devices are called.

    Attributes:
        catalog: None if there is none at the moment.
        is_shown: which resources are devices.
    """

    catalog: Catalog | None
    is_shown: Callable[[str], bool]

    def accelerator(self, resource: str, node: Node) -> Accelerator | None:
        """Whose device it is; the most particular one, where several may be meant."""
        accelerators = self.catalog.accelerators.values() if self.catalog else ()
        meant = [
            one
            for one in accelerators
            if one.resource == resource and one.node_selector.items() <= node.labels.items()
        ]
        return max(meant, key=lambda one: len(one.node_selector), default=None)

    def title(self, resource: str, node: Node) -> str:
        """What people read; devices that only share their title are told apart by their names."""
        accelerator = self.accelerator(resource, node)
        if accelerator is None or self.catalog is None:
            return resource
        namesakes = (
            one.resource
            for one in self.catalog.accelerators.values()
            if one.title == accelerator.title
        )
        is_alone = all(name == resource for name in namesakes)
        short = resource.rpartition("/")[2]
        return accelerator.title if is_alone else f"{accelerator.title}, {short}"

    def unit(self, resource: str, node: Node) -> Unit:
        """What one of them is. How a node's own labels say it is shared counts first."""
        accelerator = self.accelerator(resource, node)
        sharing = accelerator.sharing if accelerator else "exclusive"
        if "/mig-" in resource or sharing == "mig":
            return "slice"
        is_shared = sharing in _SHARED or resource.endswith(".shared")
        return "share" if is_shared or node.labels.get(_SHARING) in _SHARED else "gpu"

    def group(self, node: Node, resources: Iterable[str]) -> str:
        """What a node's kind is called; empty if nothing says."""
        pool = pool_of(node, self.catalog) if self.catalog else ""
        products = (node.labels.get(label, "") for label in _PRODUCTS)
        accelerators = ((name, self.accelerator(name, node)) for name in resources)
        called = (one.title if one else name for name, one in accelerators)
        titles = ", ".join(dict.fromkeys(called))
        return pool or next(filter(None, products), "") or titles

    def is_meant(self, node: Node) -> bool:
        """Whether a node is meant to have devices, though it may offer none at the moment."""
        if any(node.labels.get(mark) == "true" for mark in _MARKS) or transition_of(node):
            return True
        accelerators = self.catalog.accelerators.values() if self.catalog else ()
        return any(
            one.node_selector and one.node_selector.items() <= node.labels.items()
            for one in accelerators
        )


@dataclass(frozen=True, slots=True)
class Grouped:
    """All nodes: those with devices in groups, the others summed up."""

    groups: tuple[ClusterGroup, ...]
    plain: ClusterPlain


def grouped(
    snapshot: Snapshot,
    holders: Holders,
    naming: Naming,
    doubtful: Collection[str | None],
    claimable: Mapping[str, tuple[ClusterClaimable, ...]],
) -> Grouped:
    """The nodes of a snapshot.

    Args:
        snapshot: the cluster.
        holders: the hub's own servers; all that others have is others'.
        naming: what devices are called.
        doubtful: nodes on which something is that cannot be read; None among them, on any.
        claimable: what else there is, by node.
    """
    ours = _ours(snapshot, holders, naming.is_shown)
    by_node: dict[str, list[NodeDevices]] = {}
    for one in devices_in(snapshot, naming.is_shown, doubtful):
        by_node.setdefault(one.node, []).append(one)
    groups: dict[str, list[ClusterNode]] = {}
    plain = []
    for name in sorted(snapshot.nodes, key=natural):
        node = snapshot.nodes[name].node
        there, claimed = by_node.get(name, []), claimable.get(name, ())
        if not there and not claimed and not naming.is_meant(node):
            plain.append(name)
            continue
        title = naming.group(node, (one.resource for one in there))
        title = title or ", ".join(one.driver for one in claimed)
        made = replace(_node(node, there, ours, naming), claimable=claimed)
        groups.setdefault(title, []).append(made)
    found = (ClusterGroup(title, tuple(nodes)) for title, nodes in groups.items())
    in_order = sorted(found, key=lambda group: (not group.title, natural(group.title)))
    return Grouped(tuple(in_order), _plain(snapshot, plain, doubtful))


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key by which node-2 is before node-10."""
    parts = _DIGITS.split(name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def runs(
    found: NodeDevices, ours: Mapping[str, int], *, is_passing: bool
) -> Iterator[ClusterUnits]:
    """All devices of one kind on one node.

    Those that somebody has come first: which of them is unhealthy, if any, nobody tells.

    Args:
        found: how many there are.
        ours: how many the hub's servers have, by profile.
        is_passing: whether the node goes through what will be over by itself.
    """
    for profile, count in sorted(ours.items()):
        yield ClusterUnits("ours", profile, count)
    others = found.used - sum(ours.values())
    there = max(found.allocatable + found.unhealthy, found.used)
    unhealthy = min(found.unhealthy, there - found.used)
    left = there - found.used - unhealthy
    state: UnitState = "free"
    if found.free is None:
        state = "unknown"
    elif is_passing:
        state = "reconfiguring"
    elif found.closed:
        state = "closed"
    counts: tuple[tuple[UnitState, int], ...] = (
        ("others", others),
        (state, left),
        ("unhealthy", unhealthy),
    )
    for one, count in counts:
        if count > 0:
            yield ClusterUnits(one, "", count)


_Ours = Mapping[tuple[str, str], Mapping[str, int]]


def _ours(snapshot: Snapshot, holders: Holders, is_shown: Callable[[str], bool]) -> _Ours:
    """By node and resource, how many the hub's servers have with each profile."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for key, pod, node in held_by_ours(snapshot, holders):
        for resource, amount in pod.requests.items():
            if is_shown(resource) and amount:
                by_profile = found.setdefault((node.name, resource), {})
                profile = holders[key].profile
                by_profile[profile] = by_profile.get(profile, 0) + amount
    return found


def _node(node: Node, there: Iterable[NodeDevices], ours: _Ours, naming: Naming) -> ClusterNode:
    is_passing = passing_transition(node) is not None
    transition = transition_of(node)
    return ClusterNode(
        name=node.name,
        closed=closed_by(node),
        transition=transition.value if transition else "",
        devices=tuple(
            ClusterDevices(
                resource=found.resource,
                title=naming.title(found.resource, node),
                unit=naming.unit(found.resource, node),
                unhealthy=found.unhealthy,
                units=tuple(
                    runs(found, ours.get((node.name, found.resource), {}), is_passing=is_passing)
                ),
            )
            for found in there
        ),
    )


def _plain(
    snapshot: Snapshot, names: Iterable[str], doubtful: Collection[str | None]
) -> ClusterPlain:
    states = [snapshot.nodes[name] for name in names]
    is_known = None not in doubtful and not any(state.node.name in doubtful for state in states)

    def there(resource: str) -> int:
        return sum(state.node.allocatable.get(resource, 0) for state in states)

    def used(resource: str) -> int:
        return sum(state.requested.get(resource, 0) for state in states)

    return ClusterPlain(
        nodes=len(states),
        closed=sum(bool(closed_by(state.node)) for state in states),
        cpu=there("cpu") / 1000,
        cpu_used=used("cpu") / 1000 if is_known else None,
        memory=there("memory"),
        memory_used=used("memory") if is_known else None,
    )
