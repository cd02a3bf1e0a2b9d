"""Access rules: mistakes in them, and what their wildcards match."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuspawner.catalog import matches

Refusal = Callable[..., None]

ACCESS = [
    pytest.param(
        "- profiles: [cpu]  # <-",
        "access[1].groups",
        "the rule has neither groups nor users",
        'users: ["*"]',
        id="a rule for nobody",
    ),
    pytest.param(
        "- groups: [a]  # <-",
        "access[1].profiles",
        "the rule has no profiles",
        "write the slugs",
        id="a rule about nothing",
    ),
    pytest.param(
        "- {groups: [a], profiles: [cpuu]}  # <-",
        "access[1].profiles[0]",
        "no profile 'cpuu'",
        "did you mean 'cpu'?",
        id="a profile that does not exist",
    ),
    pytest.param(
        "- {groups: [a], profiles: [cpu, 'gpu-*']}  # <-",
        "access[1].profiles[1]",
        "no profile matches 'gpu-*'",
        "known here: cpu",
        id="a wildcard that matches nothing",
    ),
    pytest.param(
        "- groups:\n    - no  # <-\n  profiles: [cpu]",
        "access[1].groups[0]",
        "expected text, found no, which YAML reads as a boolean",
        'quote it: "no"',
        id="a group called no",
    ),
    pytest.param(
        "- {groups: [''], profiles: [cpu]}  # <-",
        "access[1].groups[0]",
        "is empty",
        "write some text",
        id="a group without a name",
    ),
    pytest.param(
        "- {group: [a], users: [b], profiles: [cpu]}  # <-",
        "access[1].group",
        "unknown field",
        "did you mean 'groups'?",
        id="group for groups",
    ),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), ACCESS)
def test_an_access_rule_is_refused(
    text: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal("access", text, field, message, hint)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        pytest.param("cpu", "cpu", True, id="an exact name matches itself"),
        pytest.param("cpu", "cpu2", False, id="an exact name matches nothing longer"),
        pytest.param("cpu", "CPU", False, id="upper and lower case differ"),
        pytest.param("*", "", True, id="a star matches nothing at all"),
        pytest.param("*", "a\nb", True, id="a star matches every character"),
        pytest.param("gpu-*", "gpu-1", True, id="a star matches the rest"),
        pytest.param("*-gpu", "two-gpu", True, id="a star matches a beginning"),
        pytest.param("gpu-?", "gpu-1", True, id="a question mark matches one character"),
        pytest.param("gpu-?", "gpu-", False, id="a question mark matches no fewer"),
        pytest.param("gpu-?", "gpu-12", False, id="a question mark matches no more"),
        pytest.param("[ab]", "a", False, id="brackets are no character class"),
        pytest.param("[ab]", "[ab]", True, id="brackets are themselves"),
        pytest.param("a.b", "axb", False, id="a dot is itself"),
        pytest.param("cpu", "cpu\n", False, id="a trailing newline is no part of the name"),
    ],
)
def test_a_pattern_matches(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected
