"""What an edit would change, before it is saved: of the rules, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpuspawner.access import (
    Effect,
    Effective,
    Remark,
    Shadowed,
    difference,
    preview,
    remarks,
    shadowed,
)
from gpuspawner.admin.checking import checked
from gpuspawner.admin.saying import change_in_words, grant_in_words
from gpuspawner.catalog import Catalog, CatalogError
from gpuspawner.language import ngettext
from gpuspawner.policy import Person

MOST_EFFECTS = 200
MOST_IN_JSON = 10_000


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
        gains_in_words: how many people gain something, and how many profiles that is about.
        losses_in_words: likewise.
        people: how many were looked at.
    """

    changes: tuple[str, ...]
    gains: tuple[PresentedEffect, ...]
    gained: int
    losses: tuple[PresentedEffect, ...]
    lost: int
    gains_in_words: str
    losses_in_words: str
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
        gains_in_words=_gains_in_words(found.gains),
        losses_in_words=_losses_in_words(found.losses),
        people=len(known),
    )


def _gains_in_words(gains: Sequence[Effect]) -> str:
    people = len({effect.person.name for effect in gains})
    words = ngettext(
        "{people} person gains access to {profiles}",
        "{people} people gain access, to {profiles} in all",
        people,
    )
    return words.format(people=people, profiles=_profiles_in_words(gains))


def _losses_in_words(losses: Sequence[Effect]) -> str:
    people = len({effect.person.name for effect in losses})
    words = ngettext(
        "{people} person loses access to {profiles}",
        "{people} people lose access, to {profiles} in all",
        people,
    )
    return words.format(people=people, profiles=_profiles_in_words(losses))


def _profiles_in_words(effects: Sequence[Effect]) -> str:
    profiles = len({effect.profile for effect in effects})
    words = ngettext("{count} profile", "{count} profiles", profiles)
    return words.format(count=profiles)


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


def previewed(
    effective: Effective, written: Sequence[Any], people: Sequence[Person], groups: Sequence[str]
) -> dict[str, Any]:
    """What an edit would change, for programs: in English, and as JSON can have it.

    Args:
        effective: what is in force.
        written: the rules of the edit, as JSON has them.
        people: all whom the hub knows.
        groups: likewise.

    Raises:
        CatalogError: they cannot be saved; each problem has its place.
    """
    before = effective.catalog
    slugs = [profile.slug for profile in effective.file.profiles]
    rules, problems = checked(written, before.access, slugs)
    if problems:
        raise CatalogError(problems)
    found = preview(before, effective.file.model_copy(update={"access": rules}), people)
    users = [person.name for person in people]
    said: list[Remark | Shadowed] = [*remarks(rules, slugs, groups, users)]
    said += shadowed(rules, slugs)
    return {
        "changes": [str(change) for change in difference(before.access, rules)],
        "gains": _in_json(found.gains),
        "gained": len(found.gains),
        "losses": _in_json(found.losses),
        "lost": len(found.losses),
        "people": len(people),
        "remarks": [str(remark) for remark in sorted(said, key=lambda remark: remark.rule)],
    }


def _in_json(effects: Sequence[Effect]) -> list[dict[str, str]]:
    return [
        {
            "user": effect.person.name,
            "profile": effect.profile,
            "before": effect.before.because,
            "after": effect.after.because,
        }
        for effect in effects[:MOST_IN_JSON]
    ]
