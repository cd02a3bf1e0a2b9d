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
        is_held: whether the rule stays open because of a fault in `fields`, which no button that
            was pressed gets past.
    """

    rules: tuple[dict[str, Any], ...]
    parent: int
    restores: int | None = None
    opened: int | None = None
    fields: RuleFields | None = None
    more: str = ""
    is_held: bool = False

    @property
    def places(self) -> int:
        """How many places there are for the rule that is open, which may be a new one."""
        is_new = self.opened is not None and self.opened >= len(self.rules)
        return len(self.rules) + is_new

    @property
    def attempted(self) -> tuple[dict[str, Any], ...]:
        """The rules with what cannot be taken over, at the place of the rule that is open."""
        if not self.is_held or self.fields is None or self.opened is None:
            return self.rules
        at = self.opened
        return (*self.rules[:at], self.fields.written, *self.rules[at + 1 :])

    @property
    def is_misplaced(self) -> bool:
        """Whether the place that is written is none that there is."""
        place = self.fields.place if self.is_held and self.fields is not None else None
        return place is not None and not 0 <= place < self.places


@dataclass(frozen=True, slots=True)
class RuleFields:
    """What stands in the fields of the rule that is open.

    Attributes:
        place: where it is to stand, from 0; None to leave it, and what is no place is -1.
        typed_place: the same as it was written.
    """

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    deny: bool = False
    place: int | None = None
    typed_place: str = ""

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


def held(draft: Draft, fields: RuleFields | None, action: str) -> Draft | None:
    """The draft with its open rule still open, if what is written there is to be taken over.

    Whether it can be is to be seen of `Draft.attempted` and `Draft.is_misplaced`.

    Args:
        draft: before the button was pressed.
        fields: of the rule that is open; None if none is.
        action: of the button, see `applied`.
    """
    if fields is None or draft.opened is None or action in ("cancel", "more"):
        return None
    is_new = draft.opened >= len(draft.rules)
    if action != "close" and (fields.is_empty if is_new else _is_as_it_was(draft, fields)):
        return None
    return replace(draft, fields=fields, is_held=True)


def _is_as_it_was(draft: Draft, fields: RuleFields) -> bool:
    opened = draft.opened
    if opened is None or fields.place not in (None, opened):
        return False
    return fields.written == draft.rules[opened]


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
