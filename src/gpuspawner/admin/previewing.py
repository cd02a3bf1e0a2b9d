"""What an edit would change, before it is saved: of the rules, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpuspawner.access import Effect, difference, preview
from gpuspawner.admin.saying import change_in_words, grant_in_words
from gpuspawner.catalog import Catalog
from gpuspawner.policy import Person

MOST_EFFECTS = 200


@dataclass(frozen=True, slots=True)
class PresentedEffect:
    """What one person gains or loses by the same rules."""

    person: str
    profiles: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PresentedPreview:
    """For whom an edit makes a difference.

    Attributes:
        changes: of the rules, in words.
        gains: the first of them; `gained` is how many there are, each profile of each person.
        losses: likewise, and `lost`.
        people: how many were looked at.
    """

    changes: tuple[str, ...]
    gains: tuple[PresentedEffect, ...]
    gained: int
    losses: tuple[PresentedEffect, ...]
    lost: int
    people: int


def present_preview(before: Catalog, after: Catalog, people: Iterable[Person]) -> PresentedPreview:
    """What there is to be seen of `gpuspawner.access.preview`.

    Args:
        before: with the access in force.
        after: with the edit's, as it would be in force once saved.
        people: all whom the hub knows.
    """
    known = tuple(people)
    found = preview(before, after, known)
    return PresentedPreview(
        changes=tuple(map(change_in_words, difference(before.access, after.access))),
        gains=_presented(found.gains),
        gained=len(found.gains),
        losses=_presented(found.losses),
        lost=len(found.losses),
        people=len(known),
    )


def _presented(effects: Sequence[Effect]) -> tuple[PresentedEffect, ...]:
    # Words are made of what is shown: there may be many more effects.
    together: dict[tuple[Any, ...], tuple[Effect, list[str]]] = {}
    for effect in effects:
        before, after = effect.before, effect.after
        key = (effect.person.name, before.rule, before.grant, after.rule, after.grant)
        if key not in together and len(together) == MOST_EFFECTS:
            continue
        together.setdefault(key, (effect, []))[1].append(effect.profile)
    found = (
        PresentedEffect(
            effect.person.name,
            tuple(profiles),
            grant_in_words(effect.before),
            grant_in_words(effect.after),
        )
        for effect, profiles in together.values()
    )
    return tuple(sorted(found, key=lambda effect: effect.person))
