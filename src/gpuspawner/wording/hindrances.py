"""Why no node takes a pod, now or ever: clauses of a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from gpuspawner.fit import Note, Shortfall, SmallPool, Transition, Verdict
from gpuspawner.language import gettext as _
from gpuspawner.language import ngettext
from gpuspawner.offers import Offer
from gpuspawner.wording.amounts import name_of, names_of, two_named
from gpuspawner.wording.schedulers import nowhere, on_nodes


def closed(verdict: Verdict) -> list[str]:
    """That nodes are closed, if any is."""
    if not verdict.closed_nodes:
        return []
    words = ngettext("{number} node closed", "{number} nodes closed", verdict.closed_nodes)
    return [words.format(number=verdict.closed_nodes)]


def explained(offer: Offer, verdict: Verdict) -> list[str]:
    """What the nodes are going through."""
    return [_explained(note, nodes, offer) for note, nodes in verdict.notes.items()]


def _explained(note: Note, nodes: int, offer: Offer) -> str:
    match note.transition:
        case Transition.UNHEALTHY_DEVICES:
            words = ngettext(
                "{number} {device} unhealthy on {nodes} node",
                "{number} {device} unhealthy on {nodes} nodes",
                nodes,
            )
        case Transition.MIG_RECONFIGURATION:
            words = ngettext(
                "GPUs are being partitioned anew on {nodes} node",
                "GPUs are being partitioned anew on {nodes} nodes",
                nodes,
            )
        case Transition.MIG_FAILED:
            words = ngettext(
                "partitioning the GPUs has failed on {nodes} node",
                "partitioning the GPUs has failed on {nodes} nodes",
                nodes,
            )
        case Transition.DRIVER_UPGRADE:
            words = ngettext(
                "the GPU driver is being upgraded on {nodes} node",
                "the GPU driver is being upgraded on {nodes} nodes",
                nodes,
            )
        case Transition.DRIVER_UPGRADE_FAILED:
            words = ngettext(
                "an upgrade of the GPU driver has failed on {nodes} node",
                "an upgrade of the GPU driver has failed on {nodes} nodes",
                nodes,
            )
    device = name_of(note.resource, offer)
    return words.format(number=note.amount * nodes, device=device, nodes=nodes)


def why_full(offer: Offer, verdict: Verdict) -> list[str]:
    """Why no node takes it at present, though some could."""
    if verdict.blocked:
        return [nowhere(verdict.blocked)]
    if verdict.short:
        return [_full(offer, verdict), *closed(verdict)]
    number = verdict.closed_nodes
    if number:
        words = ngettext(
            "{number} node that it could run on is closed to new servers at present",
            "{number} nodes that it could run on are closed to new servers at present",
            number,
        )
        return [words.format(number=number)]
    number = verdict.taken_nodes
    if number:
        words = ngettext(
            "its devices are in use on {number} node",
            "its devices are in use on {number} nodes",
            number,
        )
        return [words.format(number=number)]
    if not verdict.total_nodes:
        return [_("the cluster has no nodes")]
    said = sorted(on_nodes(words, count, offer) for words, count in verdict.reasons.items())
    return [_("no node takes it at present ({reasons})").format(reasons=", ".join(said))]


def _full(offer: Offer, verdict: Verdict) -> str:
    own = offer.accelerator.resource if offer.accelerator else ""
    others = [short for short in verdict.short if own not in short]
    if own and not others:
        return _scattered(offer, verdict.free.get(own, {})) or _none(offer, verdict)
    names = names_of(frozenset[str]().union(*others), offer)
    if own:
        words = _("some are free, but not on a node with enough {resources} left")
    else:
        words = _("no node has enough {resources} left")
    return words.format(resources=names)


def _none(offer: Offer, verdict: Verdict) -> str:
    if offer.profile.count > 1:
        # What was counted are servers, not devices.
        return _("none free")
    return _("none of {all} free").format(all=verdict.slots_if_empty)


def _scattered(offer: Offer, free: Mapping[int, int]) -> str:
    """What is free of the devices, but not together; empty if nothing is."""
    total, wanted = sum(left * nodes for left, nodes in free.items()), offer.profile.count
    if not total or max(free) >= wanted:
        return ""
    if total < wanted:
        words = _("only {free} free, and it needs {wanted}")
    elif max(free) > 1:
        words = _(
            "{free} free, but on {nodes} different nodes, at most {most} together, and it needs "
            "{wanted}"
        )
    else:
        words = _("{free} free, but on {nodes} different nodes, none for {wanted} together")
    nodes = sum(free.values())
    return words.format(free=total, nodes=nodes, most=max(free), wanted=wanted)


def why_never(offer: Offer, verdict: Verdict) -> list[str]:
    """Why no node takes it, however little else runs there."""
    if verdict.shortfalls:
        return [_shortfall(shortfall, offer) for shortfall in verdict.shortfalls]
    if offer.small_pools:
        return [_too_small(pool, offer) for pool in offer.small_pools]
    if not verdict.eligible_nodes:
        return [_("no node is meant for it, by its labels and taints")]
    return [_("no single node offers all that it asks for")]


def _shortfall(shortfall: Shortfall, offer: Offer) -> str:
    if shortfall.most == 0:
        resource = name_of(shortfall.resource, offer)
        return _("no node offers {resource}").format(resource=resource)
    asked, most = two_named(shortfall.resource, shortfall.asked, shortfall.most, offer)
    words = _("asks for {asked}, the largest node offers {most}")
    return words.format(asked=asked, most=most)


def _too_small(small: SmallPool, offer: Offer) -> str:
    said = []
    for shortfall in small.shortfalls:
        asked, most = two_named(shortfall.resource, shortfall.asked, shortfall.most, offer)
        words = _("asks for {asked}, a new node of {pool} offers {most}")
        said.append(words.format(asked=asked, pool=small.pool, most=most))
    return "; ".join(said)
