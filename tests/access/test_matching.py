"""Names that nobody knows, rules that never decide, and the rows of the matrix: by example."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.access import EVERYONE, Holder, matrix, remarks, shadowed
from gpuspawner.catalog import AccessRule

SLUGS = ("cpu", "gpu-a", "gpu-b")
GROUPS = ("hpc", "physics")
USERS = ("ada", "grace")


def rules_of(*rules: dict[str, Any]) -> list[AccessRule]:
    return [AccessRule(**{"profiles": ("*",), **rule}) for rule in rules]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param({"groups": ("hpc",)}, [], id="a group that is known"),
        pytest.param(
            {"groups": ("hcp",)},
            ["rule 1: no group that is known is called 'hcp'; did you mean 'hpc'?"],
            id="a group that nobody is in, with the near miss",
        ),
        pytest.param(
            {"groups": ("bio-*",)},
            ["rule 1: no group that is known matches 'bio-*'"],
            id="a pattern that no group matches",
        ),
        pytest.param({"groups": ("ph*",), "users": ("a?a",)}, [], id="patterns that match"),
        pytest.param({"users": ("*",)}, [], id="everyone is known"),
        pytest.param(
            {"users": ("adda",)},
            ["rule 1: no user that is known is called 'adda'; did you mean 'ada'?"],
            id="a user who was never here",
        ),
        pytest.param(
            {"users": ("*",), "profiles": ("cpu", "tpu-*", "gpu-c")},
            [
                "rule 1: no profile that is known matches 'tpu-*'",
                "rule 1: no profile that is known is called 'gpu-c'; known here: cpu, gpu-a, gpu-b",
            ],
            id="profiles that are gone",
        ),
    ],
)
def test_names_nobody_knows(rule: dict[str, Any], words: list[str]) -> None:
    found = remarks(rules_of(rule), SLUGS, GROUPS, USERS)
    assert [str(remark) for remark in found] == words


def test_where_groups_are_not_known_nothing_is_said_of_them() -> None:
    rules = rules_of({"groups": ("x",), "users": ("y",), "profiles": ("z",)})
    assert [remark.part for remark in remarks(rules, SLUGS)] == ["profiles"]
    assert [remark.part for remark in remarks(rules, SLUGS, [], None)] == ["groups", "profiles"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([{"groups": ("a",)}, {"groups": ("a",)}], {1: (0,)}, id="the same again"),
        pytest.param(
            [{"users": ("*",), "deny": True}, {"groups": ("a",)}],
            {1: (0,)},
            id="everyone was kept out before",
        ),
        pytest.param(
            [{"groups": ("*",)}, {"users": ("*",)}],
            {},
            id="every group is not everyone: some are in none",
        ),
        pytest.param(
            [{"groups": ("a*",)}, {"groups": ("ab*", "a?")}], {1: (0,)}, id="a wider pattern"
        ),
        pytest.param([{"groups": ("a?",)}, {"groups": ("a*",)}], {}, id="one character is not any"),
        pytest.param(
            [{"groups": ("a",)}, {"users": ("a",)}], {}, id="a user of a group's name is another"
        ),
        pytest.param(
            [
                {"groups": ("a",), "profiles": ("cpu",)},
                {"groups": ("x",)},
                {"groups": ("a",), "profiles": ("gpu-*",)},
                {"groups": ("a",)},
            ],
            {3: (0, 2)},
            id="two together, and not the one between them",
        ),
        pytest.param(
            [{"groups": ("a",), "profiles": ("cpu",)}, {"groups": ("a",)}],
            {},
            id="a part of the profiles is left",
        ),
        pytest.param(
            [{"groups": ("a",)}, {"groups": ("a", "b")}], {}, id="a part of the people is left"
        ),
        pytest.param(
            [{"groups": ("a",)}, {"groups": ("a",), "profiles": ("gone",)}],
            {},
            id="a rule about nothing is not called shadowed",
        ),
    ],
)
def test_rules_that_never_decide(
    rules: list[dict[str, Any]], expected: dict[int, tuple[int, ...]]
) -> None:
    found = shadowed(rules_of(*rules), SLUGS)
    assert {one.rule: one.by for one in found} == expected


def test_a_shadowed_rule_in_words() -> None:
    [found] = shadowed(rules_of({"groups": ("a",)}, {"groups": ("a",)}), SLUGS)
    assert str(found) == "rule 2 never decides: rule 1 above it says all it could say"


def test_the_rows_of_the_matrix() -> None:
    rules = rules_of(
        {"users": ("*",), "profiles": ("cpu",)},
        {"groups": ("hpc", "bio*"), "users": ("ada",), "profiles": ("gpu-a",)},
    )
    shown = matrix(rules, SLUGS, ["physics", "biology"])
    assert shown.rows == {
        EVERYONE: (0, None, None),
        Holder("group", "biology"): (0, 1, None),
        Holder("group", "hpc"): (0, 1, None),
        Holder("group", "physics"): (0, None, None),
        Holder("user", "ada"): (0, 1, None),
    }
    assert shown.decision(Holder("group", "biology"), "gpu-a").because == (
        "access rule 2 allows it to group biology"
    )
