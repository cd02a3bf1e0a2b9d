"""Whether rules could be saved, found quickly: those in force are known to be good."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from gpuspawner.access import Effective, as_written
from gpuspawner.admin.drafting import Draft, RuleFields, applied, held
from gpuspawner.catalog import AccessRule, CatalogError, Problem, read_access

_PLACE = re.compile(r"^access\[(\d+)\]")


def checked(
    written: Sequence[Any], in_force: Sequence[AccessRule], slugs: Collection[str]
) -> tuple[tuple[AccessRule, ...], Sequence[Problem]]:
    """The rules, or what is wrong with them.

    Only rules that are not in force are read: to read a thousand takes long. What is saved is read
    as a whole.

    Args:
        written: as JSON has them.
        in_force: rules that were read before.
        slugs: of all profiles.
    """
    pairs = zip(as_written(in_force), in_force, strict=True)
    known = {_text(one): rule for one, rule in pairs}
    try:
        texts = [_text(rule) for rule in written]
    except RecursionError:
        return (), [Problem("", None, "access", "it is nested too deeply", "write a list of rules")]
    new = [at for at, text in enumerate(texts) if text not in known]
    try:
        read = read_access([written[at] for at in new], slugs) if new else ()
    except CatalogError as error:
        return (), [_in_their_place(problem, new) for problem in error.problems]
    known |= {texts[at]: rule for at, rule in zip(new, read, strict=True)}
    return tuple(known[text] for text in texts), []


def stepped(
    draft: Draft, fields: RuleFields | None, action: str, at: int, effective: Effective
) -> Draft:
    """The draft after a button was pressed, unless what is written in the open rule cannot be.

    Then that rule stays open with what was written, and nothing else is done.

    Args:
        draft: before.
        fields: of the rule that is open; None if none is.
        action: see `gpuspawner.admin.drafting.applied`.
        at: likewise.
        effective: what is in force.
    """
    kept = held(draft, fields, action)
    if kept is not None and fields is not None:
        slugs = [profile.slug for profile in effective.file.profiles]
        _, problems = checked([fields.written], effective.catalog.access, slugs)
        if problems or kept.is_misplaced:
            return kept
    return applied(draft, fields, action, at)


def _in_their_place(problem: Problem, places: Sequence[int]) -> Problem:
    def place(found: re.Match[str]) -> str:
        return f"access[{places[int(found[1])]}]"

    return replace(problem, field=_PLACE.sub(place, problem.field))


def _text(rule: object) -> str:
    return json.dumps(rule, sort_keys=True)
