"""Who may have which profile, and by which rule.

The rules are tried in their order and the first that matches decides. Nothing matches means
nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gpuspawner.catalog import AccessRule, matches


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
    for number, rule in enumerate(rules):
        if not any(matches(pattern, profile) for pattern in rule.profiles):
            continue
        grant = _grant(rule, person)
        if grant:
            return Decision(profile, allowed=not rule.deny, rule=number, grant=grant)
    return Decision(profile, allowed=False)


def _grant(rule: AccessRule, person: Person) -> str:
    """By what the rule applies to the person; empty if it does not."""
    if any(matches(pattern, person.name) for pattern in rule.users):
        return "everyone" if "*" in rule.users else f"user {person.name}"
    group = _first_match(rule.groups, sorted(person.groups))
    return f"group {group}" if group is not None else ""


def _first_match(patterns: Iterable[str], names: Sequence[str]) -> str | None:
    found = (name for pattern in patterns for name in names if matches(pattern, name))
    return next(found, None)
