"""What one person may start right now, and if not, why not.

The form, the start and the API all ask here, so that none can offer what another refuses.
"""

from __future__ import annotations

from gpuspawner.offers.drafting import draft_of, drafts_in
from gpuspawner.offers.pools import node_templates, pool_of
from gpuspawner.offers.settling import ADMISSION, judged
from gpuspawner.offers.values import Offer, Situation, Standing, View
from gpuspawner.selection import Selection

__all__ = [
    "ADMISSION",
    "Offer",
    "Situation",
    "Standing",
    "View",
    "draft_of",
    "drafts_in",
    "judged",
    "node_templates",
    "offer_of",
    "offers_in",
    "pool_of",
]


def offers_in(situation: Situation) -> tuple[Offer, ...]:
    """An offer for each profile that the person is allowed, in the catalog's order."""
    return tuple(judged(draft, situation) for draft in drafts_in(situation))


def offer_of(selection: Selection, situation: Situation) -> Offer | None:
    """The offer of what was selected; None if the person may not have it."""
    draft = draft_of(selection, situation)
    return None if draft is None else judged(draft, situation)
