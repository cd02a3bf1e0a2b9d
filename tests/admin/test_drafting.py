"""An edit before it is saved: what each button does to the rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.admin import Draft, RuleFields, read_rules, written_rules
from gpuspawner.admin.drafting import applied

RULES = tuple({"groups": [name], "profiles": ["p"]} for name in "abc")


def order(draft: Draft) -> str:
    return "".join(rule["groups"][0] for rule in draft.rules)


@pytest.mark.parametrize(
    ("action", "at", "expected"),
    [
        pytest.param("up", 1, "bac", id="a rule goes up"),
        pytest.param("up", 0, "abc", id="the first cannot go up"),
        pytest.param("down", 1, "acb", id="a rule goes down"),
        pytest.param("down", 2, "abc", id="the last cannot go down"),
        pytest.param("delete", 1, "ac", id="a rule is taken out"),
        pytest.param("delete", 7, "abc", id="there is no such rule"),
        pytest.param("delete", -1, "abc", id="nor one before the first"),
        pytest.param("open", 1, "abc", id="to open one changes nothing"),
    ],
)
def test_a_button(action: str, at: int, expected: str) -> None:
    assert order(applied(Draft(RULES, 3), None, action, at)) == expected


@pytest.mark.parametrize(
    ("opened", "place", "action", "at", "expected"),
    [
        pytest.param(1, None, "close", -1, "axc", id="it stays where it is"),
        pytest.param(1, 0, "close", -1, "xac", id="it goes to the front"),
        pytest.param(0, 2, "close", -1, "bcx", id="it goes to the end"),
        pytest.param(0, 99, "close", -1, "bcx", id="it goes no further than that"),
        pytest.param(3, None, "close", -1, "abcx", id="it is new"),
        pytest.param(3, 0, "close", -1, "xabc", id="it is new, and first"),
        pytest.param(0, 2, "delete", 2, "bx", id="another is taken out, which it shifted"),
        pytest.param(2, 0, "delete", 0, "xb", id="another, which it shifted to the other side"),
        pytest.param(0, 2, "delete", 0, "bc", id="it is taken out itself"),
    ],
)
def test_what_is_written_is_taken_over_whatever_is_pressed(
    opened: int, place: int | None, action: str, at: int, expected: str
) -> None:
    fields = RuleFields(groups=("x",), profiles=("p",), place=place)
    assert order(applied(Draft(RULES, 3, opened=opened), fields, action, at)) == expected


@pytest.mark.parametrize("opened", [pytest.param(1, id="a rule"), pytest.param(3, id="a new one")])
def test_cancel_forgets_what_was_written_also_after_there_was_more_room(opened: int) -> None:
    before = Draft(RULES, 3, restores=1)
    fields = RuleFields(groups=("x",), users=("y",), profiles=("p",), place=0)
    draft = applied(before, None, "new" if opened == 3 else "open", opened)
    roomy = applied(draft, fields, "more", 1)
    assert (roomy.rules, roomy.opened, roomy.fields, roomy.more) == (RULES, opened, fields, "users")
    for open_one in (draft, Draft(RULES, 3, restores=1, opened=opened)):
        assert applied(open_one, fields, "cancel", opened) == before


@pytest.mark.parametrize("at", [-1, 3])
def test_more_room_in_no_list_takes_over_what_is_written(at: int) -> None:
    fields = RuleFields(groups=("x",), profiles=("p",))
    assert order(applied(Draft(RULES, 3, opened=0), fields, "more", at)) == "xbc"


def test_a_new_rule_of_which_nothing_is_written_is_none() -> None:
    assert applied(Draft(RULES, 3, opened=3), RuleFields(), "close", -1).rules == RULES


def test_rules_that_are_edited_are_an_earlier_revision_no_more() -> None:
    restored = Draft(RULES, 3, restores=1)
    assert applied(restored, None, "open", 0).restores == 1
    assert applied(restored, None, "up", 1).restores is None


def test_an_override_cannot_be_written() -> None:
    fields = RuleFields(groups=("a",), users=("b",), profiles=("c",), deny=True)
    assert set(fields.written) == {"groups", "users", "profiles", "deny"}


@given(st.lists(st.fixed_dictionaries({"groups": st.lists(st.text(), max_size=2)}), max_size=4))
def test_what_a_page_carries_along_comes_back(rules: list[dict[str, list[str]]]) -> None:
    assert read_rules(written_rules(rules)) == tuple(rules)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[[]]", "[", "[" * 100_000])
def test_what_is_no_list_of_rules_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own as well
        read_rules(text)
