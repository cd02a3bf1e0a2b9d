"""The cards of the form, of which each is an offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from markupsafe import Markup

from gpuspawner.catalog import UNLISTED
from gpuspawner.form.links import PageLinks
from gpuspawner.form.rendering import template
from gpuspawner.language import gettext as _
from gpuspawner.language import spoken
from gpuspawner.presenting import Kind, PresentedChoice, PresentedOffer, PresentedOption
from gpuspawner.quantity import format_amount
from gpuspawner.wording import granted

_BEST_FIRST = ("free", "evicts", "can-start-node", "queued", "unknown", "busy", "never")


@dataclass(frozen=True, slots=True)
class Now:
    """What changes of a card while the page is open.

    Attributes:
        slug: of the profile.
        standing: a word of `gpuspawner.offers.Standing`.
        can_choose: whether the profile can be selected.
        html: the inside of the card's element with the id ``gpuspawner-<slug>--now``.
    """

    slug: str
    standing: str
    can_choose: bool
    html: str


@dataclass(frozen=True, slots=True)
class Card:
    """All that is shown of an offer: equal cards look the same in one language.

    Attributes:
        choices: which of its options' choices are selected, by the name of the option.
    """

    offer: PresentedOffer
    now: Now
    is_chosen: bool
    choices: tuple[tuple[str, str], ...]
    links: PageLinks | None

    @property
    def image(self) -> str:
        """The slug of the image that is selected."""
        return self._selected("image", self.offer.images) or ""

    def picked(self, option: PresentedOption) -> str:
        """The choice of an option that is selected; `UNLISTED` where something is written."""
        return self._selected(option.name, option.choices) or UNLISTED

    def _selected(self, name: str, choices: Sequence[PresentedChoice]) -> str | None:
        default = next((choice.slug for choice in choices if choice.default), None)
        return dict(self.choices).get(name) or default

    def written(self, option: PresentedOption) -> str:
        """What is written instead of choosing."""
        return dict(self.choices).get(f"{option.name}--{UNLISTED}", "")

    @property
    def accelerator(self) -> str:
        """How many of what; empty if there is none."""
        accelerator = self.offer.accelerator
        if accelerator is None:
            return ""
        return f"{accelerator.count} \N{MULTIPLICATION SIGN} {accelerator.title}"

    @property
    def memory(self) -> str:
        """That of the accelerator; empty if it is not known."""
        accelerator = self.offer.accelerator
        if accelerator is None or accelerator.memory is None:
            return ""
        words = format_amount("memory", accelerator.memory)
        return _("{amount} each").format(amount=words) if accelerator.count > 1 else words

    @property
    def grant(self) -> str:
        """By what the person may have it; empty if everyone may."""
        return granted(self.offer.granted_by)

    @property
    def html(self) -> Markup:
        """The card, in the language spoken."""
        return _rendered(self, spoken())


@dataclass(frozen=True, slots=True)
class Group:
    """The cards of one kind, what can be started first."""

    kind: Kind
    title: str
    cards: tuple[Card, ...]


def now(offers: Sequence[PresentedOffer], links: PageLinks | None) -> tuple[Now, ...]:
    """What the cards of all that a person is offered say at this moment, in the same order."""
    titles = {offer.slug: offer.title for offer in offers}
    return tuple(
        Now(
            offer.slug,
            offer.standing,
            offer.can_start or offer.can_wait,
            _rendered_now(_standing(offer, titles, links), spoken()),
        )
        for offer in offers
    )


def edition(offers: Sequence[PresentedOffer]) -> str:
    """A word for the list of cards: where it is the same, cards differ by `now` alone."""
    return _edition(
        tuple(
            (
                *(each.slug, each.title, each.description, each.kind, each.granted_by),
                *(each.accelerator, each.facts, each.images, each.options),
            )
            for each in offers
        )
    )


@lru_cache(maxsize=256)
def _edition(same: tuple[object, ...]) -> str:
    return sha256(repr(same).encode()).hexdigest()[:12]


def grouped(cards: Sequence[Card]) -> tuple[Group, ...]:
    """The cards by kind; within one, best first, and in the catalog's order what is alike."""
    titles: tuple[tuple[Kind, str], ...] = (
        ("cpu", _("CPU")),
        ("gpu", _("Whole GPUs")),
        ("slice", _("Slices of a GPU")),
        ("shared", _("Shared GPUs")),
    )
    groups = (
        Group(kind, title, tuple(sorted(_of_kind(kind, cards), key=_rank)))
        for kind, title in titles
    )
    return tuple(group for group in groups if group.cards)


def _of_kind(kind: Kind, cards: Sequence[Card]) -> list[Card]:
    return [card for card in cards if card.offer.kind == kind]


def _rank(card: Card) -> tuple[bool, int]:
    return not card.now.can_choose, _BEST_FIRST.index(card.offer.standing)


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that `Now.html` shows: what is equal looks the same in one language."""

    offer: PresentedOffer
    nearest: str
    href: str


def _standing(
    offer: PresentedOffer, titles: Mapping[str, str], links: PageLinks | None
) -> _Standing:
    nearest = offer.nearest or ""
    title = titles.get(nearest, "")
    if not title:
        return _Standing(offer, "", "")
    here = f"#gpuspawner-{nearest}"
    return _Standing(offer, title, here if links is None else links.instead(nearest))


@lru_cache(maxsize=1024)
def _rendered_now(standing: _Standing, language: str) -> str:
    del language  # it is spoken already
    return template("now.html").render(
        offer=standing.offer, nearest=standing.nearest, href=standing.href
    )


@lru_cache(maxsize=1024)
def _rendered(card: Card, language: str) -> Markup:
    del language  # it is spoken already
    html = template("card.html").render(card=card, offer=card.offer)
    return Markup(html)  # noqa: S704 - the template escapes
