"""What must hold between the parts of a catalog: names that exist, one default, sound counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from posixpath import normpath
from typing import TYPE_CHECKING, Final

from gpuspawner.catalog.access import has_wildcard, matches
from gpuspawner.catalog.overrides import asked_devices, override_faults
from gpuspawner.catalog.problems import ANY, Finding, Path, bare, did_you_mean, one_of, shown

if TYPE_CHECKING:
    from gpuspawner.catalog.models import Catalog
    from gpuspawner.catalog.profiles import Profile

_SLUGS: Final[Path] = ("profiles", ANY, "slug")
_DEFAULTS: Final[Path] = ("profiles", ANY, "default")


def catalog_faults(catalog: Catalog, known_traits: Collection[str] | None) -> Iterator[Finding]:
    """Every fault between the parts; `known_traits` are those that an override may set."""
    if not catalog.profiles:
        message = "a catalog needs at least one profile"
        yield Finding(("profiles",), message, unless=(("profiles",),))
        return
    yield from repeated_slugs([profile.slug for profile in catalog.profiles], "profiles")
    yield from _default_faults(catalog.profiles)
    for index, profile in enumerate(catalog.profiles):
        base: Path = ("profiles", index)
        yield from _name_faults(catalog, profile, base)
        yield from _device_faults(catalog, profile, base)
        yield from _mount_faults(catalog, profile, base)
        yield from _fallback_faults(catalog, profile, base)
        accelerator = catalog.accelerators.get(profile.accelerator or "")
        for fault in override_faults(profile, accelerator, known_traits):
            yield fault.beneath((*base, "kubespawner_override"))
    yield from _access_faults(catalog)


def repeated_slugs(slugs: Sequence[str], section: str) -> Iterator[Finding]:
    """A fault for each slug that an earlier item has; a slug is in lower case already."""
    first: dict[str, int] = {}
    for index, slug in enumerate(slugs):
        earlier = first.setdefault(slug, index)
        if earlier != index:
            message = f"the slug {shown(slug)} is taken"
            yield Finding((section, index, "slug"), message, f"{section}[{earlier}] has it")


def _default_faults(profiles: Sequence[Profile]) -> Iterator[Finding]:
    marked = [index for index, profile in enumerate(profiles) if profile.default]
    if not marked:
        message = "no profile is the default"
        plain = next((p.slug for p in profiles if p.accelerator is None), None)
        hint = f"write default: true in {plain!r}" if plain else "add one without an accelerator"
        yield Finding(("profiles",), message, hint, unless=(_DEFAULTS,))
    for index in marked[1:]:
        message = "only one profile can be the default"
        hint = f"profiles[{marked[0]}] is it already"
        yield Finding(("profiles", index, "default"), message, hint)
    for index in marked:
        profile = profiles[index]
        base: Path = ("profiles", index)
        message = "the default profile must not ask for a device"
        hint = "every start that chooses nothing would take one; make another profile the default"
        if profile.accelerator is not None:
            yield Finding((*base, "accelerator"), message, hint)
        for path in asked_devices(profile.kubespawner_override):
            yield Finding((*base, "kubespawner_override", *path), message, hint)


def _name_faults(catalog: Catalog, profile: Profile, base: Path) -> Iterator[Finding]:
    accelerator = profile.accelerator
    if accelerator is not None and accelerator not in catalog.accelerators:
        hint = did_you_mean(accelerator, catalog.accelerators) or "the catalog names none"
        unless: Path = ("accelerators", accelerator)
        message = f"no accelerator {shown(accelerator)}"
        yield Finding((*base, "accelerator"), message, hint, (unless,))
    for index, volume in enumerate(profile.volumes):
        if volume not in catalog.volumes:
            hint = did_you_mean(volume, catalog.volumes) or "the catalog names none"
            unless = ("volumes", volume)
            yield Finding((*base, "volumes", index), f"no volume {shown(volume)}", hint, (unless,))


def _fallback_faults(catalog: Catalog, profile: Profile, base: Path) -> Iterator[Finding]:
    slugs = [other.slug for other in catalog.profiles]
    for index, slug in enumerate(profile.fallbacks):
        here = (*base, "fallbacks", index)
        if slug == profile.slug:
            yield Finding(here, f"{shown(slug)} is this profile", "name another")
        elif slug not in slugs:
            yield Finding(here, f"no profile {shown(slug)}", did_you_mean(slug, slugs), (_SLUGS,))
        elif slug in profile.fallbacks[:index]:
            yield Finding(here, f"the profile {shown(slug)} is listed twice")


def _device_faults(catalog: Catalog, profile: Profile, base: Path) -> Iterator[Finding]:
    """Two of what the device plugin hands out singly: scheduled, then refused on the node."""
    accelerator = catalog.accelerators.get(profile.accelerator or "")
    if accelerator is None or not accelerator.serves_one_at_a_time or profile.count == 1:
        return
    message = (
        f"{profile.count} of {accelerator.resource} ({accelerator.sharing}): its device plugin "
        "serves one at a time, so the pod would be scheduled and then fail on its node"
    )
    hint = "write count: 1"
    if accelerator.sharing == "time-slicing":
        hint += (
            ", or, where the plugin has failRequestsGreaterThanOne off, "
            f"fail_requests_greater_than_one: false in accelerators.{profile.accelerator}"
        )
    setting: Path = ("accelerators", profile.accelerator or "", "fail_requests_greater_than_one")
    sharing: Path = ("accelerators", profile.accelerator or "", "sharing")
    yield Finding((*base, "count"), message, hint, unless=(setting, sharing))


def _mount_faults(catalog: Catalog, profile: Profile, base: Path) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for index, name in enumerate(profile.volumes):
        volume = catalog.volumes.get(name)
        if volume is None:
            continue
        earlier = taken.setdefault(normpath(volume.mount_path), name)
        here = (*base, "volumes", index)
        if earlier == name and name in profile.volumes[:index]:
            yield Finding(here, f"the volume {shown(name)} is listed twice")
        elif earlier != name:
            message = (
                f"{shown(name)} mounts at {bare(volume.mount_path)}, where {shown(earlier)} is"
            )
            yield Finding(here, message, "change the mount_path of one of them")


def _access_faults(catalog: Catalog) -> Iterator[Finding]:
    slugs = [profile.slug for profile in catalog.profiles]
    known = set(slugs)
    for number, rule in enumerate(catalog.access):
        for index, pattern in enumerate(rule.profiles):
            if pattern in known:
                continue
            exact = not has_wildcard(pattern)
            if not exact and any(matches(pattern, slug) for slug in slugs):
                continue
            message = (
                f"no profile {shown(pattern)}" if exact else f"no profile matches {shown(pattern)}"
            )
            hint = did_you_mean(pattern, slugs) if exact else one_of(slugs)
            path = ("access", number, "profiles", index)
            yield Finding(path, message, hint, unless=(_SLUGS,))
