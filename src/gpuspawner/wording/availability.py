"""Whether an offer can be started, and why or why not: a sentence without its full stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpuspawner.capacity.denials import read_denial
from gpuspawner.fit import Verdict
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, listed, ngettext
from gpuspawner.offers import ADMISSION, Offer, Standing
from gpuspawner.wording.hindrances import closed, explained, why_full, why_never
from gpuspawner.wording.lengths import briefly, spelled
from gpuspawner.wording.pools import cannot_grow

CONTRADICTION = gettext_noop("the hub's configuration and this profile contradict each other")


def availability(offer: Offer) -> str:
    """One sentence, without its full stop, on whether the offer can be started and why."""
    words = standing(offer)
    return f"{words}; {_waiting(offer)}" if offer.can_wait else words


def standing(offer: Offer) -> str:
    """`availability`, without a word on waiting."""
    if offer.fault:
        return _("cannot start: {why}").format(why=_(CONTRADICTION))
    if offer.denial is not None:
        words = _("busy: {why}") if offer.denial.quota else _("cannot start: {why}")
        return words.format(why=offer.denial.words)
    if offer.verdict is None or offer.standing is Standing.UNKNOWN:
        return _unknown(offer)
    return _SENTENCES[offer.standing](offer, offer.verdict)


def why(offer: Offer) -> str:
    """Why the offer cannot be started for certain at this moment; empty if it can."""
    if offer.denial is not None:
        return offer.denial.words
    if offer.verdict is None or offer.standing is Standing.UNKNOWN:
        return _why_unknown(offer)
    return _why_busy(offer, offer.verdict) if offer.standing is Standing.BUSY else ""


def _waiting(offer: Offer) -> str:
    longest, ahead = spelled(offer.profile.longest_wait), offer.ahead
    if not ahead:
        words = _("you can wait in line for up to {longest}, nobody is ahead")
    else:
        words = ngettext(
            "you can wait in line for up to {longest}, {ahead} is ahead",
            "you can wait in line for up to {longest}, {ahead} are ahead",
            ahead,
        )
    return words.format(longest=longest, ahead=ahead)


def _free(offer: Offer, verdict: Verdict) -> str:
    nodes = len(verdict.nodes)
    if verdict.slots is None:
        words = ngettext("free, on {nodes} node", "free, on {nodes} nodes", nodes)
    elif offer.accelerator is None or offer.profile.count > 1:
        words = ngettext(
            "free: room for {free} more, on {nodes} node",
            "free: room for {free} more, on {nodes} nodes",
            nodes,
        )
    else:
        words = ngettext(
            "{free} of {all} free, on {nodes} node",
            "{free} of {all} free, on {nodes} nodes",
            nodes,
        )
    words = words.format(free=verdict.slots, all=verdict.slots_if_empty, nodes=nodes)
    bounds = [_("a quota leaves no more")] if verdict.is_bounded else []
    return "; ".join([words, *bounds, *closed(verdict)])


def _evicting(_offer: Offer, verdict: Verdict) -> str:
    number = verdict.evicts or 0
    words = ngettext(
        "free: {number} pod of lower priority makes way for it",
        "free: {number} pods of lower priority make way for it",
        number,
    )
    return words.format(number=number)


def _growing(offer: Offer, _verdict: Verdict) -> str:
    if offer.node_takes is None:
        words = _("can start a node, in some minutes: none has room now, but {pool} can grow")
        return words.format(pool=offer.pool_to_grow)
    words = _("can start a node, {time}: none has room now, but {pool} can grow")
    return words.format(pool=offer.pool_to_grow, time=offer.node_takes.briefly)


def _queued(_offer: Offer, verdict: Verdict) -> str:
    if verdict.queue:
        words = _("queued: it starts when its turn comes in the queue {queue}")
        return words.format(queue=verdict.queue)
    words = _("queued: it starts when the cluster lets it ({gates})")
    return words.format(gates=listed(verdict.queued))


def _busy(offer: Offer, verdict: Verdict) -> str:
    return _("busy: {why}").format(why=_why_busy(offer, verdict))


def _never(offer: Offer, verdict: Verdict) -> str:
    reasons = "; ".join([*why_never(offer, verdict), *explained(offer, verdict)])
    return _("never fits: {why}").format(why=reasons)


def _why_busy(offer: Offer, verdict: Verdict) -> str:
    if verdict.refusal:
        denial = read_denial(verdict.refusal)
        return denial.words if denial is not None else verdict.refusal
    if offer.is_kept:
        reasons = [_("what is free is kept for those who wait in line")]
    else:
        reasons = why_full(offer, verdict)
    reasons += cannot_grow(offer.growths)
    if any(not growth.hindrance for growth in offer.growths):
        reasons.append(_("no new node is started for it"))
    return "; ".join([*reasons, *explained(offer, verdict)])


def _unknown(offer: Offer) -> str:
    freshness = offer.freshness
    has_answered = freshness.age is not None and not freshness.missing
    if freshness.age is not None and has_answered and not _is_undecided(offer):
        words = _("unknown for {length}: the cluster does not answer")
        return words.format(length=briefly(freshness.age))
    return _("unknown: {why}").format(why=_why_unknown(offer))


def _is_undecided(offer: Offer) -> bool:
    """Whether there is no answer although the cluster is known."""
    return offer.verdict is not None and offer.freshness.is_live


def _why_unknown(offer: Offer) -> str:
    if offer.verdict is not None and _is_undecided(offer):
        return _why_undecided(offer, offer.verdict)
    freshness = offer.freshness
    if freshness.missing:
        rights = listed([f"{right.verb} {right.resource}" for right in freshness.missing])
        return _("the hub is not allowed to see the cluster ({rights})").format(rights=rights)
    if freshness.age is None and freshness.last_error is not None:
        return _("the cluster cannot be reached")
    if freshness.age is None:
        return _("the cluster has not answered yet")
    words = _("the cluster has not answered for {length}")
    return words.format(length=briefly(freshness.age))


def _why_undecided(offer: Offer, verdict: Verdict) -> str:
    if offer.contenders:
        words = ngettext(
            "it depends on where {number} server goes that is just being started",
            "it depends on where {number} servers go that are just being started",
            offer.contenders,
        )
        return words.format(number=offer.contenders)
    if offer.missing:
        words = _("the hub is not allowed to see all that decides ({rights})")
        return words.format(rights=listed(offer.missing))
    pools = [growth.pool for growth in offer.growths if not growth.hindrance]
    if pools:
        words = _("no node takes it now, and it is not known whether a new one of {pool} would")
        return words.format(pool=pools[0])
    if not verdict.unchecked:
        return _("it depends on whether others make way for it, and that cannot be told")
    admission = _("how the pod would be admitted")
    what = [admission if each == ADMISSION else each for each in verdict.unchecked]
    return _("it depends on {what}, and that cannot be told").format(what=listed(what))


_SENTENCES: Mapping[Standing, Callable[[Offer, Verdict], str]] = {
    Standing.FREE: _free,
    Standing.EVICTS: _evicting,
    Standing.CAN_START_NODE: _growing,
    Standing.QUEUED: _queued,
    Standing.BUSY: _busy,
    Standing.NEVER: _never,
}
