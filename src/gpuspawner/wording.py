"""Offers in words. Nothing reads these texts back."""

from __future__ import annotations

from gpuspawner.catalog import Sharing
from gpuspawner.fit import Shortfall, Verdict
from gpuspawner.offers import Offer, Standing
from gpuspawner.quantity import format_amount, format_apart

CONTRADICTION = "the hub's configuration and this profile contradict each other"
_NAMES = {"cpu": "CPU cores", "memory": "memory", "pods": "places for pods"}
_SHARING: dict[Sharing, str] = {
    "exclusive": "yours alone",
    "mig": "isolated from its neighbours",
    "time-slicing": "shared by taking turns, no memory isolation",
    "mps": "shared at the same time, limited memory isolation",
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
    if offer.accelerator is None:
        return ""
    return _SHARING[offer.accelerator.sharing]


def named(resource: str, amount: int) -> str:
    """An amount with its resource: ``"128 GiB of memory"``, ``"2 nvidia.com/gpu"``."""
    return _with_name(resource, format_amount(resource, amount))


def _with_name(resource: str, words: str) -> str:
    if resource == "cpu":
        return f"{words} CPU {'core' if words == '1' else 'cores'}"
    if resource == "memory":
        return f"{words} of memory"
    return f"{words} {resource}"


def _free(offer: Offer, verdict: Verdict) -> str:
    where = f"on {_count(len(verdict.nodes), 'node')}"
    if offer.accelerator is None:
        return f"free: room for {verdict.slots} more, {where}"
    return f"{verdict.slots} of {verdict.slots_if_empty} free, {where}"


def _busy(offer: Offer, verdict: Verdict) -> str:
    parts = [_full(offer, verdict)] if verdict.short else []
    if verdict.closed_nodes:
        parts.append(f"{_count(verdict.closed_nodes, 'node')} closed to new servers at present")
    return "; ".join(parts) or "no node takes it at present"


def _full(offer: Offer, verdict: Verdict) -> str:
    own = offer.accelerator.resource if offer.accelerator else ""
    others = [short for short in verdict.short if own not in short]
    names = sorted(_NAMES.get(name, name) for name in frozenset[str]().union(*others))
    listed = " and ".join(names)
    if not own:
        return f"no node has enough {listed} left"
    if not others:
        return f"none of {verdict.slots_if_empty} free"
    return f"no node with a free one has enough {listed} left"


def _never(verdict: Verdict) -> str:
    if verdict.shortfalls:
        return "; ".join(_shortfall(shortfall) for shortfall in verdict.shortfalls)
    if not verdict.eligible_nodes:
        return "no node of the cluster is one that it may run on"
    return "no single node offers all that it asks for"


def _shortfall(shortfall: Shortfall) -> str:
    if shortfall.most == 0:
        return f"no node offers {shortfall.resource}"
    asked, most = format_apart(shortfall.resource, shortfall.asked, shortfall.most)
    return f"asks {_with_name(shortfall.resource, asked)}, the largest node offers {most}"


def _unknown(offer: Offer) -> str:
    freshness = offer.freshness
    if offer.verdict is not None and freshness.is_live:
        return f"this server uses {', '.join(offer.verdict.unchecked)}, which is not checked"
    if freshness.missing:
        rights = ", ".join(f"{p.verb} {p.resource}" for p in freshness.missing)
        return f"the hub is not allowed to see the cluster ({rights})"
    if freshness.age is None:
        return "the cluster has not answered yet"
    return f"the cluster has not answered for {max(1, round(freshness.age))} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
