"""Who may have which profile, and by which rule.

The rules are tried in their order and the first that matches decides. Nothing matches means
nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from gpuspawner.catalog import AccessRule, Catalog, Profile, ProfileOption, matches


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a server is for: their name in the hub, and the groups they are in."""

    name: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a person may have a profile, and what decided it.

    Attributes:
        rule: the deciding rule's place in the catalog's ``access``, from 0; None if none matched.
        grant: the group or user by which the rule applies, such as ``"group cpsHPCAccess"``.
    """

    profile: str
    allowed: bool
    rule: int | None = None
    grant: str = ""

    @property
    def because(self) -> str:
        """The decision's ground in words."""
        if self.rule is None:
            return "no access rule matches"
        verb = "allows" if self.allowed else "denies"
        return f"access rule {self.rule + 1} {verb} it to {self.grant}"


def decide(rules: Sequence[AccessRule], person: Person, profile: str) -> Decision:
    """Whether `person` may have the profile with the slug `profile`."""
    for number, rule, grant in _applying(rules, person):
        if any(matches(pattern, profile) for pattern in rule.profiles):
            return Decision(profile, allowed=not rule.deny, rule=number, grant=grant)
    return Decision(profile, allowed=False)


def about(rules: Sequence[AccessRule], person: Person) -> tuple[int, ...]:
    """The rules that apply to `person` whatever the profile, by their places from 0."""
    return tuple(number for number, _rule, _by in _applying(rules, person))


_FEW = 8
"""Rules that are tried as fast as they are looked up."""

_About = tuple[tuple[int, AccessRule, str], ...]


class _Same:
    """A tuple of rules, which cannot change, as itself: to compare a thousand takes long."""

    def __init__(self, rules: Sequence[AccessRule]) -> None:
        self.rules = rules

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.rules is other.rules

    def __hash__(self) -> int:
        return id(self.rules)


def _applying(rules: Sequence[AccessRule], person: Person) -> _About:
    # Asked for one profile after the other: who a rule is about is looked up once.
    is_fixed = isinstance(rules, tuple) and len(rules) > _FEW
    return _about_cached(_Same(rules), person) if is_fixed else _about(rules, person)


@lru_cache(maxsize=64)
def _about_cached(rules: _Same, person: Person) -> _About:
    return _about(rules.rules, person)


def _about(rules: Sequence[AccessRule], person: Person) -> _About:
    """The rules that apply to a person, each with its number and by what it does."""
    granted = ((number, rule, _grant(rule, person)) for number, rule in enumerate(rules))
    return tuple((number, rule, grant) for number, rule, grant in granted if grant)


def open_to(catalog: Catalog, person: Person) -> Catalog:
    """A catalog with those choices of its profiles' options that are open to a person.

    A profile of which an option has nothing left for them is left out; which profiles are open to
    them `decide` says. It is the same object if nothing is closed to them.
    """
    opened = [_open_profile(profile, person) for profile in catalog.profiles]
    if all(one is other for one, other in zip(opened, catalog.profiles, strict=True)):
        return catalog
    kept = tuple(profile for profile in opened if profile is not None)
    return catalog.model_copy(update={"profiles": kept})


def _open_profile(profile: Profile, person: Person) -> Profile | None:
    if profile.entry is None:
        return profile
    options = tuple(_open_option(option, person) for option in profile.options)
    if options == profile.options:
        return profile
    if any(not option.choices and option.unlisted is None for option in options):
        return None
    return profile.of_entry(replace(profile.entry, options=options))


def _open_option(option: ProfileOption, person: Person) -> ProfileOption:
    choices = tuple(choice for choice in option.choices if _grant(choice.access, person))
    unlisted = option.unlisted
    if unlisted is not None and not _grant(unlisted.access, person):
        unlisted = None
    return replace(option, choices=choices, unlisted=unlisted)


def _grant(rule: AccessRule, person: Person) -> str:
    """By what the rule applies to the person; empty if it does not."""
    if any(matches(pattern, person.name) for pattern in rule.users):
        return "everyone" if "*" in rule.users else f"user {person.name}"
    group = _first_match(rule.groups, sorted(person.groups))
    return f"group {group}" if group is not None else ""


def _first_match(patterns: Iterable[str], names: Sequence[str]) -> str | None:
    found = (name for pattern in patterns for name in names if matches(pattern, name))
    return next(found, None)
