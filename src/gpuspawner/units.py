"""What there is of an offer's units."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.offers import Offer, Standing


@dataclass(frozen=True, slots=True)
class Units:
    """Units that could serve a profile."""

    free: int
    used: int
    unusable: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.free + self.used + self.unusable


def units_of(offer: Offer) -> Units | None:
    """Those of an offer; None if they are not known."""
    verdict = offer.verdict
    if verdict is None or offer.standing is Standing.UNKNOWN or verdict.slots is None:
        return None
    count = max(1, offer.profile.count)
    total = verdict.slots_if_empty * count
    free = verdict.slots * count
    return Units(free, total - free, 0)
