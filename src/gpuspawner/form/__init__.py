"""The spawn form: offers as HTML. Everything that is put into it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from gpuspawner.language import gettext, ngettext, spoken
from gpuspawner.offers import Offer
from gpuspawner.presenting import PresentedOffer, presented_offers
from gpuspawner.quantity import format_amount


@dataclass(frozen=True, slots=True)
class Preselection:
    """What the person last asked for.

    Attributes:
        holds: whether the catalog still has it.
    """

    profile: str = ""
    image: str = ""
    holds: bool = True


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


def now(offers: Sequence[PresentedOffer]) -> tuple[Now, ...]:
    """What the cards of all that a person is offered say at this moment, in the same order."""
    titles = {offer.slug: offer.title for offer in offers}
    return tuple(
        Now(
            offer.slug,
            offer.standing,
            offer.can_start or offer.can_wait,
            _rendered_now(_Standing(offer, titles.get(offer.nearest or "", "")), spoken()),
        )
        for offer in offers
    )


def render(offers: Sequence[Offer], last: Preselection) -> str:
    """The inside of JupyterHub's spawn form.

    Args:
        offers: at least one.
        last: is chosen again if it can be started; else the default profile, else the first that
            can be started.
    """
    presented = presented_offers(offers)
    chosen = _chosen(presented, last.profile)
    cards = [
        _card(offer, each, last, is_chosen=offer.slug == chosen)
        for offer, each in zip(presented, now(presented), strict=True)
    ]
    slugs = {offer.slug for offer in presented}
    return _template("form.html").render(
        cards=[_rendered(card, spoken()) for card in cards],
        chosen=next((card.offer.title for card in cards if card.is_chosen), ""),
        last_is_gone=not last.holds or bool(last.profile and last.profile not in slugs),
        known=any(offer.verdict is not None for offer in offers),
    )


@cache
def _environment() -> Environment:
    # The package's own templates do not change while it runs.
    environment = Environment(
        loader=PackageLoader("gpuspawner.form"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined] # the extension adds it
    return environment


@cache
def _template(name: str) -> Template:
    return _environment().get_template(f"gpuspawner/{name}")


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that `Now.html` shows: what is equal looks the same in one language."""

    offer: PresentedOffer
    nearest: str


@lru_cache(maxsize=512)
def _rendered_now(standing: _Standing, language: str) -> str:
    del language  # it is spoken already
    return _template("now.html").render(offer=standing.offer, nearest=standing.nearest)


@dataclass(frozen=True, slots=True)
class _Card:
    """All that is shown of an offer: equal cards look the same in one language."""

    offer: PresentedOffer
    now: Now
    is_chosen: bool
    image: str

    @property
    def accelerator(self) -> str:
        accelerator = self.offer.accelerator
        if accelerator is None:
            return ""
        return f"{accelerator.count} \N{MULTIPLICATION SIGN} {accelerator.title}"

    @property
    def memory(self) -> str:
        accelerator = self.offer.accelerator
        if accelerator is None or accelerator.memory is None:
            return ""
        words = format_amount("memory", accelerator.memory)
        return f"{words} each" if accelerator.count > 1 else words


@lru_cache(maxsize=512)
def _rendered(card: _Card, language: str) -> Markup:
    del language  # it is spoken already
    html = _template("card.html").render(card=card, offer=card.offer)
    return Markup(html)  # noqa: S704 - the template escapes


def _chosen(offers: Sequence[PresentedOffer], last: str) -> str | None:
    startable = [offer for offer in offers if offer.can_start] or [
        offer for offer in offers if offer.can_wait
    ]
    wanted = [
        *(offer for offer in startable if offer.slug == last),
        *(offer for offer in startable if offer.default),
        *startable,
    ]
    return wanted[0].slug if wanted else None


def _card(offer: PresentedOffer, now: Now, last: Preselection, *, is_chosen: bool) -> _Card:
    default = next((image.slug for image in offer.images if image.default), "")
    image = last.image if offer.slug == last.profile else ""
    return _Card(offer, now, is_chosen, image or default)
