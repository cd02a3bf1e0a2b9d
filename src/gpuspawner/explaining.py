"""Who may have what, and why: each profile with the access rule that decides on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuspawner.catalog import Catalog, Profile, matches
from gpuspawner.catalog.problems import near_miss
from gpuspawner.policy import Decision, Person, about, decide


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is decided on one profile for one person.

    Attributes:
        decision: with the rule that decides, and the group or user by which it applies.
        pattern: how that rule names the profile; empty if no rule decides.
        later: rules after it, from 0, that are about both as well, and decide nothing.
    """

    profile: Profile
    decision: Decision
    pattern: str = ""
    later: tuple[int, ...] = ()


def explained(catalog: Catalog, person: Person) -> tuple[Explanation, ...]:
    """What is decided on every profile, in the catalog's order."""
    applying = about(catalog.access, person)
    return tuple(_explanation(catalog, person, profile, applying) for profile in catalog.profiles)


def unnamed_groups(catalog: Catalog, person: Person) -> Mapping[str, str | None]:
    """The person's groups that no access rule is about, and what was perhaps meant by each."""
    patterns = {pattern for rule in catalog.access for pattern in rule.groups}
    return {
        group: near_miss(group, patterns)
        for group in sorted(person.groups)
        if not any(matches(pattern, group) for pattern in patterns)
    }


def _explanation(
    catalog: Catalog, person: Person, profile: Profile, applying: tuple[int, ...]
) -> Explanation:
    rules, slug = catalog.access, profile.slug
    decision = decide(rules, person, slug)
    if decision.rule is None:
        return Explanation(profile, decision)
    after = (number for number in applying if number > decision.rule)
    return Explanation(
        profile,
        decision,
        pattern=next(p for p in rules[decision.rule].profiles if matches(p, slug)),
        later=tuple(n for n in after if any(matches(p, slug) for p in rules[n].profiles)),
    )
