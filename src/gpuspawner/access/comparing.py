"""What is different between two lists of access rules, and for whom it makes a difference."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from gpuspawner.access.deciding import Decider
from gpuspawner.access.revision import as_written, digest_of
from gpuspawner.catalog import AccessRule, Catalog
from gpuspawner.policy import Decision, Person

Kind = Literal["added", "removed", "moved", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that is different.

    Attributes:
        before: the rule as it was; None if it was added.
        after: the rule as it is; None if it was removed.
        was: its place before, from 0.
        now: its place after, from 0.
    """

    kind: Kind
    before: AccessRule | None
    after: AccessRule | None
    was: int | None
    now: int | None

    def __str__(self) -> str:
        """The change in words, with places as people count them."""
        match self.kind:
            case "added":
                return f"rule {_place(self.now)} is new: {spelled(self.after)}"
            case "removed":
                return f"rule {_place(self.was)} is gone: {spelled(self.before)}"
            case "moved":
                places = f"{_place(self.was)} is now rule {_place(self.now)}"
                return f"rule {places}: {spelled(self.after)}"
            case _:
                words = f"{spelled(self.before)}; now: {spelled(self.after)}"
                return f"rule {_place(self.now)} was: {words}"


def spelled(rule: AccessRule | None) -> str:
    """A rule in words: ``groups hpc, bio may have cpu, gpu-*``."""
    if rule is None:
        return ""
    if "*" in rule.users:
        people = "everyone"
    else:
        lists = {"group": rule.groups, "user": rule.users}
        people = " and ".join(
            f"{word}{'s' if len(names) > 1 else ''} {', '.join(names)}"
            for word, names in lists.items()
            if names
        )
    return f"{people} may {'not ' if rule.deny else ''}have {', '.join(rule.profiles)}"


def _place(at: int | None) -> int:
    return (at or 0) + 1


def difference(before: Sequence[AccessRule], after: Sequence[AccessRule]) -> tuple[Change, ...]:
    """What makes the one list the other, in the order of their places.

    The fewest rules possible are said to have moved. A rule that is gone and one that is new are
    the same rule, changed, if they stand between the same neighbours and have a word in common.
    """
    was, now = _keys(before), _keys(after)
    pairs = sorted((was[key], now[key]) for key in was.keys() & now.keys())
    stay = _longest_rising(pairs)
    moved = [pair for pair in pairs if pair not in stay]
    changes = [Change("moved", before[at], after[to], at, to) for at, to in moved]
    gone = _by_gap([at for key, at in was.items() if key not in now], [at for at, _ in stay])
    new = _by_gap([to for key, to in now.items() if key not in was], [to for _, to in stay])
    for gap in sorted(gone.keys() | new.keys()):
        changes += _replaced(before, after, gone.get(gap, []), new.get(gap, []))
    return tuple(sorted(changes, key=_in_order))


def _keys(rules: Sequence[AccessRule]) -> dict[tuple[str, int], int]:
    """Each rule's place, by what it says and how many before it say the same."""
    seen: dict[str, int] = {}
    keys = {}
    for at, rule in enumerate(rules):
        text = digest_of(as_written([rule]))
        seen[text] = count = seen.get(text, 0) + 1
        keys[text, count] = at
    return keys


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], None]:
    """The most pairs of which the second rises as the first does, which itself is sorted."""
    ends: list[int] = []
    at_end: list[int] = []
    before: list[int | None] = []
    for at, (_, to) in enumerate(pairs):
        length = bisect_left(ends, to)
        before.append(at_end[length - 1] if length else None)
        if length == len(ends):
            ends.append(to)
            at_end.append(at)
        else:
            ends[length], at_end[length] = to, at
    found = []
    last: int | None = at_end[-1] if at_end else None
    while last is not None:
        found.append(pairs[last])
        last = before[last]
    return dict.fromkeys(reversed(found))


def _by_gap(places: Iterable[int], anchors: Sequence[int]) -> dict[int, list[int]]:
    """Places by the number of the anchors before them."""
    gaps: dict[int, list[int]] = {}
    for place in sorted(places):
        gaps.setdefault(bisect_left(anchors, place), []).append(place)
    return gaps


def _replaced(
    before: Sequence[AccessRule], after: Sequence[AccessRule], gone: list[int], new: list[int]
) -> Iterator[Change]:
    left = list(new)
    for at in gone:
        if left and _are_alike(before[at], after[left[0]]):
            to = left.pop(0)
            yield Change("changed", before[at], after[to], at, to)
        else:
            yield Change("removed", before[at], None, at, None)
    for to in left:
        yield Change("added", None, after[to], None, to)


def _are_alike(one: AccessRule, other: AccessRule) -> bool:
    return bool(
        set(one.groups) & set(other.groups)
        or set(one.users) & set(other.users)
        or set(one.profiles) & set(other.profiles)
    )


def _in_order(change: Change) -> tuple[Any, ...]:
    at = change.now if change.now is not None else change.was
    return (at, change.now is not None, change.kind)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a person gains or loses, and by which rule before and after."""

    person: Person
    profile: str
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Preview:
    """Who gains and who loses what; in the order of the profiles, then of the people."""

    gains: tuple[Effect, ...]
    losses: tuple[Effect, ...]


def preview(before: Catalog, after: Catalog, people: Iterable[Person]) -> Preview:
    """For whom it makes a difference to have the one catalog in force instead of the other.

    Args:
        before: in force now.
        after: would be, if it were saved.
        people: all who are asked about; who is not among them is not told of.
    """
    slugs = list(dict.fromkeys(p.slug for c in (before, after) for p in c.profiles))
    first, second = (_decider(catalog, slugs) for catalog in (before, after))
    gains: dict[str, list[Effect]] = {slug: [] for slug in slugs}
    losses: dict[str, list[Effect]] = {slug: [] for slug in slugs}
    for person in sorted(people, key=lambda person: person.name):
        was, now = first.deciding(person), second.deciding(person)
        differs = first.allowed(was) ^ second.allowed(now)
        if not differs:
            continue
        old = first.decisions(person, differs, was)
        for slug, new in second.decisions(person, differs, now).items():
            effects = gains if new.allowed else losses
            effects[slug].append(Effect(person, slug, old[slug], new))
    return Preview(*(tuple(chain.from_iterable(found.values())) for found in (gains, losses)))


def _decider(catalog: Catalog, slugs: Sequence[str]) -> Decider:
    """Decides about profiles of either catalog; one that this one has not is nobody's."""
    return Decider(catalog.access, slugs, only={profile.slug for profile in catalog.profiles})
