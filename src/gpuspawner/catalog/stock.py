"""KubeSpawner's own ``profile_list`` as profiles of a catalog, after the catalog's.

Its entries keep the meaning that they have in KubeSpawner 7.0 and 7.1. The keys that are added to
them are unknown to KubeSpawner, which passes over what it does not know. An entry with a mistake
is offered to nobody, and takes no other away.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from slugify import slugify

from gpuspawner.catalog.gating import access_of, gate_faults
from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.options import Entry, all_overrides
from gpuspawner.catalog.overrides import MACHINERY
from gpuspawner.catalog.problems import (
    Finding,
    RefusedError,
    did_you_mean,
    field_name,
    near_miss,
    shown,
    sound,
)
from gpuspawner.catalog.profiles import Profile
from gpuspawner.catalog.stock_options import options_of
from gpuspawner.catalog.texts import slugified

_OF_A_PROFILE: Final = ("session_limit", "when_full", "wait_limit", "fallbacks")
_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of KubeSpawner's traits.

    Attributes:
        names: of all that an override may set; None leaves their names alone.
        renamed: old names that KubeSpawner still takes, and what they are called now.
    """

    names: Collection[str] | None = None
    renamed: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Stocked:
    """A catalog with the entries of a list.

    Attributes:
        catalog: its own profiles first.
        problems: of the entries that are offered to nobody, for the operator.
    """

    catalog: Catalog
    problems: tuple[str, ...] = ()


def with_profile_list(
    profile_list: object, catalog: Catalog | None, traits: Traits | None = None
) -> Stocked:
    """A catalog, and after its profiles the entries of KubeSpawner's ``profile_list``.

    Args:
        profile_list: a list of mappings, or a mapping of them, which is sorted by its keys.
        catalog: None where the list is all there is; its default entry is then the default
            profile, whatever it asks for: the first that is marked, else the first.
        traits: to check overrides against.
    """
    own = catalog.profiles if catalog is not None else ()
    reader = _Reader(catalog or Catalog.model_construct(profiles=()), traits or Traits())
    entries, problems = reader.read(_listed(profile_list))
    if catalog is None and entries:
        marked = next((entry for entry in entries if entry.default), entries[0])
        entries = [_default(entry, is_it=entry is marked) for entry in entries]
    else:
        entries = [_default(entry, is_it=False) for entry in entries]
    base = catalog or Catalog.model_construct(profiles=())
    return Stocked(base.model_copy(update={"profiles": (*own, *entries)}), tuple(problems))


def _listed(profile_list: object) -> list[object]:
    if isinstance(profile_list, Mapping):
        return [profile_list[key] for key in sorted(profile_list, key=str)]
    if isinstance(profile_list, list | tuple):
        return list(profile_list)
    return [] if profile_list is None else [profile_list]


def _default(profile: Profile, *, is_it: bool) -> Profile:
    return profile if profile.default is is_it else profile.model_copy(update={"default": is_it})


