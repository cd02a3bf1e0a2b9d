"""Each profile with the access rule that decides on it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.explaining import explained, unnamed_groups
from gpuspawner.policy import Person, decide

from .builders import a_catalog, a_profile

STAFF = {"groups": ["staff"], "profiles": ["gpu*"]}
NO_BIG = {"users": ["*"], "profiles": ["gpu-big"], "deny": True}
EVERYONE = {"users": ["*"], "profiles": ["*"]}


def explanations(rules: list[dict[str, Any]], *groups: str) -> dict[str, Any]:
    catalog = a_catalog(a_profile("gpu"), a_profile("gpu-big"), access=rules)
    return {
        one.profile.slug: (one.decision.allowed, one.decision.rule, one.pattern, one.later)
        for one in explained(catalog, Person("eve", frozenset(groups)))
    }


@pytest.mark.parametrize(
    ("rules", "groups", "expected"),
    [
        pytest.param([], ["staff"], (False, None, "", ()), id="no rule"),
        pytest.param([STAFF], [], (False, None, "", ()), id="no rule for these groups"),
        pytest.param([STAFF], ["staff"], (True, 0, "gpu*", ()), id="a group"),
        pytest.param([STAFF, NO_BIG], ["staff"], (True, 0, "gpu*", (1,)), id="the first decides"),
        pytest.param([NO_BIG, STAFF], ["staff"], (False, 0, "gpu-big", (1,)), id="a denial first"),
        pytest.param(
            [STAFF, NO_BIG, EVERYONE], [], (False, 1, "gpu-big", (2,)), id="what is not about her"
        ),
    ],
)
def test_the_rule_that_decides_is_named(
    rules: list[dict[str, Any]], groups: list[str], expected: tuple[Any, ...]
) -> None:
    assert explanations(rules, *groups)["gpu-big"] == expected


_RULES = st.lists(st.sampled_from([STAFF, NO_BIG, EVERYONE]), max_size=5)


@given(_RULES, st.sets(st.sampled_from(["staff", "guests"])))
def test_it_explains_what_is_decided(rules: list[dict[str, Any]], groups: set[str]) -> None:
    catalog = a_catalog(a_profile("gpu"), a_profile("gpu-big"), access=rules)
    person = Person("eve", frozenset(groups))
    for one in explained(catalog, person):
        assert one.decision == decide(catalog.access, person, one.profile.slug)
        assert all(number > (one.decision.rule or 0) for number in one.later)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param("staff", {}, id="named"),
        pytest.param("lab-7", {}, id="matched by a pattern"),
        pytest.param("stff", {"stff": "staff"}, id="nearly named"),
        pytest.param("zzz", {"zzz": None}, id="named nowhere"),
    ],
)
def test_groups_that_no_rule_is_about(group: str, expected: dict[str, str | None]) -> None:
    labs = {"groups": ["lab-?"], "profiles": ["*"]}
    catalog = a_catalog(a_profile("gpu"), access=[STAFF, labs])
    assert unnamed_groups(catalog, Person("eve", frozenset({group}))) == expected
