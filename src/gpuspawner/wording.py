"""Offers in words. Nothing reads these texts back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil

from gpuspawner.capacity.denials import read_denial
from gpuspawner.catalog import Sharing, duration_seconds
from gpuspawner.fit import Shortfall, Transition, Verdict
from gpuspawner.offers import Offer, Standing
from gpuspawner.quantity import format_amount, format_apart

CONTRADICTION = "the hub's configuration and this profile contradict each other"
_NAMES = {
    "cpu": "CPU cores",
    "ephemeral-storage": "local disk",
    "memory": "memory",
    "pods": "places for pods",
}
_KEPT = "what is free is kept for those who wait in line"
_MINUTE, _HOUR = 60, 3600
_SHARING: dict[Sharing, str] = {
    "exclusive": "yours alone",
    "mig": "isolated from its neighbours",
    "time-slicing": "shared{others} by taking turns, no memory isolation",
    "mps": "shared{others} at the same time, limited memory isolation",
}


def availability(offer: Offer) -> str:
    """One sentence, without its full stop, on whether the offer can be started and why."""
    words = standing(offer)
    if not offer.can_wait:
        return words
    ahead = f"{offer.ahead} {'is' if offer.ahead == 1 else 'are'}" if offer.ahead else "nobody is"
    longest = spelled(offer.profile.longest_wait)
    return f"{words}; you can wait in line for up to {longest}, {ahead} ahead"


def standing(offer: Offer) -> str:
    """`availability`, without a word on waiting."""
    if offer.fault:
        return f"cannot start: {CONTRADICTION}"
    if offer.denial is not None:
        return f"{'busy' if offer.denial.quota else 'cannot start'}: {offer.denial.words}"
    verdict = offer.verdict
    if verdict is None or offer.standing is Standing.UNKNOWN:
        return f"unknown: {_unknown(offer)}"
    return _SENTENCES[offer.standing](offer, verdict)


def in_line(
    offer: Offer, number: int, left: float | None, remaining: float, *, is_live: bool
) -> str:
    """Where somebody is in the line for a profile, and what is awaited; in sentences.

    Args:
        offer: as it was judged last.
        number: of the place; 1 is the first.
        left: seconds until there is room at the latest; None if that is not known.
        remaining: seconds until the wait ends.
        is_live: whether the cluster is known at this moment.
    """
    place = "first" if number == 1 else f"number {number}"
    words = f"You are {place} in line for {offer.profile.title}."
    if not is_live:
        return f"{words} The cluster does not answer at the moment; your place is kept."
    _, _, why = standing(offer).partition(": ")
    words = f"{words} {why[0].upper()}{why[1:]}. Your server starts when it is your turn."
    if left is None:
        words = f"{words} How long that takes cannot be known."
    else:
        words = f"{words} That takes {spelled(left)} at most, unless others take the room."
    if left is None or left > remaining:
        words = f"{words} The wait ends in {spelled(remaining)} if there is no room before."
    return words


def instead(offer: Offer | None) -> str:
    """What somebody may start instead of what they cannot have, in a sentence."""
    if offer is None:
        return "Nothing else can be started at the moment; try again later."
    title, words = offer.profile.title, availability(offer)
    return f"The nearest that can be started is {title} ({words}): choose it on the spawn page."


def sharing(offer: Offer) -> str:
    """What kind of accelerator it is, in honest words; empty for a profile without one."""
    accelerator = offer.accelerator
    if accelerator is None:
        return ""
    by = accelerator.shared_by or 1
    others = f" with up to {_count(by - 1, 'other')}" if by > 1 else ""
    return _SHARING[accelerator.sharing].format(others=others)


def lasting(duration: str) -> str:
    """A catalog's duration in words: ``"1 day 12 hours"``."""
    return spelled(duration_seconds(duration))


def spelled(seconds: float) -> str:
    """A length of time in words, in whole minutes rounded up: ``"1 day 12 hours"``."""
    minutes, parts = max(1, ceil(seconds / _MINUTE)), []
    for noun, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        number, minutes = divmod(minutes, length)
        if number:
            parts.append(_count(number, noun))
    return " ".join(parts)


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
    if verdict.slots is None:
        words = f"free {where}"
    elif offer.accelerator is None:
        words = f"free: room for {verdict.slots} more, {where}"
    elif offer.profile.count > 1:
        words = f"free: room for {verdict.slots} of {verdict.slots_if_empty} such servers, {where}"
    else:
        words = f"{verdict.slots} of {verdict.slots_if_empty} free, {where}"
    if verdict.closed_nodes:
        words += f"; {_count(verdict.closed_nodes, 'node')} closed"
    return words


def _evicting(_: Offer, verdict: Verdict) -> str:
    number = verdict.evicts or 0
    verb = "makes" if number == 1 else "make"
    return f"free: {_count(number, 'pod')} of lower priority {verb} way for it"


def _growing(offer: Offer, _: Verdict) -> str:
    takes = offer.node_takes.as_clause if offer.node_takes else "it takes some minutes"
    return f"can start a node: none has room now, {offer.pool_to_grow} can grow; {takes}"


def _queued(_: Offer, verdict: Verdict) -> str:
    if verdict.queue:
        return f"queued: it starts when its turn comes in the queue {verdict.queue}"
    return f"queued: it starts when {', '.join(verdict.queued)} lets it"


