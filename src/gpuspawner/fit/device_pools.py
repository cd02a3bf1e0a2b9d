"""Pools of devices: which devices drivers offer on a node.

The rules are those of GatherPools in ``k8s.io/dynamic-resource-allocation/structured``. A pool is
made of ResourceSlices. Only those of its newest generation count; it can be allocated from if as
many of them are there as they say themselves, wherever their devices can be used, and if no name is
given twice. DeviceTaintRules, which add taints, are off by default and not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from gpuspawner.capacity.model import (
    Device,
    DeviceID,
    Node,
    Reach,
    ResourceClaim,
    ResourceSlice,
)
from gpuspawner.capacity.objects import Key
from gpuspawner.fit import device_selectors
from gpuspawner.fit.node_affinity import term_matches

S = TypeVar("S")
T = TypeVar("T")

MOST_IN_A_CLAIM = 32
"""How many devices a claim can get; to ask for more is an error."""

Selectors = tuple[str | None, ...]
Candidate = tuple[Device, bool | None]
"""A device that matches selectors, or may."""

_PoolID = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pool:
    """What a pool offers on one node.

    Attributes:
        is_incomplete: slices are missing, so that nothing is allocated from it.
        is_invalid: it contradicts itself, so that nothing is allocated from it.
        is_plain: each of its devices is used whole and by one claim, and its slices agree.
        candidates: what `PublishedDevices.candidates` has found before.
    """

    devices: tuple[Device, ...] = ()
    is_incomplete: bool = False
    is_invalid: bool = False
    is_plain: bool = True
    candidates: dict[Selectors, tuple[Candidate, ...]] = field(default_factory=dict, compare=False)


class PublishedDevices:
    """All slices of a cluster, sorted by where their devices can be used."""

    def __init__(self, slices: Iterable[ResourceSlice]) -> None:
        self._of_nodes: dict[str, list[ResourceSlice]] = {}
        self._shared: list[ResourceSlice] = []
        self._of_pools: dict[_PoolID, list[ResourceSlice]] = {}
        self._matches: dict[tuple[Selectors, int], bool | None] = {}
        self._doubtful: dict[Selectors, frozenset[DeviceID]] = {}
        self._pools: dict[str, tuple[Node, tuple[Pool, ...]]] = {}
        for one in slices:
            self._of_pools.setdefault((one.driver, one.pool), []).append(one)
            if one.reach is not None and one.reach.node and not one.has_counters:
                self._of_nodes.setdefault(one.reach.node, []).append(one)
            else:
                self._shared.append(one)

    def pools_on(self, node: Node) -> tuple[Pool, ...]:
        """The pools with devices that can be used on `node`."""
        if not self._shared and node.name not in self._of_nodes:
            return ()
        held = self._pools.get(node.name)
        if held is None or held[0] is not node:
            held = self._pools[node.name] = (node, tuple(self._gathered(node)))
        return held[1]

    def candidates(self, selectors: Selectors, pool: Pool) -> tuple[Candidate, ...]:
        """The devices of a pool that match, or may."""
        found = pool.candidates.get(selectors)
        if found is None:
            asked = ((device, self.matches(selectors, device)) for device in pool.devices)
            found = tuple((device, is_match) for device, is_match in asked if is_match is not False)
            pool.candidates[selectors] = found
        return found

    def matches(self, selectors: Selectors, device: Device) -> bool | None:
        """`gpuspawner.fit.device_selectors.matches`, evaluated once for each device."""
        key = (selectors, id(device))
        if key not in self._matches:
            self._matches[key] = device_selectors.matches(selectors, device)
        return self._matches[key]

    def doubtful(self, selectors: Selectors) -> frozenset[DeviceID]:
        """The devices of which `matches` cannot tell, wherever they are."""
        if selectors not in self._doubtful:
            devices = (
                device
                for slices in self._of_pools.values()
                for one in slices
                for device in one.devices
            )
            self._doubtful[selectors] = frozenset(
                device.id for device in devices if self.matches(selectors, device) is None
            )
        return self._doubtful[selectors]

    @property
    def has_shared(self) -> bool:
        """Whether there are devices of more than one node, or such as may be."""
        return bool(self._shared)

    @cached_property
    def is_settled(self) -> bool:
        """Whether asking for all devices fails nowhere: pools are whole, and not too large."""
        of_nodes = [sum(len(one.devices) for one in slices) for slices in self._of_nodes.values()]
        shared = sum(len(one.devices) for one in self._shared)
        if max(of_nodes, default=0) + shared > MOST_IN_A_CLAIM:
            return False
        newest = (_newest(slices) for slices in self._of_pools.values())
        pools = [_pool(None, slices, slices) for slices in newest]
        return not any(pool.is_incomplete or pool.is_invalid for pool in pools)

    def _gathered(self, node: Node) -> Iterator[Pool]:
        newest: dict[_PoolID, list[ResourceSlice]] = {}
        for one in (*self._of_nodes.get(node.name, ()), *self._shared):
            if not _matters(one, node):
                continue
            held = newest.get((one.driver, one.pool))
            if held is None or one.generation > held[0].generation:
                newest[one.driver, one.pool] = [one]
            elif one.generation == held[0].generation:
                held.append(one)
        for pool, slices in newest.items():
            everywhere = self._of_pools[pool]
            if any(one.generation > slices[0].generation for one in everywhere):
                if len(slices) == slices[0].slices:
                    # Complete by itself, so the scheduler does not look for a newer generation.
                    yield _pool(node, slices, slices)
                continue
            yield _pool(
                node, slices, [o for o in everywhere if o.generation == slices[0].generation]
            )


def reaches(reach: Reach | None, node: Node) -> bool:
    """Whether devices can be used on a node."""
    if reach is None:
        return False
    if reach.node:
        return reach.node == node.name
    if reach.all_nodes:
        return True
    return any(term_matches(term, node) for term in reach.terms or ())


def _newest(slices: list[ResourceSlice]) -> list[ResourceSlice]:
    generation = max(one.generation for one in slices)
    return [one for one in slices if one.generation == generation]


def _matters(one: ResourceSlice, node: Node) -> bool:
    """Slices with counters are needed wherever the devices are that share them."""
    if one.has_counters:
        return True
    if one.reach is None:
        return any(reaches(device.reach, node) for device in one.devices)
    return reaches(one.reach, node)


def _pool(node: Node | None, here: list[ResourceSlice], everywhere: list[ResourceSlice]) -> Pool:
    counts = {one.slices for one in here}
    is_plain = len(counts) == 1 and all(
        not one.has_counters and all(device.is_plain for device in one.devices)
        for one in everywhere
    )
    if counts.isdisjoint((len(here), len(everywhere))):
        return Pool(is_incomplete=True, is_plain=is_plain)
    names = [device.id for one in here for device in one.devices]
    if len(set(names)) < len(names):
        return Pool(is_invalid=True, is_plain=is_plain)
    devices = tuple(
        device
        for one in here
        for device in one.devices
        if one.reach is not None or node is None or reaches(device.reach, node)
    )
    return Pool(devices, is_plain=is_plain)


class _OfLatest(Generic[S, T]):
    """What is made of a source is kept while the source is the same object."""

    def __init__(self, make: Callable[[S], T]) -> None:
        self._make = make
        self._held: tuple[S, T] | None = None

    def __call__(self, source: S) -> T:
        held = self._held
        if held is None or held[0] is not source:
            held = self._held = (source, self._make(source))
        return held[1]


def _sorted(slices: Mapping[Key, ResourceSlice]) -> PublishedDevices:
    return PublishedDevices(slices.values())


def _held(claims: Mapping[Key, ResourceClaim]) -> frozenset[DeviceID]:
    return frozenset(
        device
        for claim in claims.values()
        if claim.allocation is not None
        for device in claim.allocation.devices
    )


published = _OfLatest(_sorted)
"""`PublishedDevices` of the slices of a snapshot."""

in_use = _OfLatest(_held)
"""The devices that nobody else can have, of the claims of a snapshot."""
