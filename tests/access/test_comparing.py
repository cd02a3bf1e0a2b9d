"""What makes one list of rules another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.access import difference
from gpuspawner.catalog import AccessRule

from .strategies import RULES


def rule(letter: str, *profiles: str) -> AccessRule:
    return AccessRule(groups=(letter,), profiles=profiles or (f"for-{letter}",))


A, B, C, D = (rule(letter) for letter in "abcd")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param([A, B], [A, B], [], id="nothing"),
        pytest.param([A], [A, B], ["rule 2 is new: group b may have for-b"], id="one more"),
        pytest.param([A, B], [B], ["rule 1 is gone: group a may have for-a"], id="one less"),
        pytest.param(
            [A, B, C],
            [B, C, A],
            ["rule 1 is now rule 3: group a may have for-a"],
            id="one that moved, not two",
        ),
        pytest.param(
            [A, B, C],
            [A, rule("b", "x", "y"), C],
            ["rule 2 was: group b may have for-b; now: group b may have x, y"],
            id="one that says something else",
        ),
        pytest.param(
            [A, B],
            [A, D],
            ["rule 2 is gone: group b may have for-b", "rule 2 is new: group d may have for-d"],
            id="one in the place of another",
        ),
        pytest.param(
            [A, A], [A], ["rule 2 is gone: group a may have for-a"], id="one of two that are alike"
        ),
        pytest.param(
            [],
            [AccessRule(groups=("a", "b"), users=("c",), profiles=("x",), deny=True)],
            ["rule 1 is new: groups a, b and user c may not have x"],
            id="a denial, of groups and a user",
        ),
        pytest.param(
            [],
            [AccessRule(groups=("a",), users=("*",), profiles=("*",))],
            ["rule 1 is new: everyone may have *"],
            id="everyone",
        ),
    ],
)
def test_differences(before: list[AccessRule], after: list[AccessRule], words: list[str]) -> None:
    assert [str(change) for change in difference(before, after)] == words


@given(RULES, RULES)
def test_the_changes_make_the_one_the_other(
    before: list[AccessRule], after: list[AccessRule]
) -> None:
    changes = difference(before, after)
    gone = {change.was for change in changes}
    made = [rule for at, rule in enumerate(before) if at not in gone]
    for change in sorted((c for c in changes if c.now is not None), key=lambda c: c.now or 0):
        assert change.after is not None
        made.insert(change.now or 0, change.after)
    assert made == after
    for change in changes:
        assert change.was is None or before[change.was] == change.before


@given(RULES, st.data())
def test_of_rules_in_another_order_none_is_new_or_gone(
    rules: list[AccessRule], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(rules))
    changes = difference(rules, mixed)
    assert {change.kind for change in changes} <= {"moved"}
    assert len(changes) < max(len(rules), 1)
