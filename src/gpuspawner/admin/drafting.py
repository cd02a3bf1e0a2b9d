"""An edit that is not saved: the page carries it along, and nothing is kept in the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

MOST_CHARACTERS: Final = 1_000_000
"""Of the rules as JSON: what the hub's page for forms may take, and more than anybody writes."""
LISTS: Final = ("groups", "users", "profiles")
"""The lists of names that a rule has."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Rules as somebody edits them.

    Attributes:
        rules: as JSON has them; they need not be valid as yet.
        parent: the number of the revision from which they are made; 0 for the file.
        restores: the number of the earlier revision that they repeat as it was; 0 for what the
            file said before the first.
        opened: the place, from 0, of the rule whose fields are shown; the end for a new one.
        fields: what stands in these, as long as it is not taken over.
        more: the list in which there is to be room for more names; empty if in none.
    """

    rules: tuple[dict[str, Any], ...]
    parent: int
    restores: int | None = None
    opened: int | None = None
    fields: RuleFields | None = None
    more: str = ""


@dataclass(frozen=True, slots=True)
class RuleFields:
    """What stands in the fields of the rule that is open.

    Attributes:
        place: where it is to stand, from 0; None to leave it.
    """

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    deny: bool = False
    place: int | None = None

    @property
    def written(self) -> dict[str, Any]:
        """The rule as JSON has it. It has no other fields: an override cannot be written."""
        lists = {"groups": self.groups, "users": self.users, "profiles": self.profiles}
        rule: dict[str, Any] = {key: list(names) for key, names in lists.items() if names}
        return {**rule, "deny": True} if self.deny else rule

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not (self.groups or self.users or self.profiles)


def read_rules(text: str) -> tuple[dict[str, Any], ...]:
    """The rules that a page carried along.

    Raises:
        ValueError: they are not a list of rules.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError("there is more than a page can carry")
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, list) or not all(isinstance(rule, dict) for rule in found):
        raise ValueError("it is not a list of rules")
    # JSON can name halves of characters, which no page can show.
    json.dumps(found, ensure_ascii=False).encode()
    return tuple(found)


def written_rules(rules: Sequence[dict[str, Any]]) -> str:
    """Rules for a page to carry along."""
    return json.dumps(list(rules), ensure_ascii=False, separators=(",", ":"))


def applied(draft: Draft, fields: RuleFields | None, action: str, at: int) -> Draft:
    """The draft after a button was pressed.

    What is written in the fields of the rule that is open is taken over, whichever button it was;
    but not with "cancel", which forgets it, and "more", which leaves the rule open.

    Args:
        draft: before.
        fields: of the rule that is open; None if none is.
        action: "open", "close", "cancel", "more", "new", "up", "down" or "delete".
        at: the place of the rule that the button is of, from 0; with "more" that in `LISTS`.
    """
    if action == "cancel":
        return replace(draft, opened=None)
    if action == "more" and 0 <= at < len(LISTS) and draft.opened is not None:
        return replace(draft, fields=fields, more=LISTS[at])
    before = draft.rules
    rules = list(before)
    if fields is not None and draft.opened is not None:
        rules, at = _taken_over(rules, draft.opened, fields, at)
    opened: int | None = None
    is_there = 0 <= at < len(rules)
    if action == "new":
        opened = len(rules)
    elif action == "open" and is_there:
        opened = at
    elif action == "delete" and is_there:
        del rules[at]
    elif action == "up" and is_there and at > 0:
        rules[at - 1], rules[at] = rules[at], rules[at - 1]
    elif action == "down" and is_there and at + 1 < len(rules):
        rules[at + 1], rules[at] = rules[at], rules[at + 1]
    restores = draft.restores if tuple(rules) == before else None
    return replace(draft, rules=tuple(rules), restores=restores, opened=opened)


def _taken_over(
    rules: list[dict[str, Any]], opened: int, fields: RuleFields, at: int
) -> tuple[list[dict[str, Any]], int]:
    if fields.is_empty and opened >= len(rules):
        return rules, at
    if opened < len(rules):
        del rules[opened]
    place = opened if fields.place is None else min(max(0, fields.place), len(rules))
    rules.insert(place, fields.written)
    if at == opened:
        return rules, place
    # A rule that was moved past the one that the button is of has shifted it.
    return rules, at - (opened < at <= place) + (place <= at < opened)
