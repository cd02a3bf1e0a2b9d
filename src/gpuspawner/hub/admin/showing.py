"""What the page of the rules has of a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gpuspawner.access import Effective
from gpuspawner.admin import (
    LISTS,
    Draft,
    PresentedProblem,
    change_in_words,
    checked,
    present_misplaced,
    present_preview,
    present_problems,
    present_remarks,
    rule_in_words,
    written_rules,
)
from gpuspawner.catalog import AccessRule
from gpuspawner.hub.admin.base import Known
from gpuspawner.language import gettext as _

PAGE_OF_RULES: Final = 40
_MORE: Final = 6
"""Empty fields, where more are asked for."""


def presented(effective: Effective, draft: Draft, known: Known, at: int) -> dict[str, Any]:
    """A draft's rules around a place, what is wrong with them, and what they would change."""
    slugs = [profile.slug for profile in effective.file.profiles]
    is_changed = draft.rules != effective.written
    attempted = draft.attempted
    rules, problems = checked(attempted, effective.catalog.access, slugs)
    said = [*present_problems(problems, attempted, slugs), *_misplaced(draft)]
    # To save the same over a file that has changed says that the file's change is known.
    can_save = (is_changed or effective.has_drifted) and not said
    preview = None
    if can_save:
        after = effective.file.model_copy(update={"access": rules})
        preview = present_preview(effective.catalog, after, known.people)
    count = len(draft.rules)
    at = draft.opened if draft.is_held and draft.opened is not None else at
    page = min(max(at, 0), max(count - 1, 0)) // PAGE_OF_RULES
    first = page * PAGE_OF_RULES
    places = range(first, min(first + PAGE_OF_RULES, count))
    groups, users = (known.groups, known.users) if known.is_known else (None, None)
    return {
        "draft": draft,
        "written": written_rules(draft.rules),
        "rules": [_rule(draft, at) for at in places],
        "fields": _fields_of(draft, said),
        "page": page,
        "pages": max(1, -(-count // PAGE_OF_RULES)),
        "page_size": PAGE_OF_RULES,
        "count": count,
        "is_changed": is_changed,
        "drift": tuple(map(change_in_words, effective.drift)),
        "problems": said,
        "preview": preview,
        "remarks": present_remarks(rules, slugs, groups, users, effective.problems),
        "groups": known.groups,
        "users": known.users,
        "people_are_known": known.is_known,
        "slugs": slugs,
    }


def _misplaced(draft: Draft) -> list[PresentedProblem]:
    if not draft.is_misplaced or draft.fields is None or draft.opened is None:
        return []
    return [present_misplaced(draft.opened, draft.fields.typed_place, draft.places)]


def _rule(draft: Draft, at: int) -> dict[str, Any]:
    written = _mapping(draft.rules[at])
    try:
        words = rule_in_words(AccessRule.model_validate(written))
    except ValueError:
        words = _("This rule is not complete, or cannot be read.")
    return {
        "at": at,
        "words": words,
        "deny": bool(written.get("deny")),
        "is_open": draft.opened == at,
    }


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the rule that is open.

    Attributes:
        faults: the ids of what is said to be wrong with it, apart by blanks; empty if nothing is.
        is_first: whether it is the first with a fault.
    """

    value: str
    faults: str = ""
    is_first: bool = False


def _fields_of(draft: Draft, problems: Sequence[PresentedProblem]) -> dict[str, Any]:
    """What stands in the fields of the rule that is open, each list with room for more.

    And what is wrong with them: "faults", by the field.
    """
    rule: Mapping[str, Any] = {}
    place = "" if draft.opened is None else str(draft.opened + 1)
    if draft.fields is not None:
        rule = draft.fields.written
        place = draft.fields.typed_place
    elif draft.opened is not None and draft.opened < len(draft.rules):
        rule = _mapping(draft.rules[draft.opened])
    texts = {"place": [place]}
    texts |= {part: _with_room(rule.get(part), is_more=draft.more == part) for part in LISTS}
    mine = [one for one in problems if draft.is_held and one.rule == draft.opened]
    faults: dict[str, list[dict[str, str]]] = {}
    fields: dict[str, Any] = {"deny": bool(rule.get("deny")), "faults": faults}
    is_first = True
    for part, values in texts.items():
        here = [(f"fault-{part}-{at}", one) for at, one in enumerate(mine) if part in one.parts]
        faults[part] = [{"id": name, "in_words": _told(one)} for name, one in here]
        fields[part] = []
        for at, value in enumerate(values):
            ids = " ".join(name for name, one in here if one.index in (None, at))
            fields[part].append(Field(value, ids, bool(ids) and is_first))
            is_first = is_first and not ids
    return fields


def _told(problem: PresentedProblem) -> str:
    return f"{problem.in_words} {problem.hint}".rstrip()


def _with_room(names: object, *, is_more: bool) -> list[str]:
    texts = _texts(names)
    return [*texts, *[""] * (_MORE if is_more else 1 if texts else 2)]


def _mapping(rule: object) -> Mapping[str, Any]:
    """A rule of a later version, or a damaged one, may be no mapping at all."""
    return rule if isinstance(rule, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
