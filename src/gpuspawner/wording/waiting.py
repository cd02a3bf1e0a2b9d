"""What somebody reads who cannot start at once what they want."""

from __future__ import annotations

from gpuspawner.language import as_sentence
from gpuspawner.language import gettext as _
from gpuspawner.offers import Offer
from gpuspawner.wording.availability import availability, why
from gpuspawner.wording.lengths import spelled


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
    if number == 1:
        place = _("You are first in line for {profile}.")
    else:
        place = _("You are number {number} in line for {profile}.")
    said = [place.format(number=number, profile=offer.profile.title)]
    if not is_live:
        return " ".join(
            [*said, _("The cluster does not answer at the moment; your place is kept.")]
        )
    reason = why(offer)
    if reason:
        said.append(f"{as_sentence(reason)}.")
    said.append(_("Your server starts when it is your turn."))
    if left is None:
        said.append(_("How long that takes cannot be known."))
    else:
        words = _("That takes {length} at most, unless others take the room.")
        said.append(words.format(length=spelled(left)))
    if left is None or left > remaining:
        words = _("The wait ends in {length} if there is no room before.")
        said.append(words.format(length=spelled(remaining)))
    return " ".join(said)


def instead(offer: Offer | None) -> str:
    """What somebody may start instead of what they cannot have, in a sentence."""
    if offer is None:
        return _("Nothing else can be started at the moment; try again later.")
    words = _("The nearest that can be started is {profile} ({availability}).")
    return words.format(profile=offer.profile.title, availability=availability(offer))
