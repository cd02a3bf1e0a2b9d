"""Whatever is prepared says what `policy.decide` says."""

from __future__ import annotations

from hypothesis import given

from gpuspawner.access import Decider, matrix, preview, shadowed
from gpuspawner.catalog import AccessRule
from gpuspawner.policy import Person, decide

from .strategies import NAMES, PEOPLE, RULES, SLUGS, catalog_of

OF_NOBODY = AccessRule(users=("nobody at all",), profiles=("*",))


@given(RULES, PEOPLE)
def test_a_prepared_decision_is_the_decision(rules: list[AccessRule], people: list[Person]) -> None:
    decider = Decider(rules, SLUGS)
    for person in people:
        deciding = decider.deciding(person)
        allowed = set(decider.slugs_in(decider.allowed(deciding)))
        for slug in SLUGS:
            expected = decide(rules, person, slug)
            assert decider.decision(person, slug) == expected
            assert (slug in allowed) is expected.allowed


@given(RULES, RULES, PEOPLE)
def test_the_preview_is_what_happens(
    before: list[AccessRule], after: list[AccessRule], people: list[Person]
) -> None:
    shown = preview(catalog_of(before), catalog_of(after), people)
    happens: dict[str, list[tuple[Person, str]]] = {"gains": [], "losses": []}
    for slug in SLUGS:
        for person in people:
            old, new = decide(before, person, slug), decide(after, person, slug)
            if old.allowed is not new.allowed:
                happens["gains" if new.allowed else "losses"].append((person, slug))
    for name, effects in (("gains", shown.gains), ("losses", shown.losses)):
        found = [(effect.person, effect.profile) for effect in effects]
        key = lambda one: (one[1], one[0].name, sorted(one[0].groups))  # noqa: E731
        assert sorted(found, key=key) == sorted(happens[name], key=key)
        for effect in effects:
            assert effect.before == decide(before, effect.person, effect.profile)
            assert effect.after == decide(after, effect.person, effect.profile)


@given(RULES, PEOPLE)
def test_a_profile_that_goes_is_lost_by_all_who_had_it(
    rules: list[AccessRule], people: list[Person]
) -> None:
    shown = preview(catalog_of(rules), catalog_of(rules, SLUGS[:-1]), people)
    assert shown.gains == ()
    expected = [p.name for p in people if decide(rules, p, SLUGS[-1]).allowed]
    assert [effect.person.name for effect in shown.losses] == sorted(expected)
    assert {effect.profile for effect in shown.losses} <= {SLUGS[-1]}


@given(RULES)
def test_each_cell_of_the_matrix_is_a_decision(rules: list[AccessRule]) -> None:
    shown = matrix(rules, SLUGS, ["a", "zz"])
    for holder, row in shown.rows.items():
        for slug, number in zip(SLUGS, row, strict=True):
            expected = decide(rules, holder.person, slug)
            assert expected.rule == number
            assert shown.decision(holder, slug) == expected


@given(RULES, PEOPLE, NAMES)
def test_a_shadowed_rule_never_decides(
    rules: list[AccessRule], people: list[Person], name: str
) -> None:
    found = shadowed(rules, SLUGS)
    # Whoever has just one of the names in the rules is the most likely to be decided by one.
    names = {n for rule in rules for n in (*rule.groups, *rule.users)}
    likely = [Person("", frozenset({n})) for n in names] + [Person(n) for n in names | {name}]
    decided = {decide(rules, p, slug).rule for p in [*people, *likely] for slug in SLUGS}
    for one in found:
        assert one.rule not in decided
        assert one.by
        assert max(one.by) < one.rule
        # Those that are named are enough for it.
        few = [rules[number] for number in (*one.by, one.rule)]
        assert [s.rule for s in shadowed(few, SLUGS) if s.rule == len(one.by)]


@given(RULES, RULES, PEOPLE)
def test_rules_that_cannot_change_are_looked_up_once_and_say_the_same(
    rules: list[AccessRule], others: list[AccessRule], people: list[Person]
) -> None:
    # A few are tried one after the other; these are many, and say nothing of anybody.
    fixed, fixed_others = (*rules, *[OF_NOBODY] * 9), (*others, *[OF_NOBODY] * 9)
    for person in people * 2:
        for slug in SLUGS:
            assert decide(fixed, person, slug) == decide(rules, person, slug)
            assert decide(fixed_others, person, slug) == decide(others, person, slug)
