"""What an open spawn page is told: all at first, and then what is new to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gpuspawner import form
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.form.links import PageLinks
from gpuspawner.language import speaking
from gpuspawner.offers import Offer
from gpuspawner.presenting import presented_offers

Event = dict[str, Any]
OVER: Event = {"over": True}
"""Nothing is left to choose: the server is being started, or runs."""
POLL: Event = {"poll": True}
"""The stream ends, and the page goes on by asking now and then."""


class News:
    """What one page knows.

    Args:
        language: of `gpuspawner.language.LANGUAGES`.
        links: of the page.
    """

    def __init__(self, language: str, links: PageLinks | None) -> None:
        self.language = language
        self._links = links
        self._cards: dict[str, form.Now] = {}
        self._edition: str | None = None
        self._failed = ""

    def of(self, offers: Sequence[Offer]) -> Event:
        """The event that brings the page to `offers`; its ``cards`` are empty if it is there.

        With ``all``, its cards are all there are: none besides is offered any more.
        """
        with speaking(self.language):
            presented = presented_offers(offers)
            cards = form.now(presented, self._links)
        edition = form.edition(presented)
        knows_nothing = edition != self._edition or bool(self._failed)
        news = [
            {**asdict(card), "title": offer.title}
            for card, offer in zip(cards, presented, strict=True)
            if knows_nothing or self._cards.get(card.slug) != card
        ]
        self._cards = {card.slug: card for card in cards}
        self._edition, self._failed = edition, ""
        event = freshness_event(offers[0].freshness) | {"catalog": edition, "cards": news}
        return event | {"all": True} if knows_nothing else event

    def failed(self, words: str) -> Event | None:
        """The event that says that nothing can be told; None if the page knows that."""
        if words == self._failed:
            return None
        self._failed = words
        return {"failed": words}


def freshness_event(freshness: Freshness, since: float = 0.0) -> Event:
    """How far the cards can be trusted, `since` seconds after that was so."""
    age = None if freshness.age is None else round(freshness.age + since, 1)
    return {"state": freshness.state, "age": age}
