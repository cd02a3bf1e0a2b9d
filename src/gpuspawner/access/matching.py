"""What rules come to: a matrix of groups and profiles, names nobody knows, rules without effect."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from gpuspawner.access.deciding import Decider, Wild
from gpuspawner.catalog import AccessRule, matches
from gpuspawner.catalog.access import has_wildcard
from gpuspawner.catalog.problems import choices, near_miss
from gpuspawner.policy import Decision, Person

_MOST_HINTS: Final = 20
"""To look for what was probably meant takes long, and nobody reads a hundred hints."""

HolderKind = Literal["everyone", "group", "user"]
Part = Literal["groups", "users", "profiles"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a row of the matrix is about: everyone, a group, or a user without any group."""

    kind: HolderKind
    name: str = ""

    @property
    def person(self) -> Person:
        """Somebody of whom nothing else is known."""
        if self.kind == "group":
            return Person("", frozenset({self.name}))
        return Person(self.name)


EVERYONE: Final = Holder("everyone")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which rule decides about each profile, for each holder.

    Attributes:
        slugs: of the profiles, the columns.
        rows: by holder; a rule's number for each profile, None where no rule matches.
    """

    slugs: tuple[str, ...]
    rows: dict[Holder, tuple[int | None, ...]]
    _decider: Decider

    def decision(self, holder: Holder, slug: str) -> Decision:
        """What is behind a cell, with its words."""
        return self._decider.decision(holder.person, slug)


def matrix(rules: Sequence[AccessRule], slugs: Sequence[str], groups: Iterable[str] = ()) -> Matrix:
    """What everyone has, and each group and each user that is known or that a rule names.

    Args:
        rules: in their order.
        slugs: of the profiles.
        groups: that are known.
    """
    decider = Decider(rules, slugs)
    named = {name for rule in rules for name in rule.groups if not has_wildcard(name)}
    users = {name for rule in rules for name in rule.users if not has_wildcard(name)}
    holders = [
        EVERYONE,
        *(Holder("group", name) for name in sorted(named.union(groups))),
        *(Holder("user", name) for name in sorted(users)),
    ]
    columns: dict[int, list[int]] = {}
    rows = {}
    for holder in holders:
        row: list[int | None] = [None] * len(slugs)
        for number, bits in decider.deciding(holder.person):
            if bits not in columns:
                columns[bits] = [at for at in range(len(slugs)) if bits >> at & 1]
            for at in columns[bits]:
                row[at] = number
        rows[holder] = tuple(row)
    return Matrix(decider.slugs, rows, decider)


@dataclass(frozen=True, slots=True)
class Remark:
    """A name or a pattern in a rule that nobody and nothing is known by.

    Attributes:
        rule: its place, from 0.
        part: the list it is in.
        pattern: as it is written there.
        meant: what was probably meant, if there is something.
        known: what there is to choose from otherwise; empty if that is too much to read.
    """

    rule: int
    part: Part
    pattern: str
    meant: str = ""
    known: str = ""

    def __str__(self) -> str:
        """The remark in words, with the place as people count it."""
        kind = self.part.removesuffix("s")
        verb = "matches" if has_wildcard(self.pattern) else "is called"
        words = f"rule {self.rule + 1}: no {kind} that is known {verb} {self.pattern!r}"
        if self.meant:
            return f"{words}; did you mean {self.meant!r}?"
        return f"{words}; known here: {self.known}" if self.known else words


def remarks(
    rules: Sequence[AccessRule],
    slugs: Iterable[str],
    groups: Iterable[str] | None = None,
    users: Iterable[str] | None = None,
) -> tuple[Remark, ...]:
    """Every name that matches none of those that are known.

    Args:
        rules: in their order.
        slugs: of all profiles.
        groups: that are known; None if that cannot be told, and nothing is said of them.
        users: likewise.
    """
    known: dict[Part, _Known] = {"profiles": _Known(slugs)}
    if groups is not None:
        known["groups"] = _Known(groups)
    if users is not None:
        known["users"] = _Known(users)
    found = []
    hints = 0
    for number, part, pattern in _patterns(rules):
        if part not in known or known[part].has(pattern):
            continue
        meant, others = "", ""
        if hints < _MOST_HINTS and not has_wildcard(pattern):
            hints += 1
            meant = near_miss(pattern, known[part].names) or ""
            others = "" if meant else choices(known[part].names)
        found.append(Remark(number, part, pattern, meant, others))
    return tuple(found)


def _patterns(rules: Sequence[AccessRule]) -> Iterator[tuple[int, Part, str]]:
    for number, rule in enumerate(rules):
        yield from ((number, "groups", pattern) for pattern in rule.groups)
        yield from ((number, "users", pattern) for pattern in rule.users)
        yield from ((number, "profiles", pattern) for pattern in rule.profiles)


class _Known:
    """Names, sorted, so that a pattern is tried on those only that begin as it does."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(set(names))
        self._set = frozenset(self.names)
        self._answers: dict[str, bool] = {"*": True}

    def has(self, pattern: str) -> bool:
        if not has_wildcard(pattern):
            return pattern in self._set
        if pattern not in self._answers:
            self._answers[pattern] = any(matches(pattern, name) for name in self._like(pattern))
        return self._answers[pattern]

    def _like(self, pattern: str) -> Iterator[str]:
        beginning = re.split(r"[*?]", pattern, maxsplit=1)[0]
        for at in range(bisect_left(self.names, beginning), len(self.names)):
            if not self.names[at].startswith(beginning):
                return
            yield self.names[at]


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A rule that never decides, whoever it is: those above it have decided before.

    Attributes:
        rule: its place, from 0.
        by: the places of the rules that decide in its stead.
    """

    rule: int
    by: tuple[int, ...]

    def __str__(self) -> str:
        """The same in words, with places as people count them."""
        above = ", ".join(str(number + 1) for number in self.by)
        return f"rule {self.rule + 1} never decides: rule {above} above it says all it could say"


def shadowed(rules: Sequence[AccessRule], slugs: Sequence[str]) -> tuple[Shadowed, ...]:
    """Rules that never decide, for whatever people there may be.

    A rule that is about no profile at all is not among them; `remarks` has it. Where only several
    wildcards together are as wide as another, that is not seen.
    """
    decider = Decider(rules, slugs)
    above = _Above()
    found = []
    for number, rule in enumerate(decider.rules):
        about = decider.about[number]
        people = _people_of(rule)
        if about and all(not about & ~above.decided(one) for one in people):
            found.append(Shadowed(number, _deciding_instead(decider, number, people)))
        for one in people:
            above.add(one, about)
    return tuple(found)


_OfPeople = tuple[Part, str]
"""A pattern, and which names it is about."""


def _people_of(rule: AccessRule) -> tuple[_OfPeople, ...]:
    groups: tuple[_OfPeople, ...] = tuple(("groups", pattern) for pattern in rule.groups)
    return (*groups, *(("users", pattern) for pattern in rule.users))


class _Above:
    """Which profiles the rules so far have decided, by the pattern of people."""

    def __init__(self) -> None:
        self._exact: dict[_OfPeople, int] = {}
        self._wild: dict[str, Wild[list[int]]] = {"groups": Wild(), "users": Wild()}
        self._everyone = 0

    def add(self, people: _OfPeople, profiles: int) -> None:
        part, pattern = people
        if part == "users" and _matches_all(pattern):
            self._everyone |= profiles
        elif has_wildcard(pattern):
            self._wild[part].of(pattern, [0])[0] |= profiles
        else:
            self._exact[people] = self._exact.get(people, 0) | profiles

    def decided(self, people: _OfPeople) -> int:
        part, pattern = people
        bits = self._exact.get(people, 0) | self._everyone
        for wider, [profiles] in self._wild[part].perhaps(pattern):
            if profiles & ~bits and _is_within(people, (part, wider)):
                bits |= profiles
        return bits


def _deciding_instead(
    decider: Decider, number: int, people: Sequence[_OfPeople]
) -> tuple[int, ...]:
    left = dict.fromkeys(people, decider.about[number])
    by = []
    for earlier in range(number):
        wide = _people_of(decider.rules[earlier])
        helps = False
        for one, bits in left.items():
            if bits & decider.about[earlier] and any(_is_within(one, wider) for wider in wide):
                left[one] = bits & ~decider.about[earlier]
                helps = True
        if helps:
            by.append(earlier)
        if not any(left.values()):
            break
    return tuple(by)


def _is_within(narrow: _OfPeople, wide: _OfPeople) -> bool:
    """Whether whoever the one pattern matches is matched by the other; in doubt not."""
    if narrow == wide or (wide[0] == "users" and _matches_all(wide[1])):
        return True
    if narrow[0] != wide[0] or not has_wildcard(wide[1]):
        return False
    return _covers(wide[1], narrow[1])


def _matches_all(pattern: str) -> bool:
    return bool(pattern) and not pattern.strip("*")


def _covers(wide: str, narrow: str) -> bool:
    # The narrow pattern's own wildcards stand for characters that only wildcards match.
    return _covering(wide).fullmatch(narrow.translate(_STAND_INS)) is not None


_ANY_TEXT, _ANY_CHARACTER = "\ue000", "\ue001"
_STAND_INS = str.maketrans({"*": _ANY_TEXT, "?": _ANY_CHARACTER})


@lru_cache(maxsize=4096)
def _covering(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": f"[^{_ANY_TEXT}]"}
    return re.compile(
        "".join(parts.get(character) or re.escape(character) for character in pattern), re.DOTALL
    )
