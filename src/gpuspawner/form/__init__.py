"""The spawn form: offers as HTML. Everything that is put into it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from gpuspawner import wording
from gpuspawner.offers import Offer
from gpuspawner.quantity import format_amount, parse_amount


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
    chosen = _chosen(offers, last.profile)
    cards = [_card(offer, last, is_chosen=offer.profile.slug == chosen) for offer in offers]
    return _template("form.html").render(
        cards=map(_rendered, cards),
        chosen=next((card.title for card in cards if card.is_chosen), ""),
        last_is_gone=not last.holds or bool(last.profile and last.profile not in _slugs(offers)),
        known=any(offer.verdict is not None for offer in offers),
    )


def _slugs(offers: Sequence[Offer]) -> set[str]:
    return {offer.profile.slug for offer in offers}


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
class _Image:
    slug: str
    title: str
    is_selected: bool


@dataclass(frozen=True, slots=True)
class _Card:
    """All that is shown of an offer: equal cards look the same."""

    slug: str
    title: str
    description: str
    standing: str
    availability: str
    can_start: bool
    is_chosen: bool
    accelerator: str
    memory: str
    sharing: str
    facts: tuple[str, ...]
    grant: str
    images: tuple[_Image, ...]


@lru_cache(maxsize=512)
def _rendered(card: _Card) -> Markup:
    return Markup(_template("card.html").render(card=card))  # noqa: S704 - the template escapes


def _chosen(offers: Sequence[Offer], last: str) -> str | None:
    startable = [offer for offer in offers if offer.can_start] or [
        offer for offer in offers if offer.can_wait
    ]
    wanted = [
        *(offer for offer in startable if offer.profile.slug == last),
        *(offer for offer in startable if offer.profile.default),
        *startable,
    ]
    return wanted[0].profile.slug if wanted else None


def _card(offer: Offer, last: Preselection, *, is_chosen: bool) -> _Card:
    profile = offer.profile
    last_image = last.image if profile.slug == last.profile else ""
    return _Card(
        slug=profile.slug,
        title=profile.title,
        description=profile.description,
        standing=offer.standing.value,
        availability=wording.availability(offer),
        can_start=offer.can_start or offer.can_wait,
        is_chosen=is_chosen,
        accelerator=_accelerator(offer),
        memory=_device_memory(offer),
        sharing=wording.sharing(offer),
        facts=_facts(offer),
        grant=offer.decision.grant,
        images=tuple(
            _Image(
                image.slug,
                image.title,
                image.slug == last_image if last_image else image.default,
            )
            for image in profile.images
        ),
    )


def _accelerator(offer: Offer) -> str:
    if offer.accelerator is None:
        return ""
    return f"{offer.profile.count} \N{MULTIPLICATION SIGN} {offer.accelerator.title}"


def _device_memory(offer: Offer) -> str:
    if offer.accelerator is None or offer.accelerator.memory is None:
        return ""
    words = format_amount("memory", parse_amount("memory", offer.accelerator.memory))
    return f"{words} each" if offer.profile.count > 1 else words


def _facts(offer: Offer) -> tuple[str, ...]:
    parts = []
    for resource, amounts in (("cpu", offer.profile.cpu), ("memory", offer.profile.memory)):
        text = amounts.limit or amounts.guarantee
        if text is None:
            continue
        most = parse_amount(resource, text)
        words = wording.named(resource, most)
        least = parse_amount(resource, amounts.guarantee or text)
        if least < most:
            words += f", {format_amount(resource, least)} guaranteed"
        parts.append(words)
    if offer.profile.session_limit is not None:
        parts.append(f"ends after {wording.lasting(offer.profile.session_limit)}")
    return tuple(parts)