def _explained(verdict: Verdict) -> str:
    """What the nodes are going through, as more of the sentence."""
    parts = []
    for note, nodes in verdict.notes.items():
        where = f"on {_count(nodes, 'node')}"
        match note.transition:
            case Transition.UNHEALTHY_DEVICES:
                parts.append(f"{note.amount * nodes} {note.resource} unhealthy {where}")
            case Transition.MIG_RECONFIGURATION:
                parts.append(f"GPUs are being partitioned anew {where}")
            case Transition.MIG_FAILED:
                parts.append(f"partitioning the GPUs has failed {where}")
            case Transition.DRIVER_UPGRADE:
                parts.append(f"the GPU driver is being upgraded {where}")
            case Transition.DRIVER_UPGRADE_FAILED:
                parts.append(f"an upgrade of the GPU driver has failed {where}")
    return "".join(f"; {part}" for part in parts)


def _busy(offer: Offer, verdict: Verdict) -> str:
    if verdict.refusal:
        denial = read_denial(verdict.refusal)
        return f"busy: {denial.words if denial is not None else verdict.refusal}"
    words = _KEPT if offer.is_kept else _why_busy(offer, verdict)
    stuck = [
        f"{growth.pool} cannot grow: {growth.hindrance}"
        for growth in offer.growths
        if growth.hindrance
    ]
    if len(stuck) < len(offer.growths):
        stuck.append("no new node is started for it")
    return f"busy: {'; '.join([words, *stuck])}{_explained(verdict)}"


def _why_busy(offer: Offer, verdict: Verdict) -> str:
    closed = _count(verdict.closed_nodes, "node")
    if verdict.blocked:
        return f"its pod would wait: {verdict.blocked}"
    if verdict.short:
        words = _full(offer, verdict)
        return f"{words}; {closed} closed" if verdict.closed_nodes else words
    if verdict.closed_nodes:
        nodes = "the node" if verdict.closed_nodes == 1 else f"the {closed}"
        verb = "is" if verdict.closed_nodes == 1 else "are"
        return f"{nodes} it could run on {verb} closed to new servers at present"
    if verdict.taken_nodes:
        return f"its devices are in use on {_count(verdict.taken_nodes, 'node')}"
    if not verdict.total_nodes:
        return "the cluster has no nodes"
    said = sorted(f"{count} {words}" for words, count in verdict.reasons.items())
    return f"no node takes it at present ({', '.join(said)})"


def _full(offer: Offer, verdict: Verdict) -> str:
    own = offer.accelerator.resource if offer.accelerator else ""
    others = [short for short in verdict.short if own not in short]
    if own and not others:
        return _scattered(offer, verdict.free.get(own, {})) or (
            f"none of {verdict.slots_if_empty} free"
        )
    names = sorted(_NAMES.get(name, name) for name in frozenset[str]().union(*others))
    listed = " and ".join(names)
    if own:
        return f"some are free, but not on a node with enough {listed} left"
    return f"no node has enough {listed} left"


def _scattered(offer: Offer, free: Mapping[int, int]) -> str:
    """What is free of the devices, but not together; empty if nothing is."""
    total = sum(left * nodes for left, nodes in free.items())
    if not total:
        return ""
    verb = "is" if total == 1 else "are"
    words = f"{total} {verb} free"
    if max(free) >= offer.profile.count:
        return ""
    if total < offer.profile.count:
        return f"{words}, and it asks for {offer.profile.count}"
    nodes = sum(free.values())
    if max(free) > 1:
        return f"{words}, but on {nodes} nodes, at most {max(free)} on one"
    return f"{words}, but on {nodes} nodes"


def _never(_: Offer, verdict: Verdict) -> str:
    return f"never fits: {_why_never(verdict)}{_explained(verdict)}"


def _why_never(verdict: Verdict) -> str:
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
    if offer.verdict is not None and offer.freshness.is_live:
        return _undecided(offer, offer.verdict)
    freshness = offer.freshness
    if freshness.missing:
        rights = ", ".join(f"{p.verb} {p.resource}" for p in freshness.missing)
        return f"the hub is not allowed to see the cluster ({rights})"
    if freshness.age is None and freshness.last_error is not None:
        return "the cluster cannot be reached"
    if freshness.age is None:
        return "the cluster has not answered yet"
    return f"the cluster has not answered for {_duration(freshness.age)}"


def _undecided(offer: Offer, verdict: Verdict) -> str:
    """Why there is no answer although the cluster is known."""
    if offer.contenders:
        servers = _count(offer.contenders, "server")
        verbs = ("goes", "is") if offer.contenders == 1 else ("go", "are")
        return f"it depends on where {servers} {verbs[0]} that {verbs[1]} just being started"
    if offer.missing:
        return f"the hub is not allowed to see all that decides ({', '.join(offer.missing)})"
    pools = [growth.pool for growth in offer.growths if not growth.hindrance]
    if pools:
        return f"no node takes it now, and whether a new one of {pools[0]} would is not known"
    what = ", ".join(verdict.unchecked) or "whether others make way for it"
    return f"it depends on {what}, and that cannot be told"


def _duration(seconds: float) -> str:
    """Never "0 s", which would read as now."""
    if seconds < 2 * _MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    return f"{round(seconds / _HOUR)} h"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_SENTENCES: Mapping[Standing, Callable[[Offer, Verdict], str]] = {
    Standing.FREE: _free,
    Standing.EVICTS: _evicting,
    Standing.CAN_START_NODE: _growing,
    Standing.QUEUED: _queued,
    Standing.BUSY: _busy,
    Standing.NEVER: _never,
}
