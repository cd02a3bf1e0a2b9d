"""What the page of the rules has of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gpuspawner.access import Effective
from gpuspawner.admin import (
    LISTS,
    Draft,
    change_in_words,
    checked,
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
    rules, problems = checked(draft.rules, effective.catalog.access, slugs)
    # To save the same over a file that has changed says that the file's change is known.
    can_save = (is_changed or effective.has_drifted) and not problems
    preview = None
    if can_save:
        after = effective.file.model_copy(update={"access": rules})
        preview = present_preview(effective.catalog, after, known.people)
    count = len(draft.rules)
    page = min(max(at, 0), max(count - 1, 0)) // PAGE_OF_RULES
    first = page * PAGE_OF_RULES
    places = range(first, min(first + PAGE_OF_RULES, count))
    groups, users = (known.groups, known.users) if known.is_known else (None, None)
    return {
        "draft": draft,
        "written": written_rules(draft.rules),
        "rules": [_rule(draft, at) for at in places],
        "fields": _fields_of(draft),
        "page": page,
        "pages": max(1, -(-count // PAGE_OF_RULES)),
        "page_size": PAGE_OF_RULES,
        "count": count,
        "is_changed": is_changed,
        "drift": tuple(map(change_in_words, effective.drift)),
        "problems": present_problems(problems, draft.rules, slugs),
        "preview": preview,
        "remarks": present_remarks(rules, slugs, groups, users),
        "groups": known.groups,
        "users": known.users,
        "people_are_known": known.is_known,
        "slugs": slugs,
    }


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


def _fields_of(draft: Draft) -> dict[str, Any]:
    """What stands in the fields of the rule that is open, each list with room for more."""
    rule: Mapping[str, Any] = {}
    place = None if draft.opened is None else draft.opened + 1
    if draft.fields is not None:
        rule = draft.fields.written
        place = None if draft.fields.place is None else draft.fields.place + 1
    elif draft.opened is not None and draft.opened < len(draft.rules):
        rule = _mapping(draft.rules[draft.opened])
    names = {part: _with_room(rule.get(part), is_more=draft.more == part) for part in LISTS}
    return {**names, "deny": bool(rule.get("deny")), "place": place}


def _with_room(names: object, *, is_more: bool) -> list[str]:
    texts = _texts(names)
    return [*texts, *[""] * (_MORE if is_more else 1 if texts else 2)]


def _mapping(rule: object) -> Mapping[str, Any]:
    """A rule of a later version, or a damaged one, may be no mapping at all."""
    return rule if isinstance(rule, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
