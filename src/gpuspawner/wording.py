"""Offers in words. Nothing reads these texts back."""

from __future__ import annotations

from gpuspawner.catalog import Sharing
from gpuspawner.fit import Shortfall, Verdict
from gpuspawner.offers import Offer, Standing
from gpuspawner.quantity import format_amount, format_apart

CONTRADICTION = "the hub's configuration and this profile contradict each other"
_NAMES = {
    "cpu": "CPU cores",
    "ephemeral-storage": "local disk",
    "memory": "memory",
    "pods": "places for pods",
}
_MINUTE, _HOUR = 60, 3600
_SHARING: dict[Sharing, str] = {
    "exclusive": "yours alone",
    "mig": "isolated from its neighbours",
    "time-slicing": "shared{others} by taking turns, no memory isolation",
    "mps": "shared{others} at the same time, limited memory isolation",
}


def availability(offer: Offer) -> str:
    """One sentence, without its full stop, on whether the offer can be started and why."""
    if offer.fault:
        return f"cannot start: {CONTRADICTION}"
    verdict = offer.verdict
    if verdict is None or offer.standing is Standing.UNKNOWN:
        return f"unknown: {_unknown(offer)}"
    match offer.standing:
        case Standing.FREE:
            return _free(offer, verdict)
        case Standing.NEVER:
            return f"never fits: {_never(verdict)}"
        case _:
            return f"busy: {_busy(offer, verdict)}"


def sharing(offer: Offer) -> str:
    """What kind of accelerator it is, in honest words; empty for a profile without one."""
    accelerator = offer.accelerator
    if accelerator is None:
        return ""
    by = accelerator.shared_by or 1
    others = f" with up to {_count(by - 1, 'other')}" if by > 1 else ""
    return _SHARING[accelerator.sharing].format(others=others)


def named(resource: str, amount: int) -> str:
    """An amount with its resource: ``"128 GiB of memory"``, ``"2 nvidia.com/gpu"``."""
    return _with_name(resource, format_amount(resource, amount))


def _with_name(resource: str, words: str) -> str:
    match resource:
        case "cpu":
            return f"{words} CPU {'core' if words == '1' else 'cores'}"
        case "memory" | "ephemeral-storage":
            return f"{words} of {_NAMES[resource]}"
        case _:
            return f"{words} {resource}"


def _free(offer: Offer, verdict: Verdict) -> str:
    where = f"on {_count(len(verdict.nodes), 'node')}"
    if offer.accelerator is None:
        words = f"free: room for {verdict.slots} more, {where}"
    elif offer.profile.count > 1:
        words = f"free: room for {verdict.slots} of {verdict.slots_if_empty} such servers, {where}"
    else:
        words = f"{verdict.slots} of {verdict.slots_if_empty} free, {where}"
    if verdict.closed_nodes:
        words += f"; {_count(verdict.closed_nodes, 'node')} closed"
    return words


def _busy(offer: Offer, verdict: Verdict) -> str:
    closed = _count(verdict.closed_nodes, "node")
    if verdict.short:
        words = _full(offer, verdict)
        return f"{words}; {closed} closed" if verdict.closed_nodes else words
    if verdict.closed_nodes:
        nodes = "the node" if verdict.closed_nodes == 1 else f"the {closed}"
        verb = "is" if verdict.closed_nodes == 1 else "are"
        return f"{nodes} it could run on {verb} closed to new servers at present"
    return "no node takes it at present" if verdict.total_nodes else "the cluster has no nodes"


def _full(offer: Offer, verdict: Verdict) -> str:
    own = offer.accelerator.resource if offer.accelerator else ""
    others = [short for short in verdict.short if own not in short]
    if own and not others:
        return f"none of {verdict.slots_if_empty} free"
    names = sorted(_NAMES.get(name, name) for name in frozenset[str]().union(*others))
    listed = " and ".join(names)
    if own:
        return f"some are free, but not on a node with enough {listed} left"
    return f"no node has enough {listed} left"


def _never(verdict: Verdict) -> str:
    if verdict.shortfalls:
        return "; ".join(_shortfall(shortfall) for shortfall in verdict.shortfalls)
    if not verdict.eligible_nodes:
        return "no node has the labels it needs, or each has a taint it does not tolerate"
    return "no single node offers all that it asks for"


def _shortfall(shortfall: Shortfall) -> str:
    if shortfall.most == 0:
        return f"no node offers {shortfall.resource}"
    asked, most = format_apart(shortfall.resource, shortfall.asked, shortfall.most)
    return f"asks {_with_name(shortfall.resource, asked)}, the largest node offers {most}"


def _unknown(offer: Offer) -> str:
    freshness = offer.freshness
    if offer.verdict is not None and freshness.is_live:
        return f"it uses {', '.join(offer.verdict.unchecked)}, and that is not checked"
    if freshness.missing:
        rights = ", ".join(f"{p.verb} {p.resource}" for p in freshness.missing)
        return f"the hub is not allowed to see the cluster ({rights})"
    if freshness.age is None and freshness.last_error is not None:
        return "the cluster cannot be reached"
    if freshness.age is None:
        return "the cluster has not answered yet"
    return f"the cluster has not answered for {_duration(freshness.age)}"


def _duration(seconds: float) -> str:
    """Never "0 s", which would read as now."""
    if seconds < 2 * _MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    return f"{round(seconds / _HOUR)} h"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
