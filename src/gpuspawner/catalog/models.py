"""The catalog's models: what an admin writes, as frozen values that have been checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StrictInt,
    ValidationInfo,
    model_validator,
)

from gpuspawner.catalog.access import AccessRule
from gpuspawner.catalog.amounts import Amounts, Bytes, CpuAmounts, MemoryAmounts
from gpuspawner.catalog.base import Model
from gpuspawner.catalog.checking import catalog_faults, repeated_slugs
from gpuspawner.catalog.durations import Duration, duration_seconds
from gpuspawner.catalog.node_pools import NodePool
from gpuspawner.catalog.options import Entry, ProfileOption
from gpuspawner.catalog.placement import NodeSelectorTerm, Toleration
from gpuspawner.catalog.problems import Finding, shown, sound
from gpuspawner.catalog.texts import (
    Environment,
    Image,
    LabelPairs,
    ObjectName,
    ResourceName,
    Slug,
    Text,
    is_dns_label,
    is_qualified_name,
    slugified,
)
from gpuspawner.catalog.volumes import Volume
from gpuspawner.catalog.waiting import START_A_NODE, WAIT, WhenFull

_LONGEST_WAIT = "1h"
Sharing = Literal["exclusive", "mig", "time-slicing", "mps"]


class Accelerator(Model):
    """A kind of device, by the extended resource that its device plugin advertises."""

    title: Text
    """What people read, such as "NVIDIA A100 40 GB"."""

    resource: ResourceName
    """The extended resource, such as nvidia.com/gpu or nvidia.com/mig-1g.5gb."""

    memory: Bytes | None = None
    """Device memory of one unit, for people to compare; nothing enforces it."""

    sharing: Sharing = "exclusive"
    """exclusive: a device of one's own. mig: an isolated slice. time-slicing and mps: shared."""

    shared_by: Annotated[StrictInt, Field(ge=1)] | None = None
    """How many servers share one device."""

    fail_requests_greater_than_one: StrictBool | None = None
    """The device plugin's own setting; with time-slicing, only false permits counts above 1."""

    runtime_class: ObjectName | None = None
    """The RuntimeClass that gives containers the device; left out, the node's default."""

    node_selector: LabelPairs = Field(default_factory=dict)
    """Labels that a node must have."""

    tolerations: tuple[Toleration, ...] = ()
    """Taints that the servers tolerate, in addition to the hub's own."""

    affinity: tuple[NodeSelectorTerm, ...] = ()
    """Required node affinity: a node must meet one of these terms."""

    priority_class: ObjectName | None = None
    """The PriorityClass of the servers' pods."""

    @model_validator(mode="after")
    def _shares_as_its_resource_does(self) -> Self:
        return sound(self, _sharing_faults(self))

    @property
    def serves_one_at_a_time(self) -> bool:
        """Whether the device plugin refuses, after scheduling, a container that asks for two."""
        if self.sharing == "time-slicing":
            return self.fail_requests_greater_than_one is not False
        return self.sharing == "mps"


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


_Named = TypeVar("_Named", Accelerator, NodePool)


def _names(things: dict[str, _Named]) -> dict[str, _Named]:
    faults = (
        Finding((name,), f"{shown(name)} is not a name", "write letters, digits, '-', '_' or '.'")
        for name in things
        if "/" in name or not is_qualified_name(name)
    )
    return sound(things, faults)


def _volume_names(volumes: dict[str, Volume]) -> dict[str, Volume]:
    faults = (
        Finding(
            (name,),
            f"{shown(name)} is not a volume's name (lower case letters, digits, '-', at most 63)",
            f"perhaps {slugified(name)!r}" if slugified(name) else None,
        )
        for name in volumes
        if not is_dns_label(name)
    )
    return sound(volumes, faults)


class Catalog(Model):
    """What this hub offers, and to whom."""

    accelerators: Annotated[dict[str, Accelerator], AfterValidator(_names)] = Field(
        default_factory=dict
    )
    """Kinds of devices, by names that profiles use."""

    volumes: Annotated[dict[str, Volume], AfterValidator(_volume_names)] = Field(
        default_factory=dict
    )
    """Things to mount, by names that profiles use."""

    node_pools: Annotated[dict[str, NodePool], AfterValidator(_names)] = Field(default_factory=dict)
    """Nodes that an autoscaler adds when a pod needs them, by names of your own."""

    profiles: tuple[Profile, ...] = Field(json_schema_extra={"minItems": 1})
    """What people can start, in the order in which they see it."""

    access: tuple[AccessRule, ...] = ()
    """Who may start what; nobody may start what no rule grants."""

    @model_validator(mode="after")
    def _agrees_with_itself(self, info: ValidationInfo) -> Self:
        context = info.context or {}
        return sound(self, catalog_faults(self, context.get("known_traits")))

    def profile(self, slug: str) -> Profile | None:
        """The profile of that slug."""
        return next((profile for profile in self.profiles if profile.slug == slug), None)

    def rules_for(self, slug: str) -> tuple[AccessRule, ...]:
        """The rules that decide who may have a profile; an entry of a list says it itself."""
        profile = self.profile(slug)
        if profile is None or profile.entry is None:
            return self.access
        return (profile.entry.access,)

    @property
    def default_profile(self) -> Profile:
        """The profile that is started when nothing was chosen."""
        return next(profile for profile in self.profiles if profile.default)


def _sharing_faults(accelerator: Accelerator) -> Iterator[Finding]:
    sharing = accelerator.sharing
    name = accelerator.resource.rpartition("/")[2]
    unless = (("sharing",),)
    if sharing == "exclusive" and name.startswith("mig-"):
        message = f"{accelerator.resource} is a slice of a device, not a device of one's own"
        yield Finding(("sharing",), message, "write sharing: mig", unless)
    if sharing == "exclusive" and name.endswith(".shared"):
        message = f"{accelerator.resource} is shared, as its device plugin's name for it says"
        yield Finding(("sharing",), message, "write sharing: time-slicing or sharing: mps", unless)
    if sharing == "exclusive" and (accelerator.shared_by or 1) > 1:
        message = "an exclusive device is shared by nobody"
        yield Finding(("shared_by",), message, "write how under sharing", unless)
    fails = accelerator.fail_requests_greater_than_one
    if sharing == "mps" and fails is False:
        message = "with MPS the device plugin refuses every request greater than one"
        yield Finding(("fail_requests_greater_than_one",), message, "leave it out", unless)
    if sharing in ("exclusive", "mig") and fails is not None:
        message = "this setting is for time-slicing"
        yield Finding(("fail_requests_greater_than_one",), message, "leave it out", unless)


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
