"""What is in force, of a file and the latest revision of its access.

A revision was checked against the file of its time. Against a later one, or by an earlier version
of this program, it may not be readable as it was meant. Then it gives less, never more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from pydantic import ValidationError

from gpuspawner.access.comparing import Change, difference
from gpuspawner.access.revision import Revision, Written, as_written, digest_of
from gpuspawner.catalog import AccessRule, Catalog, matches

Mode = Literal["git", "page"]
GIT: Final = "git"
PAGE: Final = "page"

_NOBODY: Final = AccessRule(users=("*",), profiles=("*",), deny=True)
"""In place of a rule that cannot be read: it may have been one that keeps people out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What of a revision's rule could not be read as it was meant.

    Attributes:
        rule: its place, from 0.
        gone: how it names a profile that the file has no more; empty if it cannot be read at all.
        denies: the profiles that it keeps people from in the stead of that one.
    """

    rule: int
    gone: str = ""
    denies: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The same in words, with the place as people count it."""
        if not self.gone:
            return (
                f"access rule {self.rule + 1} cannot be read by this version; it and the rules "
                "below it allow nothing until the access is saved again"
            )
        words = f"access rule {self.rule + 1} names {self.gone!r}, which the file has no profile"
        if self.denies:
            return f"{words} for any more; it denies what came since: {', '.join(self.denies)}"
        return f"{words} for any more"


@dataclass(frozen=True)
class Effective:
    """A catalog with the access that is in force.

    Attributes:
        catalog: the file's, with that access. Rules have the numbers that they have in the
            revision.
        file: the file's own.
        revision: whose access it is; None for the file's.
        problems: what of the revision could not be read as it was meant.
    """

    catalog: Catalog
    file: Catalog
    revision: Revision | None = None
    problems: tuple[Fault, ...] = ()

    @cached_property
    def written(self) -> Written:
        """The access rules, as JSON has them."""
        return as_written(self.catalog.access)

    @cached_property
    def has_drifted(self) -> bool:
        """Whether the file's access has changed since the revision was saved."""
        if self.revision is None:
            return False
        return digest_of(as_written(self.file.access)) != self.revision.base_digest

    @cached_property
    def drift(self) -> tuple[Change, ...]:
        """What has changed in the file's access since the revision was saved."""
        if self.revision is None or not self.has_drifted:
            return ()
        base, _ = _read(self.revision.base)
        return difference(base, self.file.access)

    @cached_property
    def edits(self) -> tuple[Change, ...]:
        """What the access in force changes of the file's own."""
        return difference(self.file.access, self.catalog.access)


def effective(file: Catalog, revision: Revision | None) -> Effective:
    """What is in force.

    Args:
        file: the catalog of the file.
        revision: the latest; None if there is none, or in the mode "git".
    """
    if revision is None:
        return Effective(file, file)
    rules, problems = _read(revision.access)
    slugs = [profile.slug for profile in file.profiles]
    came_since = [slug for slug in slugs if slug not in frozenset(revision.profiles)]
    held: list[AccessRule] = []
    for number, rule in enumerate(rules):
        gone = _gone(rule, slugs)
        held.append(_still_denying(rule, came_since) if gone and rule.deny else rule)
        denies = tuple(came_since) if rule.deny else ()
        problems += [Fault(number, pattern, denies) for pattern in gone]
    catalog = file.model_copy(update={"access": tuple(held)})
    return Effective(catalog, file, revision, tuple(problems))


def _read(written: Sequence[Any]) -> tuple[list[AccessRule], list[Fault]]:
    rules: list[AccessRule] = []
    problems: list[Fault] = []
    for number, rule in enumerate(written):
        try:
            rules.append(AccessRule.model_validate(rule))
        except ValidationError:
            rules.append(_NOBODY)
            problems.append(Fault(number))
    return rules, problems


def _gone(rule: AccessRule, slugs: Collection[str]) -> list[str]:
    return [
        pattern
        for pattern in rule.profiles
        if pattern not in slugs and not any(matches(pattern, slug) for slug in slugs)
    ]


def _still_denying(rule: AccessRule, came_since: Sequence[str]) -> AccessRule:
    """Keeps people out of the new profiles also: one of them may be the old one, renamed."""
    return rule.model_copy(update={"profiles": (*rule.profiles, *came_since)})
