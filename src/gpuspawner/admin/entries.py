"""What KubeSpawner's own ``profile_list`` gives, where it is beside the catalog or in its place."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.admin.reasons import PresentedReason
from gpuspawner.admin.saying import people_in_words
from gpuspawner.catalog import AccessRule, Catalog, Profile
from gpuspawner.language import as_sentence, listed
from gpuspawner.language import gettext as _
from gpuspawner.policy import Person, decide, open_to


@dataclass(frozen=True, slots=True)
class PresentedEntry:
    """An entry of the list.

    Attributes:
        who: who may have it, in words.
        is_open: whether everyone may.
        choices: those of its options that not everyone may make, in words.
    """

    slug: str
    title: str
    who: str
    is_open: bool
    choices: tuple[str, ...]


def entries_of(catalog: Catalog) -> tuple[Profile, ...]:
    """The profiles that come of a list."""
    return tuple(profile for profile in catalog.profiles if profile.entry is not None)


def present_entries(catalog: Catalog) -> tuple[PresentedEntry, ...]:
    """Each entry, in the list's order.

    Args:
        catalog: with the entries, none of their choices left out.
    """
    return tuple(map(_presented, entries_of(catalog)))


def _presented(profile: Profile) -> PresentedEntry:
    rules = _rules(profile)
    return PresentedEntry(
        slug=profile.slug,
        title=profile.title,
        who=listed([_who(rule) for rule in rules]),
        is_open=any("*" in rule.users for rule in rules),
        choices=tuple(_choices(profile)),
    )


def _who(rule: AccessRule) -> str:
    return people_in_words(rule) if rule.groups or rule.users else _("nobody")


def _choices(profile: Profile) -> list[str]:
    found = []
    for option in profile.options:
        gates = [(choice.title, choice.access) for choice in option.choices]
        if option.unlisted is not None:
            gates.append((option.unlisted.title, option.unlisted.access))
        words = _("{option}, {choice}: {people}")
        found += [
            words.format(option=option.title, choice=title, people=_who(rule))
            for title, rule in gates
            if "*" not in rule.users
        ]
    return found


def present_entry_reasons(catalog: Catalog, person: Person) -> tuple[PresentedReason, ...]:
    """Why somebody has an entry, or has it not; those that are allowed first.

    Args:
        catalog: with the entries, none of their choices left out as far as that is known.
        person: whom it is about.
    """
    left = {profile.slug for profile in open_to(catalog, person).profiles}
    found = [_reason(profile, person, left) for profile in entries_of(catalog)]
    return tuple(sorted(found, key=lambda reason: not reason.allowed))


def _reason(profile: Profile, person: Person, left: set[str]) -> PresentedReason:
    entry = _presented(profile)
    decision = decide(_rules(profile), person, profile.slug)
    allowed = decision.allowed and profile.slug in left
    if decision.allowed and not allowed:
        ground = _("one of its options has no choice that is open to them")
    elif entry.is_open:
        ground = _("its entry is open to everyone")
    else:
        ground = _("its entry is for {people}").format(people=entry.who)
    return PresentedReason(profile.slug, profile.title, allowed, None, as_sentence(ground), "", "")


def _rules(profile: Profile) -> tuple[AccessRule, ...]:
    return (profile.entry.access,) if profile.entry is not None else ()
