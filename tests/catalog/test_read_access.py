"""Access rules that come from elsewhere than a file are examined as a file's are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.catalog import AccessRule, CatalogError, read_access

SLUGS = ("cpu", "gpu")
GOOD = {"groups": ["hpc"], "profiles": ["gpu"]}


def test_rules_are_read() -> None:
    written = [GOOD, {"users": ["*"], "profiles": ["c*"], "deny": True}]
    assert read_access(written, SLUGS) == (
        AccessRule(groups=("hpc",), profiles=("gpu",)),
        AccessRule(users=("*",), profiles=("c*",), deny=True),
    )
    assert read_access([], SLUGS) == ()


@pytest.mark.parametrize(
    ("written", "field", "words"),
    [
        pytest.param([GOOD, {"groups": ["a"]}], "access[1].profiles", "no profiles", id="nothing"),
        pytest.param(
            [{**GOOD, "profiles": ["gpuu"]}],
            "access[0].profiles[0]",
            "did you mean 'gpu'?",
            id="an unknown profile, with the near miss",
        ),
        pytest.param(
            [{**GOOD, "kubespawner_override": {}}],
            "access[0].kubespawner_override",
            "unknown field",
            id="anything but access",
        ),
        pytest.param(
            [{**GOOD, "groups": [7]}], "access[0].groups[0]", "expected text", id="a number"
        ),
        pytest.param([{**GOOD, "deny": "yes"}], "access[0].deny", "true or false", id="a text"),
        pytest.param("*", "access", "expected a list", id="no list"),
        pytest.param([None], "access[0]", "expected a mapping", id="no mapping"),
        pytest.param(
            [{**GOOD, "groups": ["a\0"]}], "access[0].groups[0]", "not allowed", id="a NUL"
        ),
        pytest.param(
            [{**GOOD, "users": ["\ud800"]}], "access[0].users[0]", "not allowed", id="no Unicode"
        ),
        pytest.param([{"\ud800": 1}], "access[0]", "not allowed", id="a key of no Unicode"),
        pytest.param([{**GOOD, "x": {1}}], "access", "is not JSON", id="no JSON"),
        pytest.param([{**GOOD, "groups": ["a" * 2**20]}], "", "is larger than", id="too much"),
    ],
)
def test_problems_have_their_place(written: Any, field: str, words: str) -> None:
    with pytest.raises(CatalogError) as raised:
        read_access(written, SLUGS)
    problem = raised.value.problems[0]
    assert problem.field.startswith(field)
    assert problem.line is None
    assert words in str(problem)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=3), of, max_size=3),
)
_FIELDS = st.sampled_from(["groups", "users", "profiles", "deny", "x"])


@given(_JSON | st.lists(st.dictionaries(_FIELDS, _JSON, max_size=4), max_size=3))
def test_whatever_comes_is_rules_or_refused(written: Any) -> None:
    try:
        rules = read_access(written, SLUGS)
    except CatalogError:
        return
    assert all(isinstance(rule, AccessRule) for rule in rules)


def test_what_is_nested_without_end_is_refused() -> None:
    written: list[Any] = []
    for _ in range(100_000):
        written = [written]
    with pytest.raises(CatalogError):
        read_access(written, SLUGS)