class _Reader:
    """Reads one entry after the other."""

    def __init__(self, catalog: Catalog, traits: Traits) -> None:
        self._catalog = catalog
        self._traits = traits
        self._taken = {profile.slug: "the catalog" for profile in catalog.profiles}

    def read(self, listed: list[object]) -> tuple[list[Profile], list[str]]:
        profiles: list[tuple[str, Profile]] = []
        problems: list[str] = []
        for number, entry in enumerate(listed):
            place = _place(number, entry)
            try:
                profile = self._profile(entry)
            except RefusedError as error:
                problems += _words(place, error.findings)
                continue
            self._taken[profile.slug] = place
            profiles.append((place, profile))
        sound_ones = []
        for place, profile in profiles:
            # Last, since an entry may name one that comes after it.
            faults = list(self._fallback_faults(profile))
            problems += _words(place, faults)
            if not faults:
                sound_ones.append(profile)
        return sound_ones, problems

    def _profile(self, entry: object) -> Profile:
        """The profile of an entry.

        Raises:
            RefusedError: with everything that is wrong with it.
        """
        if not isinstance(entry, Mapping):
            raise RefusedError([Finding((), f"expected a mapping, found {shown(entry)}")])
        sound(None, [*_text_faults(entry), *gate_faults(entry), *self._key_faults(entry)])
        slug = entry["slug"] if "slug" in entry else slugify(entry["display_name"])
        sound(None, self._slug_faults(slug))
        profile = _checked(entry)
        options = options_of(entry.get("profile_options"), self._override)
        found = Entry(access_of(entry, slug), options, entry.get("accelerator"))
        return profile.model_copy(
            update={
                "slug": slug,
                "title": entry["display_name"],
                "description": entry.get("description") or "",
                "default": bool(entry.get("default")),
                "kubespawner_override": self._override(entry.get("kubespawner_override")),
            }
        ).of_entry(found)

    def _override(self, override: object) -> dict[str, Any]:
        """An override with the present names of traits.

        Raises:
            RefusedError: it changes what is the hub's, or what is not there.
        """
        if override is None:
            return {}
        if not isinstance(override, Mapping):
            raise _below("kubespawner_override", f"expected a mapping, found {shown(override)}")
        renamed = self._traits.renamed or {}
        named = {renamed.get(str(name), str(name)): value for name, value in override.items()}
        faults = [fault.beneath(("kubespawner_override",)) for fault in self._trait_faults(named)]
        return sound(named, faults)

    def _trait_faults(self, override: Mapping[str, Any]) -> Iterator[Finding]:
        known = self._traits.names
        for name in override:
            if name in MACHINERY or name.startswith("_"):
                yield Finding((name,), f"{shown(name)} is the hub's to set, not a profile's")
            elif known is not None and name not in known:
                meant = did_you_mean(name, known) if near_miss(name, known) else None
                yield Finding((name,), f"KubeSpawner has no trait {shown(name)}", meant)

    def _key_faults(self, entry: Mapping[Any, Any]) -> Iterator[Finding]:
        name = entry.get("accelerator")
        known = self._catalog.accelerators
        if name is not None and (not isinstance(name, str) or name not in known):
            hint = (did_you_mean(name, known) if isinstance(name, str) else None) or (
                "name one of the catalog's, or leave it out"
            )
            yield Finding(("accelerator",), f"no accelerator {shown(name)}", hint)

    def _slug_faults(self, slug: object) -> Iterator[Finding]:
        if not isinstance(slug, str) or not _SLUG.fullmatch(slug) or "--" in slug:
            hint = "write a slug of letters, digits, single '-', '_' and '.'"
            if isinstance(slug, str) and slugified(slug):
                hint += f", perhaps {slugified(slug)!r}"
            yield Finding(("slug",), f"{shown(slug)} cannot be used as a slug", hint)
        elif slug in self._taken:
            message = f"the slug {shown(slug)} is taken by {self._taken[slug]}, which stays"
            yield Finding(("slug",), message, "write another slug")

    def _fallback_faults(self, profile: Profile) -> Iterator[Finding]:
        for index, slug in enumerate(profile.fallbacks):
            if slug not in self._taken or slug == profile.slug:
                hint = did_you_mean(slug, self._taken)
                yield Finding(("fallbacks", index), f"no other profile {shown(slug)}", hint)


def is_dynamic(profile: Profile) -> bool:
    """Whether it changes traits to what functions give, which may be something else each time."""
    return any(callable(value) for change in all_overrides(profile) for value in change.values())


def _text_faults(entry: Mapping[Any, Any]) -> Iterator[Finding]:
    title = entry.get("display_name")
    if not isinstance(title, str) or not title.strip():
        message = "is required" if title is None else f"expected text, found {shown(title)}"
        yield Finding(("display_name",), message)
    description = entry.get("description")
    if description is not None and not isinstance(description, str):
        yield Finding(("description",), f"expected text, found {shown(description)}")


def _checked(entry: Mapping[Any, Any]) -> Profile:
    """A profile with what an entry says as one of the catalog does."""
    said = {name: entry[name] for name in _OF_A_PROFILE if name in entry}
    try:
        return Profile.model_validate({"slug": "entry", "title": "entry", **said})
    except ValidationError as error:
        raise RefusedError(list(_findings(error))) from error


def _findings(error: ValidationError) -> Iterator[Finding]:
    for details in error.errors(include_url=False):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, RefusedError):
            yield from (finding.beneath(details["loc"]) for finding in cause.findings)
        else:
            yield Finding(details["loc"], details["msg"])


def _below(name: str, message: str) -> RefusedError:
    return RefusedError([Finding((name,), message)])


def _place(number: int, entry: object) -> str:
    title = entry.get("display_name") if isinstance(entry, Mapping) else None
    return f"profile_list[{number}]" + (f" ({shown(title)})" if isinstance(title, str) else "")


def _words(place: str, findings: Collection[Finding]) -> list[str]:
    words = []
    for finding in findings:
        where = f"{place}: {field_name(finding.path)}" if finding.path else place
        hint = f"; {finding.hint}" if finding.hint else ""
        words.append(f"{where}: {finding.message}{hint} (offered to nobody until then)")
    return words
