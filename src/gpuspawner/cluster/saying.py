"""The cluster in words, in the language spoken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gpuspawner.capacity.denials import allowed_by, resource_of
from gpuspawner.capacity.freshness import State
from gpuspawner.cluster.values import (
    ClusterClaimable,
    ClusterHeld,
    ClusterHolding,
    ClusterKind,
    ClusterNode,
    ClusterPool,
    ClusterQuota,
    ClusterUnits,
    PoolGrowth,
)
from gpuspawner.fit import Transition
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, listed, ngettext
from gpuspawner.quantity import format_amount, parse_amount
from gpuspawner.wording.lengths import briefly

_STATES: Mapping[str, str] = {
    "free": gettext_noop("{count} free"),
    "others": gettext_noop("{count} held by others"),
    "unhealthy": gettext_noop("{count} unhealthy"),
    "reconfiguring": gettext_noop("{count} being reconfigured"),
    "closed": gettext_noop("{count} left on nodes that take no pods"),
    "unknown": gettext_noop("{count} unknown"),
}
_CLOSED: Mapping[str, str] = {
    "cordoned": gettext_noop("cordoned"),
    "not ready": gettext_noop("not ready"),
    "not reachable": gettext_noop("not reachable"),
}
_TRANSITIONS: Mapping[str, str] = {
    Transition.MIG_RECONFIGURATION.value: gettext_noop("MIG is being reconfigured"),
    Transition.MIG_FAILED.value: gettext_noop("the MIG reconfiguration has failed"),
    Transition.DRIVER_UPGRADE.value: gettext_noop("the driver is being upgraded"),
    Transition.DRIVER_UPGRADE_FAILED.value: gettext_noop("the driver upgrade has failed"),
}
_FRESHNESS: Mapping[State, str] = {
    "live": gettext_noop("The cluster is watched."),
    "starting": gettext_noop("The cluster has not been read yet."),
    "stale": gettext_noop("The cluster does not answer."),
    "denied": gettext_noop("The hub is not allowed to see the cluster."),
}
_KINDS: Mapping[str, str] = {
    "live": gettext_noop("watched"),
    "starting": gettext_noop("not read yet"),
    "stale": gettext_noop("does not answer"),
    "denied": gettext_noop("not allowed"),
    "not-served": gettext_noop("not served by this cluster"),
}
_PURPOSES: Mapping[str, str] = {
    "": gettext_noop("what is free"),
    "quotas": gettext_noop("quotas"),
    "volumes": gettext_noop("volumes"),
    "devices of Dynamic Resource Allocation": gettext_noop(
        "devices of Dynamic Resource Allocation"
    ),
    "pools that an autoscaler grows": gettext_noop("pools that an autoscaler grows"),
}
_PHASES: Mapping[str, str] = {
    "running": gettext_noop("running"),
    "starting": gettext_noop("starting"),
    "stopping": gettext_noop("stopping"),
}
_GROWTH: Mapping[PoolGrowth, str] = {
    "can": gettext_noop("The pool's autoscaler last reported nothing that keeps it from growing."),
    "full": gettext_noop("The pool has all the nodes it may have."),
    "failed": gettext_noop("The pool cannot grow at present: its last attempt failed."),
    "unhealthy": gettext_noop(
        "The pool cannot grow at present: its autoscaler reports it unhealthy."
    ),
    "unknown": gettext_noop(
        "Whether the pool can grow at present is not known: no status of its autoscaler says so."
    ),
}
_TIMES = "\N{MULTIPLICATION SIGN}"
LEGEND: Mapping[str, str] = {
    "free": gettext_noop("free"),
    "others": gettext_noop("held by others"),
    "unhealthy": gettext_noop("unhealthy"),
    "reconfiguring": gettext_noop("being reconfigured"),
    "closed": gettext_noop("left on a node that takes no pods"),
    "unknown": gettext_noop("unknown"),
}


def units_in_words(units: Iterable[ClusterUnits], titles: Mapping[str, str]) -> str:
    """Runs: ``3 free, 4 held by our servers (One GPU) and 1 held by others``.

    Args:
        units: the runs.
        titles: of profiles, by slug; without any, profiles are not named.
    """
    words = tuple(_run(one, titles) for one in units)
    return listed(words) if words else ""


def _run(units: ClusterUnits, titles: Mapping[str, str]) -> str:
    if units.state == "ours" and not titles:
        return _("{count} held by our servers").format(count=units.count)
    if units.state == "ours":
        words = _("{count} held by our servers ({profile})")
        return words.format(count=units.count, profile=titles.get(units.profile, units.profile))
    return _(_STATES[units.state]).format(count=units.count)


def node_notes(node: ClusterNode) -> tuple[str, ...]:
    """What a node goes through."""
    return tuple(_notes(node))


def _notes(node: ClusterNode) -> Iterator[str]:
    yield from (_(_CLOSED[one]) for one in node.closed)
    if node.transition:
        yield _(_TRANSITIONS[node.transition])
    if not node.devices and not node.claimable:
        yield _("offers no devices at the moment")
    for devices in node.devices:
        drawn = sum(one.count for one in devices.units if one.state == "unhealthy")
        if devices.unhealthy > drawn:
            words = ngettext(
                "{count} of those in use is unhealthy",
                "{count} of those in use are unhealthy",
                devices.unhealthy - drawn,
            )
            yield words.format(count=devices.unhealthy - drawn)


def claimable_in_words(devices: ClusterClaimable) -> str:
    """The devices of a driver: ``4 devices of gpu.nvidia.com served by DRA, 1 in use``."""
    if devices.count is None:
        words = _("devices of {driver} served by DRA; how many is not known")
    elif devices.in_use is None:
        words = ngettext(
            "{count} device of {driver} served by DRA; whether it is in use is not known",
            "{count} devices of {driver} served by DRA; how many are in use is not known",
            devices.count,
        )
    else:
        words = ngettext(
            "{count} device of {driver} served by DRA, {used} in use",
            "{count} devices of {driver} served by DRA, {used} in use",
            devices.count,
        )
    return words.format(driver=devices.driver, count=devices.count, used=devices.in_use)


def pool_in_words(pool: ClusterPool) -> tuple[str, ...]:
    """How large a pool is and may be, who waits for it to grow, and whether it can."""
    offered = [f"{one.count} {_TIMES} {one.title}" for one in pool.devices]
    cores = _("{amount} CPU cores").format(amount=format_amount("cpu", round(pool.cpu * 1000)))
    memory = _("{amount} of memory").format(amount=format_amount("memory", pool.memory))
    offers = _("A new node offers {what}.").format(what=listed([*offered, cores, memory]))
    growth = _(_GROWTH[pool.growth])
    if pool.growth == "unknown" and not pool.autoscaler_group:
        growth = _(
            "Whether the pool can grow at present is not known: the catalog does not name its "
            "autoscaler_group."
        )
    awaited = (_awaited_in_words(pool.awaited_by),) if pool.awaited_by else ()
    return (_size_in_words(pool), *awaited, offers, growth)


def _awaited_in_words(starts: int) -> str:
    # Several may find room on one node.
    words = ngettext(
        "{count} start of this hub waits for a new node.",
        "{count} starts of this hub wait for a new node.",
        starts,
    )
    return words.format(count=starts)


def _size_in_words(pool: ClusterPool) -> str:
    if pool.nodes is None and pool.most is None:
        return _("How many nodes the pool has is not known, nor how many it may have.")
    if pool.nodes is None:
        words = _("How many nodes the pool has is not known; it may have {most}.")
    elif pool.most is None:
        words = ngettext(
            "{nodes} node now; how many it may have is not known.",
            "{nodes} nodes now; how many it may have is not known.",
            pool.nodes,
        )
    else:
        words = ngettext(
            "{nodes} node now, and at most {most}.",
            "{nodes} nodes now, and at most {most}.",
            pool.nodes,
        )
    return words.format(nodes=pool.nodes, most=pool.most)


def quota_in_words(quota: ClusterQuota) -> str:
    """How much of a quota is used: ``6 of 8 GPUs taken``."""
    resource = resource_of(quota.resource)
    hard = parse_amount(resource, quota.hard)
    allowed = allowed_by(quota.resource, hard)
    if quota.used is None:
        words = _("at most {allowed}; how much of that is taken is unknown")
        return words.format(allowed=allowed)
    used = parse_amount(resource, quota.used)
    if used >= hard:
        words = _("{used} of {allowed} taken: used up")
    else:
        words = _("{used} of {allowed} taken")
    return words.format(used=format_amount(resource, used), allowed=allowed)


def interruptions_in_words(kind: ClusterKind) -> str:
    """How often a watch was interrupted: ``read anew 2 times, 5 attempts failed``."""
    if kind.state == "not-served":
        # To ask now and then whether it is served by now fails, and nothing is interrupted by that.
        return "\N{EN DASH}"
    words = []
    if kind.restarts:
        many = ngettext("read anew {count} time", "read anew {count} times", kind.restarts)
        words.append(many.format(count=kind.restarts))
    if kind.failures:
        many = ngettext("{count} attempt failed", "{count} attempts failed", kind.failures)
        words.append(many.format(count=kind.failures))
    # What is amiss at this moment is not among them.
    return ", ".join(words) or (_("none") if kind.state == "live" else "\N{EN DASH}")


def state_in_words(state: State) -> str:
    """How far the cluster is known."""
    return _(_FRESHNESS[state])


def legend_in_words(state: str) -> str:
    """What a sign of the picture means."""
    return _(LEGEND[state])


def kind_in_words(kind: ClusterKind) -> str:
    """How the watch of a kind fares: ``not allowed: list and watch``."""
    words = _(_KINDS[kind.state])
    if kind.missing:
        words = f"{words}: {listed(kind.missing)}"
    if kind.unreadable:
        many = ngettext(
            "{count} object cannot be read", "{count} objects cannot be read", kind.unreadable
        )
        words = f"{words}; {many.format(count=kind.unreadable)}"
    return words


def purpose_in_words(kind: ClusterKind) -> str:
    """What a kind is looked at for."""
    return _(_PURPOSES[kind.purpose])


def phase_in_words(holding: ClusterHolding) -> str:
    """How far a server is."""
    if holding.in_line is None:
        return _(_PHASES[holding.phase])
    if holding.in_line.place is None:
        return _("waits in line")
    return _("waits in line, place {number}").format(number=holding.in_line.place)


def held_in_words(held: Iterable[ClusterHeld] | None) -> str:
    """What a server has: ``2 \N{MULTIPLICATION SIGN} NVIDIA A100``."""
    if held is None:
        return _("unknown")
    return ", ".join(f"{one.count} {_TIMES} {one.title}" for one in held) or _("none yet")


def age_in_words(age: float | None) -> str:
    """How old knowledge is."""
    return _("never") if age is None else briefly(age)


def moment_in_words(moment: str | None) -> str:
    """A moment of `gpuspawner.cluster.values`, as people read it; it stays in UTC."""
    return _("unknown") if moment is None else f"{moment[:10]} {moment[11:16]} UTC"


def clock_in_words(moment: str) -> str:
    """The time of day of a moment, to the second."""
    return f"{moment[11:19]} UTC"
