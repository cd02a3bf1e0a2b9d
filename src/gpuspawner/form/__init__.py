"""The spawn form: offers as HTML. Everything that is put into it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

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


def render(offers: Sequence[Offer], last: Preselection) -> str:
    """The inside of JupyterHub's spawn form.

    Args:
        offers: at least one.
        last: is chosen again if it can be started; else the default profile, else the first that
            can be started.
    """
    presented = presented_offers(offers)
    chosen = _chosen(presented, last.profile)
    cards = [_card(offer, last, is_chosen=offer.slug == chosen) for offer in presented]
    slugs = {offer.slug for offer in presented}
    return _template("form.html").render(
        cards=map(_rendered, cards),
        chosen=next((card.offer.title for card in cards if card.is_chosen), ""),
        last_is_gone=not last.holds or bool(last.profile and last.profile not in slugs),
        known=any(offer.verdict is not None for offer in offers),
    )


@cache
def _environment() -> Environment:
    # The package's own templates do not change while it runs.
    return Environment(
        loader=PackageLoader("gpuspawner.form"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(f"gpuspawner/{name}")


@dataclass(frozen=True, slots=True)
class _Card:
    """All that is shown of an offer: equal cards look the same."""

    offer: PresentedOffer
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
def _rendered(card: _Card) -> Markup:
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


def _card(offer: PresentedOffer, last: Preselection, *, is_chosen: bool) -> _Card:
    default = next((image.slug for image in offer.images if image.default), "")
    image = last.image if offer.slug == last.profile else ""
    return _Card(offer, is_chosen, image or default)
