"""A preview says what really is different once it was saved."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from tests.access.strategies import PEOPLE, RULES, catalog_of

from gpuspawner.access import Revision, as_written, effective
from gpuspawner.admin import PresentedPreview, present_preview
from gpuspawner.admin.previewing import MOST_EFFECTS
from gpuspawner.catalog import AccessRule, Catalog
from gpuspawner.policy import Person, decide


def saved(file: Catalog, rules: list[AccessRule]) -> Catalog:
    """What is in force once rules were saved over a file."""
    slugs = tuple(profile.slug for profile in file.profiles)
    base = as_written(file.access)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return effective(file, Revision(1, as_written(rules), "a", now, "", 0, base, slugs)).catalog


def allowed(catalog: Catalog, people: list[Person]) -> set[tuple[str, str]]:
    return {
        (person.name, profile.slug)
        for person in people
        for profile in catalog.profiles
        if decide(catalog.access, person, profile.slug).allowed
    }


def said(preview: PresentedPreview, of: str) -> set[tuple[str, str]]:
    return {
        (effect.person, profile) for effect in getattr(preview, of) for profile in effect.profiles
    }


@given(RULES, RULES, PEOPLE)
def test_what_is_said_before_is_what_happens(
    before: list[AccessRule], after: list[AccessRule], people: list[Person]
) -> None:
    people = list({person.name: person for person in people}.values())
    file = catalog_of(before)
    preview = present_preview(file, file.model_copy(update={"access": tuple(after)}), people)
    was, now = allowed(file, people), allowed(saved(file, after), people)
    assert said(preview, "gains") == now - was
    assert said(preview, "losses") == was - now
    assert (preview.gained, preview.lost) == (len(now - was), len(was - now))


def test_people_and_profiles_are_counted_once_each() -> None:
    before = AccessRule(users=("*",), profiles=("*",))
    file = catalog_of([before])
    slugs = [profile.slug for profile in file.profiles]
    three = [Person(name) for name in ("anna", "bert", "cleo")]
    one, another = file.model_copy(update={"access": ()}), catalog_of([before])
    preview = present_preview(file, one, three)
    assert preview.losses_in_words == f"3 people lose access, to {len(slugs)} profiles in all"
    assert preview.lost == 3 * len(slugs)
    rule = AccessRule(users=("anna",), profiles=(slugs[0],))
    only = present_preview(one, another.model_copy(update={"access": (rule,)}), three)
    assert only.gains_in_words == "1 person gains access to 1 profile"


def test_more_than_anybody_reads_is_counted_and_not_listed() -> None:
    file = catalog_of([])
    people = [Person(f"u{number}") for number in range(MOST_EFFECTS + 5)]
    rule = AccessRule(users=("*",), profiles=("cpu",))
    preview = present_preview(file, file.model_copy(update={"access": (rule,)}), people)
    assert len(preview.gains) == MOST_EFFECTS
    assert preview.gained == len(people)
