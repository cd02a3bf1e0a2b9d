"""Decisions about many people and all profiles: `gpuspawner.policy.decide`, prepared.

The rules are looked up by the names they are about instead of being tried one by one. Profiles are
the bits of a number, in the catalog's order.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from gpuspawner.catalog import AccessRule, matches
from gpuspawner.catalog.access import has_wildcard
from gpuspawner.policy import Decision, Person, decide

T = TypeVar("T")

Deciding = tuple[tuple[int, int], ...]
"""The numbers of rules, in their order, each with the profiles that it decides."""


class Decider:
    """What rules decide about a list of profiles.

    Args:
        rules: in their order.
        slugs: of the profiles, which have their bits in this order.
        only: those of them that there are; nobody may have the others. All, if left out.
    """

    def __init__(
        self,
        rules: Sequence[AccessRule],
        slugs: Sequence[str],
        only: Collection[str] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.slugs = tuple(slugs)
        self._bit = {slug: 1 << at for at, slug in enumerate(self.slugs)}
        self.all = sum(bit for slug, bit in self._bit.items() if only is None or slug in only)
        bits = _Profiles(self._bit)
        self.about = tuple(bits.of(rule.profiles) for rule in self.rules)
        """For each rule, the profiles that it is about."""
        # The same is decided about many: to make it once takes a fraction of the time.
        self._decision = lru_cache(maxsize=None)(Decision)
        live = [(number, rule) for number, rule in enumerate(self.rules) if self.about[number]]
        self._users = _Names((number, rule.users) for number, rule in live)
        self._groups = _Names((number, rule.groups) for number, rule in live)

    def deciding(self, person: Person) -> Deciding:
        """The rules that decide for a person; no rule is said to decide nothing."""
        numbers = set(self._users.matching(person.name))
        for group in person.groups:
            numbers.update(self._groups.matching(group))
        left, found = self.all, []
        for number in sorted(numbers):
            decided = left & self.about[number]
            if decided:
                found.append((number, decided))
                left ^= decided
                if not left:
                    break
        return tuple(found)

    def allowed(self, deciding: Deciding) -> int:
        """The profiles that are allowed."""
        return sum(bits for number, bits in deciding if not self.rules[number].deny)

    def decision(self, person: Person, slug: str) -> Decision:
        """What is decided about one of the profiles."""
        bit = self._bit.get(slug, 0)
        found = self.decisions(person, bit, self.deciding(person))
        return found.get(slug, Decision(slug, allowed=False))

    def decisions(self, person: Person, bits: int, deciding: Deciding) -> dict[str, Decision]:
        """What is decided about the profiles of a number; `deciding` is the person's."""
        found = {}
        for number, decided in deciding:
            if decided & bits:
                rule = self.rules[number]
                grant = decide([rule], person, self.slugs[(decided & -decided).bit_length() - 1])
                for slug in self.slugs_in(decided & bits):
                    found[slug] = self._decision(slug, not rule.deny, number, grant.grant)
                bits &= ~decided
        for slug in self.slugs_in(bits):
            found[slug] = self._decision(slug, False, None, "")  # noqa: FBT003 - it is one of four
        return found

    def slugs_in(self, bits: int) -> Iterator[str]:
        """The profiles of a number, in their order."""
        while bits:
            lowest = bits & -bits
            yield self.slugs[lowest.bit_length() - 1]
            bits ^= lowest


class _Profiles:
    """Which profiles patterns match, as bits."""

    def __init__(self, bit: Mapping[str, int]) -> None:
        self._bit = bit
        self._known: dict[str, int] = {}

    def of(self, patterns: Iterable[str]) -> int:
        bits = 0
        for pattern in patterns:
            if not has_wildcard(pattern):
                bits |= self._bit.get(pattern, 0)
                continue
            if pattern not in self._known:
                found = (bit for slug, bit in self._bit.items() if matches(pattern, slug))
                self._known[pattern] = sum(found)
            bits |= self._known[pattern]
        return bits


class Wild(Generic[T]):
    """Something for each of many patterns with wildcards.

    They are kept by what stands before the first wildcard, so that only those are tried which can
    match.
    """

    def __init__(self) -> None:
        self._by_beginning: dict[str, dict[str, T]] = {}
        self._lengths: list[int] = []

    def of(self, pattern: str, new: T) -> T:
        """What is kept for a pattern; `new`, from now on, if there is nothing yet."""
        beginning = re.split(r"[*?]", pattern, maxsplit=1)[0]
        if beginning not in self._by_beginning:
            self._by_beginning[beginning] = {}
            if len(beginning) not in self._lengths:
                insort(self._lengths, len(beginning))
        return self._by_beginning[beginning].setdefault(pattern, new)

    def perhaps(self, name: str) -> Iterator[tuple[str, T]]:
        """The patterns that begin as a name does, or as another pattern does."""
        for length in self._lengths:
            if length > len(name):
                return
            yield from self._by_beginning.get(name[:length], {}).items()


class _Names:
    """The numbers of rules by the names that they are about."""

    def __init__(self, named: Iterable[tuple[int, Sequence[str]]]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._wild: Wild[list[int]] = Wild()
        self._found: dict[str, list[int]] = {}
        for number, patterns in named:
            for pattern in patterns:
                if has_wildcard(pattern):
                    self._wild.of(pattern, []).append(number)
                else:
                    self._exact.setdefault(pattern, []).append(number)

    def matching(self, name: str) -> list[int]:
        found = self._found.get(name)
        if found is None:
            found = list(self._exact.get(name, ()))
            for pattern, numbers in self._wild.perhaps(name):
                if matches(pattern, name):
                    found += numbers
            self._found[name] = found
        return found
