"""What a person may start instead of what they cannot have now."""

from __future__ import annotations

from collections.abc import Iterable

from gpuspawner.offers import Offer, Standing
from gpuspawner.quantity import parse_amount

_AT_ONCE = (Standing.FREE, Standing.EVICTS)


def nearest(wanted: Offer | None, offers: Iterable[Offer]) -> Offer | None:
    """The offer that can be started for certain and comes closest to what was wanted.

    What runs at once goes before what a node has to be started for. Of these, the fallbacks that
    the profile names go first, in their order. Then the same kind of device, then any device for
    who wanted one, by how much its memory differs, then by how many there are; what is alike is
    taken in the order of `offers`.

    Args:
        wanted: an offer that cannot be started; None if it is not known what was wanted.
        offers: all that the person has.
    """
    startable = [
        offer
        for offer in offers
        if offer.can_start
        and offer.standing in (*_AT_ONCE, Standing.CAN_START_NODE)
        and (wanted is None or offer.profile.slug != wanted.profile.slug)
    ]
    return min(startable, key=lambda offer: _distance(wanted, offer), default=None)


def _distance(wanted: Offer | None, offer: Offer) -> tuple[bool, int, bool, bool, int, int]:
    later = offer.standing not in _AT_ONCE
    if wanted is None:
        return later, 0, False, False, 0, 0
    ours, theirs = wanted.accelerator, offer.accelerator
    named, slug = wanted.profile.fallbacks, offer.profile.slug
    return (
        later,
        named.index(slug) if slug in named else len(named),
        (ours is None) != (theirs is None),
        wanted.profile.accelerator != offer.profile.accelerator,
        abs(_device_memory(wanted) - _device_memory(offer)),
        abs(wanted.profile.count - offer.profile.count),
    )


def _device_memory(offer: Offer) -> int:
    accelerator = offer.accelerator
    if accelerator is None or accelerator.memory is None:
        return 0
    return parse_amount("memory", accelerator.memory)
