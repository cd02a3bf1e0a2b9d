"""What people can start, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import ConfigDict, Field, PrivateAttr, StrictBool, StrictInt, model_validator

from gpuspawner.catalog.amounts import Amounts, CpuAmounts, MemoryAmounts
from gpuspawner.catalog.base import Model
from gpuspawner.catalog.checking import repeated_slugs
from gpuspawner.catalog.durations import Duration, duration_seconds
from gpuspawner.catalog.options import Entry, ProfileOption
from gpuspawner.catalog.problems import Finding, sound
from gpuspawner.catalog.texts import Environment, Image, Slug, Text
from gpuspawner.catalog.waiting import START_A_NODE, WAIT, WhenFull

_LONGEST_WAIT = "1h"


class ImageChoice(Model):
    """One of the images that a profile offers."""

    slug: Slug
    """What the form and the API call the choice."""

    title: Text
    """What people read."""

    image: Image
    """The image reference."""

    default: StrictBool = False
    """Whether it is taken when nothing was chosen; else the first is."""


def _without_count_default(schema: dict[str, Any]) -> None:
    schema["properties"]["count"].pop("default", None)
    schema["not"] = {"required": ["image", "images"]}
    schema["dependentRequired"] = {"count": ["accelerator"]}


class Profile(Model):
    """One thing that people can start."""

    model_config = ConfigDict(json_schema_extra=_without_count_default)

    slug: Slug
    """What the form, the API, access rules and saved options call it."""

    title: Text
    """What people read first."""

    description: str = ""
    """What people read below it."""

    default: StrictBool = False
    """Whether it is started when nothing was chosen; exactly one profile, without a GPU."""

    image: Image | None = None
    """The image; left out together with images, the hub's own."""

    images: tuple[ImageChoice, ...] = ()
    """A choice of images, instead of image."""

    accelerator: str | None = None
    """The name of an accelerator of this catalog."""

    count: StrictInt = Field(default=0, ge=1)
    """How many of the accelerator's resource; 1 when left out, and 0 without an accelerator."""

    cpu: CpuAmounts = Amounts()
    """Cores: a quantity, or a guarantee and a limit."""

    memory: MemoryAmounts = Amounts()
    """Memory: a quantity, or a guarantee and a limit."""

    volumes: tuple[str, ...] = ()
    """Names of volumes of this catalog."""

    fallbacks: tuple[str, ...] = ()
    """Slugs of profiles to propose, in this order, when this one cannot be started."""

    session_limit: Duration | None = None
    """How long a server runs at most (the pod's activeDeadlineSeconds); 90m, 8h or 1d 12h."""

    when_full: WhenFull = (START_A_NODE,)
    """When no node has room: refuse, wait (in line, until there is room), or start-a-node (where a
    node pool can grow). wait and start-a-node go together."""

    wait_limit: Duration | None = None
    """How long one waits in line at most; 1h when left out."""

    env: Environment = Field(default_factory=dict)
    """Environment variables; KubeSpawner expands {username} and its other names."""

    kubespawner_override: dict[str, Any] = Field(default_factory=dict)
    """Traits of KubeSpawner that the fields above do not cover."""

    _entry: Entry | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _count_one(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("accelerator") is not None:
            return {"count": 1, **value}
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        return sound(self, _profile_faults(self))

    @property
    def entry(self) -> Entry | None:
        """What an entry of KubeSpawner's ``profile_list`` says beyond; None for the catalog's."""
        return self._entry

    @property
    def options(self) -> tuple[ProfileOption, ...]:
        """What can be chosen within it, in the order in which the choices are applied."""
        return self._entry.options if self._entry is not None else ()

    def of_entry(self, entry: Entry) -> Self:
        """The same profile as an entry of KubeSpawner's ``profile_list``."""
        profile = self.model_copy()
        profile._entry = entry
        return profile

    @property
    def default_image(self) -> str | None:
        """The image when no choice was made, None for the hub's own."""
        marked = (choice.image for choice in self.images if choice.default)
        first = (choice.image for choice in self.images)
        return self.image or next(marked, None) or next(first, None)

    @property
    def longest_wait(self) -> int:
        """Seconds for which one may wait in line; 0 if nobody may."""
        if WAIT not in self.when_full:
            return 0
        return duration_seconds(self.wait_limit or _LONGEST_WAIT)


def _profile_faults(profile: Profile) -> Iterator[Finding]:
    if profile.image is not None and profile.images:
        hint = "make the image one of the images"
        yield Finding(("image",), "a profile has image or images, not both", hint)
    if profile.accelerator is None and "count" in profile.model_fields_set:
        message = "there is no accelerator to count"
        hint = "name one under accelerator"
        yield Finding(("count",), message, hint, unless=(("accelerator",),))
    if profile.wait_limit is not None and WAIT not in profile.when_full:
        message = "nobody waits for this profile"
        yield Finding(("wait_limit",), message, "write when_full: wait", unless=(("when_full",),))
    yield from repeated_slugs([choice.slug for choice in profile.images], "images")
    marked = [index for index, choice in enumerate(profile.images) if choice.default]
    for index in marked[1:]:
        message = "only one image can be the default"
        hint = f"images[{marked[0]}] is it already"
        yield Finding(("images", index, "default"), message, hint)
