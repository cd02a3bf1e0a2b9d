"""What is said of a draft's rules is what is said when they are saved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.strategies import catalog_of

from gpuspawner.access import effective
from gpuspawner.admin import Draft, RuleFields, checked, stepped
from gpuspawner.catalog import AccessRule, CatalogError, read_access

SLUGS = ("cpu", "gpu")
IN_FORCE = (
    AccessRule(groups=("a",), profiles=("cpu",)),
    AccessRule(users=("*",), profiles=("gpu",), deny=True),
)
rules = st.fixed_dictionaries(
    {"profiles": st.lists(st.sampled_from(["cpu", "gpu", "gp", "*"]), max_size=2)},
    optional={
        "groups": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "users": st.just(["*"]),
        "deny": st.sampled_from([True, False, "yes"]),
        "kubespawner_override": st.just({"image": "x"}),
    },
)


def outcome(written: list[dict[str, Any]]) -> tuple[tuple[AccessRule, ...], int]:
    """The rules that are saved, and how many problems keep them from it."""
    try:
        return read_access(written, SLUGS), 0
    except CatalogError as error:
        return (), len(error.problems)


@given(st.lists(rules, max_size=4))
def test_it_is_as_when_they_are_saved(written: list[dict[str, Any]]) -> None:
    found, problems = checked(written, IN_FORCE, SLUGS)
    assert outcome(written) == (found, len(problems))


def test_a_problem_has_the_place_of_its_rule() -> None:
    written = [
        {"groups": ["a"], "profiles": ["cpu"]},
        {"groups": ["a"], "profiles": ["gpuu"]},
    ]
    _, [problem] = checked(written, IN_FORCE, SLUGS)
    assert problem.field == "access[1].profiles[0]"


@pytest.mark.parametrize("rule", [None, 1, "x", [], {"profiles": None}])
def test_what_is_no_rule_is_a_problem(rule: Any) -> None:
    assert checked([rule], IN_FORCE, SLUGS)[1]


def test_what_is_nested_too_deeply_is_a_problem() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    _, [problem] = checked([{"groups": deep}], IN_FORCE, SLUGS)
    assert "nested too deeply" in problem.message


RULES = ({"groups": ["a"], "profiles": ["cpu"]}, {"groups": ["b"], "profiles": ["cpu"]})
GOOD = RuleFields(groups=("x",), profiles=("cpu",))
HALF = RuleFields(groups=("x",))
FAR = RuleFields(groups=("x",), profiles=("cpu",), place=4, typed_place="5")


@pytest.mark.parametrize(
    ("opened", "fields", "action", "is_held"),
    [
        pytest.param(2, RuleFields(), "close", True, id="a new rule that is empty"),
        pytest.param(2, RuleFields(), "save", False, id="which is none, whatever else is pressed"),
        pytest.param(2, HALF, "close", True, id="half a rule"),
        pytest.param(2, HALF, "delete", True, id="half a rule, while another is taken out"),
        pytest.param(2, HALF, "save", True, id="half a rule that is to be saved"),
        pytest.param(2, HALF, "cancel", False, id="half a rule that is forgotten"),
        pytest.param(1, HALF, "close", True, id="a rule that was whole"),
        pytest.param(1, GOOD, "close", False, id="a rule that is whole"),
        pytest.param(1, FAR, "close", True, id="a place beyond the last"),
        pytest.param(2, replace(GOOD, place=2), "close", False, id="a place at the end"),
        pytest.param(1, replace(GOOD, place=2), "close", True, id="which only a new one has"),
        pytest.param(1, replace(GOOD, place=-1), "close", True, id="a place before the first"),
    ],
)
def test_what_cannot_be_taken_over_stays_open_and_nothing_else_is_done(
    opened: int, fields: RuleFields, action: str, *, is_held: bool
) -> None:
    draft = Draft(RULES, 0, opened=opened)
    found = stepped(draft, fields, action, 0, effective(catalog_of(list(IN_FORCE)), None))
    assert found.is_held is is_held
    if is_held:
        assert (found.rules, found.opened, found.fields) == (RULES, opened, fields)
    else:
        assert found.opened is None


def test_who_only_looks_at_a_rule_that_is_wrong_gets_on() -> None:
    wrong = {"groups": ["a"], "profiles": ["no-such"]}
    draft = Draft((wrong, *RULES), 0, opened=0)
    fields = RuleFields(groups=("a",), profiles=("no-such",), place=0, typed_place="1")
    in_force = effective(catalog_of(list(IN_FORCE)), None)
    assert stepped(draft, fields, "open", 2, in_force).opened == 2
    assert stepped(draft, fields, "close", 0, in_force).is_held
