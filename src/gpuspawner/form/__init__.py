"""The spawn form: offers as HTML. Everything that is put into it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gpuspawner.form.cards import Card, Now, edition, grouped, now
from gpuspawner.form.links import PageLinks, page_links
from gpuspawner.form.page import form_text
from gpuspawner.form.rendering import template
from gpuspawner.language import gettext as _
from gpuspawner.language import spoken
from gpuspawner.offers import Offer
from gpuspawner.presenting import PresentedOffer, present

__all__ = [
    "Now",
    "PageLinks",
    "Preselection",
    "edition",
    "form_text",
    "now",
    "page_links",
    "render",
]

SEARCH_FROM = 9
"""The fewest profiles of which one is easier found by a search than by looking."""


@dataclass(frozen=True, slots=True)
class Preselection:
    """What is to be chosen when the form opens.

    Attributes:
        profile: its slug; empty if the person never chose one.
        options: which of its choices, by the name of the option.
        holds: whether the catalog still has it.
        is_linked: whether a link asked for it; else it is what the person asked for last.
        is_refused: whether that was refused just now, of which the page says the reason.
    """

    profile: str = ""
    options: dict[str, str] = field(default_factory=dict)
    holds: bool = True
    is_linked: bool = False
    is_refused: bool = False


def render(offers: Sequence[Offer], asked: Preselection, links: PageLinks | None = None) -> str:
    """The inside of JupyterHub's spawn form, in the language spoken.

    Args:
        offers: at least one; all judged at one moment.
        asked: is chosen if it can be; else what comes nearest to it, the default profile, or the
            first that can be started.
        links: None where nothing but the form is there: it has its style within itself then, and
            no script.
    """
    presentation = present(offers)
    presented = presentation.offers
    chosen = _chosen(presented, asked.profile)
    cards = [
        Card(offer, each, offer is chosen, _choices(offer, asked), links)
        for offer, each in zip(presented, now(presented, links), strict=True)
    ]
    return template("form.html").render(
        groups=grouped(cards),
        links=links,
        language=spoken(),
        can_search=links is not None and len(cards) >= SEARCH_FROM,
        notice=_notice(presented, asked, chosen),
        is_any_chosen=chosen is not None,
        presentation=presentation,
        edition=edition(presented),
        is_known=any(offer.verdict is not None for offer in offers),
    )


def _chosen(offers: Sequence[PresentedOffer], wanted: str) -> PresentedOffer | None:
    by_slug = {offer.slug: offer for offer in offers}
    asked = by_slug.get(wanted)
    nearest = by_slug.get(asked.nearest or "") if asked is not None else None
    startable = [offer for offer in offers if offer.can_start]
    candidates = [
        asked,
        nearest,
        *(offer for offer in startable if offer.default),
        *startable,
        *offers,
    ]
    return next(
        (each for each in candidates if each is not None and (each.can_start or each.can_wait)),
        None,
    )


def _choices(offer: PresentedOffer, asked: Preselection) -> tuple[tuple[str, str], ...]:
    return tuple(asked.options.items()) if offer.slug == asked.profile else ()


def _notice(
    offers: Sequence[PresentedOffer], asked: Preselection, chosen: PresentedOffer | None
) -> str:
    """Why something else is chosen than what was asked for, or nothing; empty if it is that."""
    sentences = [] if asked.is_refused else _why_not(offers, asked, chosen)
    is_other = chosen is not None and chosen.slug != asked.profile
    if chosen is not None and is_other and (sentences or asked.is_refused):
        sentences.append(_("{title} is chosen instead.").format(title=chosen.title))
    if chosen is None:
        sentences.append(
            _("None of these can be started at the moment. The reasons stand beside each profile.")
        )
    return " ".join(sentences)


def _why_not(
    offers: Sequence[PresentedOffer], asked: Preselection, chosen: PresentedOffer | None
) -> list[str]:
    wanted = next((offer for offer in offers if offer.slug == asked.profile), None)
    if wanted is None and (asked.profile or not asked.holds):
        if asked.is_linked:
            return [
                _(
                    "What the link asks for is not offered to you. Ask whoever sent it, or the "
                    "people who run this hub."
                )
            ]
        return [_("What you chose last is not offered to you any more.")]
    if wanted is not None and wanted is chosen and asked.is_linked:
        return [_("The link that you followed asks for {title}.").format(title=wanted.title)]
    if wanted is None or wanted is chosen or chosen is None:
        return []
    words: dict[bool, Any] = {
        True: _("{title}, which the link asks for, cannot be started now."),
        False: _("{title}, which you chose last, cannot be started now."),
    }
    return [words[asked.is_linked].format(title=wanted.title)]
