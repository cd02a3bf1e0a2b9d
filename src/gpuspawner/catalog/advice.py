"""What a valid catalog says that its author can hardly mean, or could say better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gpuspawner.catalog.durations import duration_seconds
from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.profiles import Profile
from gpuspawner.catalog.remarks import Remark, remark
from gpuspawner.catalog.waiting import WAIT

_Numbered = tuple[int, Profile]


def advice_on(catalog: Catalog) -> Iterator[Remark]:
    """Warnings and hints, in the order of the catalog's sections."""
    yield from _pools(catalog)
    for profiles in _by_resource(catalog).values():
        yield from _waiting(profiles)
    if not catalog.access:
        message = "no access rules, so nobody may start anything"
        yield remark("warning", ("access",), message, "say under access who may start what")


def _pools(catalog: Catalog) -> Iterator[Remark]:
    groups: dict[str, str] = {}
    labels: dict[frozenset[tuple[str, str]], str] = {}
    for name, pool in catalog.node_pools.items():
        base = ("node_pools", name)
        group = pool.autoscaler_group
        first = groups.setdefault(group, name) if group else name
        if first != name:
            message = f"the autoscaler's group {group!r} is that of the pool {first!r} already"
            hint = "a group's nodes are of one make; its limit would be counted twice"
            yield remark("warning", (*base, "autoscaler_group"), message, hint)
        first = labels.setdefault(frozenset(pool.labels.items()), name)
        if first != name:
            message = f"the pool {first!r} has the same labels, so its nodes count for both"
            yield remark("warning", (*base, "labels"), message, "add one that tells them apart")


def _by_resource(catalog: Catalog) -> dict[str, list[_Numbered]]:
    """The profiles that want the same devices."""
    found: dict[str, list[_Numbered]] = defaultdict(list)
    for number, profile in enumerate(catalog.profiles):
        if profile.accelerator:
            resource = catalog.accelerators[profile.accelerator].resource
            found[resource].append((number, profile))
    return found


def _waiting(profiles: list[_Numbered]) -> Iterator[Remark]:
    limits = [one.session_limit for _, one in profiles if one.session_limit]
    longest = max(limits, key=duration_seconds, default=None)
    if longest is None or not any(WAIT in one.when_full for _, one in profiles):
        return
    for number, profile in profiles:
        if not profile.session_limit:
            message = (
                "no session_limit, where others that want the same devices have one: as long as "
                "such a server is in the way, no latest time can be told to those who wait"
            )
            hint = f"write one, such as session_limit: {longest}"
            yield remark("hint", ("profiles", number), message, hint)
        if WAIT in profile.when_full and profile.longest_wait < duration_seconds(longest):
            limit = profile.wait_limit or "1h, as it is when left out,"
            message = (
                f"the wait_limit {limit} is shorter than sessions of {longest} on the same "
                "devices, so many would wait for nothing"
            )
            hint = f"write wait_limit: {longest}"
            yield remark("hint", ("profiles", number, "wait_limit"), message, hint)
