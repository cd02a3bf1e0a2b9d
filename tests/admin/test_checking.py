"""What is said of a draft's rules is what is said when they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.admin import checked
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
