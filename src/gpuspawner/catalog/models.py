"""The catalog: what an admin writes, as one frozen value that has been checked."""

from __future__ import annotations

from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from gpuspawner.catalog.accelerators import Accelerator
from gpuspawner.catalog.access import AccessRule
from gpuspawner.catalog.base import Model
from gpuspawner.catalog.checking import catalog_faults
from gpuspawner.catalog.node_pools import NodePool
from gpuspawner.catalog.problems import Finding, shown, sound
from gpuspawner.catalog.profiles import Profile
from gpuspawner.catalog.texts import is_dns_label, is_qualified_name, slugified
from gpuspawner.catalog.volumes import Volume

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
