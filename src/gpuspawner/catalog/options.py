"""The options of a profile, as KubeSpawner's ``profile_options`` have them.

A choice changes traits of KubeSpawner on top of what its profile changes; so does what a person
writes instead of choosing, which goes where ``{value}`` stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from gpuspawner.catalog.access import AccessRule
from gpuspawner.catalog.problems import Finding, shown

if TYPE_CHECKING:
    from gpuspawner.catalog.profiles import Profile

UNLISTED: Final = "unlisted-choice"
"""What the form sends for an option when something else is written; as KubeSpawner's does."""

_VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class OptionChoice:
    """One of the choices of an option.

    Attributes:
        access: who may make it.
        override: traits of KubeSpawner; a callable is given the spawner.
    """

    slug: str
    title: str
    default: bool
    access: AccessRule
    override: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UnlistedChoice:
    """What may be written instead of choosing.

    Attributes:
        title: of the text field.
        title_among_choices: of the choice by which the text field counts.
        pattern: a regular expression that all of the text must match; empty if any text does.
        message: what to write, for people.
        override: traits of KubeSpawner, with ``{value}`` where the text goes.
    """

    title: str
    title_among_choices: str
    pattern: str
    message: str
    access: AccessRule
    override: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProfileOption:
    """Something to choose within a profile."""

    name: str
    title: str
    choices: tuple[OptionChoice, ...] = ()
    unlisted: UnlistedChoice | None = None

    @property
    def default(self) -> OptionChoice | None:
        """The choice when none was made: the first that is marked, else the first."""
        marked = (choice for choice in self.choices if choice.default)
        return next(marked, next(iter(self.choices), None))


Chosen = Mapping[str, OptionChoice | str]
"""By the names of options: what was chosen, or the text that was written instead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry of KubeSpawner's ``profile_list`` says beyond what a profile has.

    Attributes:
        access: who may start it.
        options: what can be chosen within it.
        accelerator: the name of the catalog's accelerator as which its device is shown.
        is_made: whether a function made it, perhaps for one person: its slug may be their name.
    """

    access: AccessRule
    options: tuple[ProfileOption, ...] = ()
    accelerator: str | None = field(default=None)
    is_made: bool = False


def overrides_of(profile: Profile, chosen: Chosen) -> list[Mapping[str, Any]]:
    """What a profile and what was chosen in it change, in the order in which KubeSpawner does.

    Args:
        profile: any of a catalog.
        chosen: choices of its options; for the others the default counts.
    """
    overrides: list[Mapping[str, Any]] = [profile.kubespawner_override]
    for option in profile.options:
        choice = chosen.get(option.name, option.default)
        if isinstance(choice, OptionChoice):
            overrides.append(choice.override)
        elif choice is not None and option.unlisted is not None:
            overrides.append(with_value(option.unlisted.override, choice))
    return overrides


def all_overrides(profile: Profile) -> Iterator[Mapping[str, Any]]:
    """Whatever can be changed by a profile and its options."""
    yield profile.kubespawner_override
    for option in profile.options:
        yield from (choice.override for choice in option.choices)
        if option.unlisted is not None:
            yield option.unlisted.override


def with_value(override: Mapping[str, Any], value: str) -> dict[str, Any]:
    """An override with a text wherever it has ``{value}``; it must have no `template_faults`."""
    return {trait: _with_value(part, value) for trait, part in override.items()}


def _with_value(part: Any, value: str) -> Any:
    match part:
        case str():
            return "".join(
                literal + ("" if name is None else value if name == _VALUE else f"{{{name}}}")
                for literal, name, _, _ in Formatter().parse(part)
            )
        case dict():
            return {_with_value(key, value): _with_value(item, value) for key, item in part.items()}
        case list():
            return [_with_value(item, value) for item in part]
        case set():
            return {_with_value(item, value) for item in part}
        case _:
            return part


def value_faults(override: Mapping[str, Any]) -> Iterator[Finding]:
    """Braces that are more than a name, with which a text could reach into Python's objects."""
    for trait, part in override.items():
        for text in _texts(part):
            if not _is_plain(text):
                message = f"the braces in {shown(text)} are more than a name"
                hint = "write {value} where the text goes, and double a brace that is meant: {{"
                yield Finding((str(trait),), message, hint)


def _texts(part: Any) -> Iterator[str]:
    match part:
        case str():
            yield part
        case dict():
            for key, item in part.items():
                yield from _texts(key)
                yield from _texts(item)
        case list() | set():
            for item in part:
                yield from _texts(item)


def _is_plain(text: str) -> bool:
    try:
        fields = [
            (name, spec, conversion)
            for _, name, spec, conversion in Formatter().parse(text)
            if name is not None
        ]
    except ValueError:
        return False
    return all(
        name.isidentifier() and not (spec or conversion) for name, spec, conversion in fields
    )
