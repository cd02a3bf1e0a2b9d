"""What the page of the rules has of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gpuspawner.access import Effective
from gpuspawner.admin import (
    Draft,
    change_in_words,
    checked,
    present_preview,
    present_remarks,
    problems_in_words,
    rule_in_words,
    written_rules,
)
from gpuspawner.catalog import AccessRule
from gpuspawner.hub.admin.base import Known
from gpuspawner.language import gettext as _

PAGE_OF_RULES: Final = 40


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
        "problems": problems_in_words(problems),
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
    """What stands in the fields of the rule that is open, each list with room for two more."""
    rule: Mapping[str, Any] = {}
    if draft.opened is not None and draft.opened < len(draft.rules):
        rule = _mapping(draft.rules[draft.opened])
    lists = ("groups", "users", "profiles")
    names = {part: [*_texts(rule.get(part)), "", ""] for part in lists}
    return {**names, "deny": bool(rule.get("deny"))}


def _mapping(rule: object) -> Mapping[str, Any]:
    """A rule of a later version, or a damaged one, may be no mapping at all."""
    return rule if isinstance(rule, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
