"""Who may start which profiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache
from typing import Self

from pydantic import StrictBool, model_validator

from gpuspawner.catalog.base import Model
from gpuspawner.catalog.problems import Finding, sound
from gpuspawner.catalog.texts import Text


class AccessRule(Model):
    """Lets people, named or by their groups, start profiles; or, with `deny`, keeps them out.

    The rules are in order: the first that matches both the person and the profile decides.
    In all three lists ``*`` stands for any characters and ``?`` for one.
    """

    groups: tuple[Text, ...] = ()
    """Groups, as the sign-in reports them."""

    users: tuple[Text, ...] = ()
    """People, by the names that the hub knows them by; "*" is everyone signed in."""

    profiles: tuple[Text, ...] = ()
    """Slugs of profiles."""

    deny: StrictBool = False
    """Whether the rule keeps people out; put it above the rules that let them in."""

    @model_validator(mode="after")
    def _is_about_someone_and_something(self) -> Self:
        return sound(self, _rule_faults(self))


def _rule_faults(rule: AccessRule) -> Iterator[Finding]:
    if not rule.groups and not rule.users:
        message = "the rule has neither groups nor users"
        hint = 'write groups: [...], or users: ["*"] for everyone'
        yield Finding(("groups",), message, hint, unless=(("groups",), ("users",)))
    if not rule.profiles:
        message = "the rule has no profiles"
        yield Finding(("profiles",), message, "write the slugs", unless=(("profiles",),))


def has_wildcard(pattern: str) -> bool:
    """Whether a pattern is more than one exact name."""
    return "*" in pattern or "?" in pattern


def matches(pattern: str, name: str) -> bool:
    """Whether `name` is what an access rule's pattern describes; upper and lower case differ."""
    if not has_wildcard(pattern):
        return pattern == name
    return _compiled(pattern).match(name) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch knows character classes also, which a rule does not: a group may be called "[hpc]".
    return re.compile(translate(pattern.replace("[", "[[]")))
