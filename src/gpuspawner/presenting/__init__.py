"""Offers as people may see them: all that the spawn page shows and the API answers, and no more.

What is not copied here stays in the hub: no env, no path, no override, no image reference, no node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gpuspawner import wording
from gpuspawner.alternatives import nearest
from gpuspawner.catalog import Amounts, Profile, ProfileOption, Sharing, Volume, duration_seconds
from gpuspawner.language import gettext as _
from gpuspawner.offers import Offer
from gpuspawner.pod import extended_resources
from gpuspawner.presenting.values import (
    Kind,
    Presentation,
    PresentedAccelerator,
    PresentedAmounts,
    PresentedChoice,
    PresentedFreshness,
    PresentedOffer,
    PresentedOption,
    PresentedUnits,
    PresentedUnlisted,
    PresentedVolume,
)
from gpuspawner.quantity import format_amount, parse_amount
from gpuspawner.units import units_of

__all__ = [
    "Kind",
    "Presentation",
    "PresentedAccelerator",
    "PresentedAmounts",
    "PresentedChoice",
    "PresentedFreshness",
    "PresentedOffer",
    "PresentedOption",
    "PresentedUnits",
    "PresentedUnlisted",
    "PresentedVolume",
    "present",
    "presented_offers",
]

_KINDS: dict[Sharing, Kind] = {
    "exclusive": "gpu",
    "mig": "slice",
    "time-slicing": "shared",
    "mps": "shared",
}
_MILLI = 1000


def present(offers: Sequence[Offer]) -> Presentation:
    """What a person may see of their offers.

    Args:
        offers: at least one; all judged at one moment.
    """
    freshness = offers[0].freshness
    age = None if freshness.age is None else round(freshness.age, 1)
    return Presentation(presented_offers(offers), PresentedFreshness(freshness.state, age))


def presented_offers(offers: Sequence[Offer]) -> tuple[PresentedOffer, ...]:
    """`present`, without how fresh it is: equal offers look the same at any time."""
    startable = [offer for offer in offers if offer.can_start]
    return tuple(_presented(offer, startable) for offer in offers)


def _presented(offer: Offer, startable: Sequence[Offer]) -> PresentedOffer:
    profile, limit = offer.profile, offer.profile.session_limit
    instead = None if offer.can_start or offer.can_wait else nearest(offer, startable)
    return PresentedOffer(
        slug=profile.slug,
        title=profile.title,
        description=profile.description,
        default=profile.default,
        kind=_kind(offer),
        accelerator=_accelerator(offer),
        cpu=_amounts("cpu", profile.cpu),
        memory=_amounts("memory", profile.memory),
        facts=(*_devices(offer), *_facts(profile)),
        files=tuple(_files(offer)),
        session_limit=None if limit is None else duration_seconds(limit),
        images=_images(profile),
        options=tuple(map(_option, profile.options)),
        volumes=tuple(_volume(name, volume) for name, volume in offer.volumes.items()),
        granted_by=offer.decision.grant,
        standing=offer.standing.value,
        availability=wording.availability(offer),
        units=_units(offer),
        can_start=offer.can_start,
        can_wait=offer.can_wait,
        ahead=offer.ahead if offer.can_wait else None,
        nearest=None if instead is None else instead.profile.slug,
    )


def _accelerator(offer: Offer) -> PresentedAccelerator | None:
    accelerator = offer.accelerator
    if accelerator is None:
        return None
    memory = accelerator.memory
    return PresentedAccelerator(
        title=accelerator.title,
        count=offer.profile.count,
        memory=None if memory is None else parse_amount("memory", memory),
        sharing=accelerator.sharing,
        shared_by=accelerator.shared_by,
        in_words=wording.sharing(offer),
    )


def _units(offer: Offer) -> PresentedUnits | None:
    units = units_of(offer)
    if units is None:
        return None
    return PresentedUnits(units.free, units.used, units.unusable)


def _amounts(resource: Literal["cpu", "memory"], amounts: Amounts) -> PresentedAmounts:
    def amount(text: str | None) -> float | None:
        if text is None:
            return None
        number = parse_amount(resource, text)
        return number / _MILLI if resource == "cpu" else number

    return PresentedAmounts(amount(amounts.guarantee), amount(amounts.limit))


def _images(profile: Profile) -> tuple[PresentedChoice, ...]:
    marked = any(image.default for image in profile.images)
    return tuple(
        PresentedChoice(image.slug, image.title, image.default or (not marked and number == 0))
        for number, image in enumerate(profile.images)
    )


def _option(option: ProfileOption) -> PresentedOption:
    default, unlisted = option.default, option.unlisted
    return PresentedOption(
        option.name,
        option.title,
        tuple(
            PresentedChoice(choice.slug, choice.title, choice is default)
            for choice in option.choices
        ),
        None
        if unlisted is None
        else PresentedUnlisted(
            unlisted.title, unlisted.title_among_choices, unlisted.pattern, unlisted.message
        ),
    )


def _kind(offer: Offer) -> Kind:
    if offer.accelerator is not None:
        return _KINDS[offer.accelerator.sharing]
    names = [name.rpartition("/")[2] for name in _unnamed(offer)]
    kinds: tuple[tuple[Kind, bool], ...] = (
        ("shared", any(name.endswith(".shared") for name in names)),
        ("slice", any(name.startswith("mig-") for name in names)),
        ("gpu", any(name.endswith("gpu") for name in names)),
    )
    return next((kind for kind, is_it in kinds if is_it), "cpu")


def _devices(offer: Offer) -> tuple[str, ...]:
    return tuple(wording.devices(resource, count) for resource, count in _unnamed(offer).items())


def _unnamed(offer: Offer) -> dict[str, int]:
    """The devices of an entry that names no accelerator to show."""
    if offer.profile.entry is None or offer.accelerator is not None or offer.plan is None:
        return {}
    return extended_resources(offer.plan)


def _volume(name: str, volume: Volume) -> PresentedVolume:
    after_stop: wording.AfterStop = "gone"
    if volume.nfs is not None or volume.claim is not None:
        after_stop = "kept"
    elif volume.host_path is not None:
        after_stop = "stays-on-its-node"
    return PresentedVolume(name, volume.read_only, after_stop)


def _files(offer: Offer) -> tuple[str, ...]:
    home = wording.home(offer)
    volumes = (
        _volume(name, volume)
        for name, volume in offer.volumes.items()
        # Nobody keeps files there.
        if volume.shared_memory is None
    )
    said = (wording.volume(v.name, v.after_stop, read_only=v.read_only) for v in volumes)
    return (*said, home) if home else tuple(said)


def _facts(profile: Profile) -> tuple[str, ...]:
    parts = []
    for resource, amounts in (("cpu", profile.cpu), ("memory", profile.memory)):
        text = amounts.limit or amounts.guarantee
        if text is None:
            continue
        most = parse_amount(resource, text)
        words = wording.named(resource, most)
        least = parse_amount(resource, amounts.guarantee or text)
        if least < most:
            guaranteed = format_amount(resource, least)
            words = _("{most}, {least} guaranteed").format(most=words, least=guaranteed)
        parts.append(words)
    if profile.session_limit is not None:
        parts.append(wording.session(profile.session_limit))
    return tuple(parts)
