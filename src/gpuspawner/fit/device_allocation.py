"""Whether a node's devices satisfy claims, as the structured allocator decides it.

The allocator tries every choice; what it finds is the same as a matching in which each device that
is asked for gets one that matches its request, is free, has no taint that the request does not
tolerate, and agrees with others where a constraint says so. Such a matching is found here without
trying every choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from gpuspawner.capacity.model import (
    Device,
    DeviceID,
    DeviceRequest,
    DeviceTaint,
    MatchConstraint,
    Toleration,
)
from gpuspawner.fit.device_pools import MOST_IN_A_CLAIM, Pool, PublishedDevices, Selectors

_MOST_CHOICES = 256
_REPELLING = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Want:
    """A request of a claim with what its device class adds.

    Attributes:
        selectors: those of the class, then those of the request.
    """

    request: DeviceRequest
    selectors: Selectors


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim asks for."""

    wants: tuple[Want, ...]
    constraints: tuple[MatchConstraint, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of an attempt on one node.

    Attributes:
        fits: None if it cannot be told.
        may_fail: the scheduler may meet an error that ends the attempt on all nodes.
        is_invalid: a pool there contradicts itself.
        free: how many devices the first request could have; None if it cannot be told.
    """

    fits: bool | None
    may_fail: bool = False
    is_invalid: bool = False
    free: int | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """The devices for one want.

    Attributes:
        need: how many of them it takes.
        certain: those that do.
        possible: those that may.
        is_open: among the possible is one that more than one claim may share.
        may_fail: the scheduler may meet an error while it looks for them.
    """

    need: int
    certain: tuple[Device, ...] = ()
    possible: tuple[Device, ...] = ()
    is_open: bool = False
    may_fail: bool = False


def allocate(
    claims: tuple[Claimed, ...],
    pools: tuple[Pool, ...],
    published: PublishedDevices,
    in_use: frozenset[DeviceID],
    *,
    heeding_taints: bool = True,
) -> Outcome:
    """Whether all claims together get their devices from `pools`, those `in_use` excepted."""
    if not any(claim.wants for claim in claims):
        return Outcome(fits=True)
    if not any(pool.devices or pool.is_incomplete or pool.is_invalid for pool in pools):
        return Outcome(fits=False, free=0)
    found = [
        [_find(want, pools, published, in_use, heeding_taints=heeding_taints) for want in one.wants]
        for one in claims
    ]
    too_many = any(sum(one.need for one in ones) > MOST_IN_A_CLAIM for ones in found)
    each = [one for ones in found for one in ones]
    may_fail = too_many or any(one.may_fail for one in each)
    if not all(want.request.is_plain for claim in claims for want in claim.wants):
        fits = None
    elif too_many:
        fits = False
    else:
        fits = _fits(claims, found)
    return Outcome(
        fits=None if fits and may_fail else fits,
        may_fail=may_fail,
        is_invalid=any(pool.is_invalid for pool in pools),
        free=None if may_fail or each[0].possible else len(each[0].certain),
    )


def _find(
    want: Want,
    pools: Iterable[Pool],
    published: PublishedDevices,
    in_use: frozenset[DeviceID],
    *,
    heeding_taints: bool,
) -> _Found:
    certain: list[Device] = []
    possible: list[Device] = []
    may_fail = lacks_one = is_open = False
    count = want.request.count
    for pool in pools:
        if count is None and (pool.is_incomplete or pool.is_invalid):
            return _Found(1, may_fail=True)
        for device, is_match in published.candidates(want.selectors, pool):
            is_free = device.id not in in_use
            if not is_free and count is not None:
                continue
            may_fail = may_fail or is_match is None
            if not is_free or (heeding_taints and _is_repelled(device, want.request)):
                lacks_one = True
            elif is_match and pool.is_plain:
                certain.append(device)
            else:
                possible.append(device)
                is_open = is_open or not device.is_plain
    if count is not None:
        return _Found(count, tuple(certain), tuple(possible), is_open, may_fail)
    if possible or may_fail:
        return _Found(1, (), (*certain, *possible), is_open, may_fail)
    # All devices, of which one must exist: what stands in one's way stands in that of all.
    return _Found(max(1, len(certain)), () if lacks_one else tuple(certain))


def _is_repelled(device: Device, request: DeviceRequest) -> bool:
    return any(
        taint.effect in _REPELLING
        and not any(_tolerates(toleration, taint) for toleration in request.tolerations)
        for taint in device.taints
    )


def _tolerates(toleration: Toleration, taint: DeviceTaint) -> bool:
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"


def _fits(claims: Iterable[Claimed], found: list[list[_Found]]) -> bool | None:
    certainly = [[(one.need, one.certain) for one in ones] for ones in found]
    fits = _matched(claims, certainly)
    if fits is not False or not any(one.possible for ones in found for one in ones):
        return fits
    at_best = [
        [(0 if one.is_open else one.need, one.certain + one.possible) for one in ones]
        for ones in found
    ]
    return False if _matched(claims, at_best) is False else None


_Need = tuple[int, tuple[Device, ...]]
"""How many devices, and which ones would do."""


def _matched(claims: Iterable[Claimed], needs: list[list[_Need]]) -> bool | None:
    """Whether each need is met with devices of its own; None if there is too much to try."""
    ways: list[list[list[_Need]]] = []
    tries = 1
    for claim, of_claim in zip(claims, needs, strict=True):
        agreed = _agreements(claim, of_claim)
        if agreed is None:
            return None
        ways.append(agreed)
        tries *= len(agreed)
    if tries > _MOST_CHOICES:
        return None
    return any(_is_met([need for of_claim in way for need in of_claim]) for way in product(*ways))


def _agreements(claim: Claimed, needs: list[_Need]) -> list[list[_Need]] | None:
    """The needs of a claim with the devices left that agree: once for each choice of values."""
    ways = [needs]
    names = [want.request.name for want in claim.wants]
    for constraint in claim.constraints:
        if not constraint.attribute or len(ways) > _MOST_CHOICES:
            return None
        bound = [not constraint.requests or name in constraint.requests for name in names]
        ways = [
            [
                _agreeing(need, constraint, value) if is_bound else need
                for need, is_bound in zip(way, bound, strict=True)
            ]
            for way in ways
            for value in _values(constraint, way, bound)
        ]
    return ways


def _values(
    constraint: MatchConstraint, needs: Iterable[_Need], bound: Iterable[bool]
) -> set[tuple[type, object]]:
    return {
        (type(value), value)
        for (_, devices), is_bound in zip(needs, bound, strict=True)
        if is_bound
        for device in devices
        if (value := device.attributes.get(constraint.attribute)) is not None
    }


def _agreeing(need: _Need, constraint: MatchConstraint, agreed: tuple[type, object]) -> _Need:
    count, devices = need
    return count, tuple(
        device
        for device in devices
        if (type(value := device.attributes.get(constraint.attribute)), value) == agreed
    )


def _is_met(needs: list[_Need]) -> bool:
    """Whether disjoint sets of devices meet the needs: a matching, by augmenting paths."""
    if any(count > len(devices) for count, devices in needs):
        return False
    if len(needs) == 1:
        return True
    holders: dict[DeviceID, int] = {}
    units = [devices for count, devices in needs for _ in range(count)]
    return all(_seat(unit, units, holders, set()) for unit in range(len(units)))


def _seat(
    unit: int,
    units: list[tuple[Device, ...]],
    holders: dict[DeviceID, int],
    tried: set[DeviceID],
) -> bool:
    for device in units[unit]:
        if device.id in tried:
            continue
        tried.add(device.id)
        holder = holders.get(device.id)
        if holder is None or _seat(holder, units, holders, tried):
            holders[device.id] = unit
            return True
    return False
