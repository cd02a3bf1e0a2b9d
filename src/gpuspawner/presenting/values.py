"""The values of the spawn page and of the API: what a person may see of an offer.

What has no field here stays in the hub: no env, no path, no override, no image reference, no node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuspawner.capacity.freshness import State
from gpuspawner.catalog import Sharing
from gpuspawner.wording import AfterStop

Kind = Literal["cpu", "gpu", "slice", "shared"]


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
class PresentedChoice:
    """One of the choices of an option, or of the images.

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
    after_stop: AfterStop


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
        facts: cpu, memory, and how long it runs at most, in words.
        files: what becomes of them when the server stops, in words.
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
    files: tuple[str, ...]
    session_limit: int | None
    images: tuple[PresentedChoice, ...]
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
