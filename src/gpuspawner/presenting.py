"""Offers as people may see them: all that the spawn page shows and the API answers, and no more.

What is not copied here stays in the hub: no env, no path, no override, no image reference, no node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gpuspawner import wording
from gpuspawner.alternatives import nearest
from gpuspawner.capacity.freshness import State
from gpuspawner.catalog import Amounts, Profile, ProfileOption, Sharing, Volume, duration_seconds
from gpuspawner.language import gettext as _
from gpuspawner.offers import Offer
from gpuspawner.pod import extended_resources
from gpuspawner.quantity import format_amount, parse_amount
from gpuspawner.units import units_of

Kind = Literal["cpu", "gpu", "slice", "shared"]

_KINDS: dict[Sharing, Kind] = {
    "exclusive": "gpu",
    "mig": "slice",
    "time-slicing": "shared",
    "mps": "shared",
}
_MILLI = 1000


@dataclass(frozen=True, slots=True)
class PresentedAccelerator:
    """The devices of an offer.

    Attributes:
        count: how many of them.
        memory: bytes of one of them; None if the catalog does not say.
        shared_by: how many servers share one of them; None if the catalog does not say.
        in_words: what `sharing` means for who works there.
    """

    title: str
    count: int
    memory: int | None
    sharing: Sharing
    shared_by: int | None
    in_words: str


@dataclass(frozen=True, slots=True)
class PresentedAmounts:
    """Of cpu in cores, of memory in bytes; None where the profile leaves it to the hub."""

    guarantee: float | None
    limit: float | None


@dataclass(frozen=True, slots=True)
class PresentedImage:
    """A choice of image.

    Attributes:
        default: whether it is taken if none is chosen; of the choices, exactly one is.
    """

    slug: str
    title: str
    default: bool


@dataclass(frozen=True, slots=True)
class PresentedChoice:
    """One of the choices of an option.

    Attributes:
        default: whether it is taken if none is made; of the choices, exactly one is.
    """

    slug: str
    title: str
    default: bool


@dataclass(frozen=True, slots=True)
class PresentedUnlisted:
    """What may be written instead of choosing.

    Attributes:
        title: of the text field.
        title_among_choices: of the choice by which the text field counts.
        pattern: a regular expression of Python that all of the text matches; empty for any text.
        message: what to write; may be empty.
    """

    title: str
    title_among_choices: str
    pattern: str
    message: str


@dataclass(frozen=True, slots=True)
class PresentedOption:
    """Something to choose within a profile.

    Attributes:
        name: what a start calls it.
        choices: empty if something has to be written.
        unlisted: None if there is nothing but the choices.
    """

    name: str
    title: str
    choices: tuple[PresentedChoice, ...]
    unlisted: PresentedUnlisted | None


@dataclass(frozen=True, slots=True)
class PresentedVolume:
    """A volume of the catalog, by its name there.

    Attributes:
        after_stop: what becomes of the files in it when the server stops.
    """

    name: str
    read_only: bool
    after_stop: wording.AfterStop


@dataclass(frozen=True, slots=True)
class PresentedUnits:
    """Of the units that could serve a profile: devices, or such servers where it has none.

    Attributes:
        free: what a server could take now.
        used: what others have.
        unusable: what is neither: not together on one node, closed, unhealthy, or kept for others.
    """

    free: int
    used: int
    unusable: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.free + self.used + self.unusable


@dataclass(frozen=True, slots=True)
class PresentedOffer:
    """All that a person sees of an offer.

    Attributes:
        default: whether it is started if no profile is chosen.
        facts: cpu, memory, how long it runs at most, and which files survive a stop, in words.
        session_limit: seconds that it runs at most; None if there is no limit.
        options: of an entry of KubeSpawner's own list; the rest is as with their defaults.
        granted_by: the person's own group, or their name, by which they may have it.
        standing: a word of `gpuspawner.offers.Standing`.
        availability: a sentence, without its full stop.
        units: what there is, free or not; None if that is not known.
        can_start: whether a start is let through at this moment.
        can_wait: whether one may wait in line for it.
        ahead: how many would be ahead in that line; None if one cannot wait.
        nearest: the slug of what comes nearest, if it can be neither started nor waited for.
    """

    slug: str
    title: str
    description: str
    default: bool
    kind: Kind
    accelerator: PresentedAccelerator | None
    cpu: PresentedAmounts
    memory: PresentedAmounts
    facts: tuple[str, ...]
    session_limit: int | None
    images: tuple[PresentedImage, ...]
    options: tuple[PresentedOption, ...]
    volumes: tuple[PresentedVolume, ...]
    granted_by: str
    standing: str
    availability: str
    units: PresentedUnits | None
    can_start: bool
    can_wait: bool
    ahead: int | None
    nearest: str | None


@dataclass(frozen=True, slots=True)
class PresentedFreshness:
    """How far `availability` can be trusted.

    Attributes:
        state: as in `gpuspawner.capacity.freshness.Freshness`.
        age: seconds since the cluster was last known to be so; None if it never was.
    """

    state: State
    age: float | None


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a person can choose from, in the catalog's order, and how fresh that is."""

    offers: tuple[PresentedOffer, ...]
    freshness: PresentedFreshness


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
        facts=(*_devices(offer), *_facts(profile), *_files(offer)),
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


def _images(profile: Profile) -> tuple[PresentedImage, ...]:
    marked = any(image.default for image in profile.images)
    return tuple(
        PresentedImage(image.slug, image.title, image.default or (not marked and number == 0))
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
    return tuple(f"{count} {resource}" for resource, count in _unnamed(offer).items())


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
    volumes = (_volume(name, volume) for name, volume in offer.volumes.items())
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
