"""A file and a revision of its access, which may be of another time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from tests.builders import a_catalog, a_profile

from gpuspawner.access import Revision, as_written, difference, digest_of, effective
from gpuspawner.catalog import AccessRule, Catalog
from gpuspawner.policy import Person, decide

from .strategies import PEOPLE, RULES, SLUGS, catalog_of

STUDENT = Person("ada", frozenset({"students"}))
ALL = {"users": ["*"], "profiles": ["*"]}


def file_of(*slugs: str, access: tuple[dict[str, Any], ...] = (ALL,)) -> Catalog:
    return a_catalog(*(a_profile(slug) for slug in slugs), access=access)


def saved(access: list[Any], over: Catalog) -> Revision:
    base = as_written(over.access)
    slugs = tuple(profile.slug for profile in over.profiles)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Revision(1, tuple(access), "root", when, "", 0, base, slugs)


def allowed(catalog: Catalog, person: Person = STUDENT) -> list[str]:
    slugs = [profile.slug for profile in catalog.profiles]
    return [slug for slug in slugs if decide(catalog.access, person, slug).allowed]


def test_without_a_revision_the_file_is_in_force() -> None:
    file = file_of("gpu")
    found = effective(file, None)
    assert found.catalog is file
    assert (found.has_drifted, found.drift, found.edits, found.problems) == (False, (), (), ())


def test_a_revision_is_in_force_over_the_file_s_other_parts() -> None:
    file = file_of("gpu")
    found = effective(file, saved([{"groups": ["students"], "profiles": ["gpu"]}], file))
    assert allowed(found.catalog) == ["gpu"]
    assert found.catalog.profiles == file.profiles
    assert [change.kind for change in found.edits] == ["removed", "added"]
    assert not found.has_drifted
    other = found.file.model_copy(update={"accelerators": {}})
    assert not effective(other, found.revision).has_drifted, "only access can drift"


def test_a_file_whose_access_has_changed_since_is_told_of() -> None:
    file = file_of("gpu")
    revision = saved([{"groups": ["students"], "profiles": ["gpu"]}], file)
    later = file_of("gpu", access=(ALL, {"groups": ["bio"], "profiles": ["gpu"]}))
    found = effective(later, revision)
    assert found.has_drifted
    assert [str(change) for change in found.drift] == ["rule 2 is new: group bio may have gpu"]
    assert allowed(found.catalog) == ["gpu"], "it is shown, and changes nothing"


def test_a_profile_that_is_gone_takes_nothing_else_with_it() -> None:
    revision = saved([{"groups": ["students"], "profiles": ["old", "gpu"]}], file_of("gpu", "old"))
    found = effective(file_of("gpu"), revision)
    assert allowed(found.catalog) == ["gpu"]
    assert [str(problem) for problem in found.problems] == [
        "access rule 1 names 'old', which the file has no profile for any more"
    ]


def test_who_was_kept_out_of_a_profile_stays_out_when_it_is_renamed() -> None:
    access = [{"groups": ["students"], "profiles": ["big"], "deny": True}, ALL]
    revision = saved(access, file_of("gpu", "big"))
    found = effective(file_of("gpu", "huge"), revision)
    assert allowed(found.catalog) == ["cpu", "gpu"]
    assert allowed(found.catalog, Person("root")) == ["cpu", "gpu", "huge"]
    assert "it denies what came since: huge" in str(found.problems[0])


def test_a_rule_that_cannot_be_read_lets_nothing_below_it_through() -> None:
    """A later version may know fields that this one does not."""
    file = file_of("gpu")
    written = [
        {"groups": ["students"], "profiles": ["cpu"]},
        {"groups": ["students"], "profiles": ["gpu"], "until": "2027-01-01", "deny": True},
        ALL,
    ]
    found = effective(file, saved(written, file))
    assert allowed(found.catalog) == ["cpu"]
    assert allowed(found.catalog, Person("root")) == []
    assert "access rule 2 cannot be read by this version" in str(found.problems[0])


def test_nonsense_in_the_place_of_rules_gives_nothing() -> None:
    file = file_of("gpu")
    several: list[Any] = [None, 7, "*", [], {"users": "*"}]
    for nonsense in several:
        assert allowed(effective(file, saved([nonsense, ALL], file)).catalog) == []


@given(RULES, PEOPLE)
def test_against_the_file_that_it_was_made_for_it_means_what_it_says(
    rules: list[AccessRule], people: list[Person]
) -> None:
    file = catalog_of(rules)
    slugs = SLUGS
    sound = [rule for rule in rules if any(decide([rule], Person("x"), s) for s in slugs)]
    found = effective(file, saved(list(as_written(sound)), file))
    for person in people:
        for slug in slugs:
            expected = decide(sound, person, slug)
            assert decide(found.catalog.access, person, slug) == expected


@given(RULES, PEOPLE)
def test_of_a_later_file_it_never_gives_more_of_what_was_there(
    rules: list[AccessRule], people: list[Person]
) -> None:
    before = catalog_of(rules)
    later = catalog_of([], ("cpu", "b", "new"))
    found = effective(later, saved(list(as_written(rules)), before))
    for person in people:
        for slug in ("cpu", "b"):
            if decide(found.catalog.access, person, slug).allowed:
                assert decide(rules, person, slug).allowed


def test_a_digest_is_the_same_for_the_same_rules() -> None:
    one = ({"groups": ["a"], "profiles": ["b"]},)
    other = ({"profiles": ["b"], "groups": ["a"]},)
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(({"groups": ["a"], "profiles": ["c"]},))
    assert difference([], []) == ()
