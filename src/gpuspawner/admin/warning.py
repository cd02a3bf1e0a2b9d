"""Names that nobody knows, rules that decide nothing, and what keeps rules from being saved."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gpuspawner.access import Remark, Shadowed, remarks, shadowed
from gpuspawner.catalog import AccessRule, Problem, matches
from gpuspawner.catalog.problems import choices, near_miss
from gpuspawner.language import gettext as _
from gpuspawner.language import listed

_PLACE: Final = re.compile(r"access\[(\d+)\](?:\.(\w+)(?:\[(\d+)\])?)?")


@dataclass(frozen=True, slots=True)
class PresentedRemark:
    """What an admin may want to look at.

    Attributes:
        rule: its number as people count.
        hint: what was probably meant; empty if nothing comes near.
    """

    rule: int
    in_words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PresentedProblem:
    """What keeps rules from being saved.

    Attributes:
        hint: what was probably meant; empty if nothing comes near.
        detail: what the catalog's check says of it, in English, where we have no words of our own.
    """

    in_words: str
    hint: str = ""
    detail: str = ""


def present_remarks(
    rules: tuple[AccessRule, ...],
    slugs: Collection[str],
    groups: Collection[str] | None,
    users: Collection[str] | None,
) -> tuple[PresentedRemark, ...]:
    """All that can be said of rules, in their order.

    Args:
        rules: in their order.
        slugs: of all profiles.
        groups: that the hub knows; None if that cannot be told, and nothing is said of them.
        users: likewise.
    """
    found = [
        *map(_remark, remarks(rules, slugs, groups, users)),
        *map(_shadowed, shadowed(rules, tuple(slugs))),
    ]
    return tuple(sorted(found, key=lambda remark: remark.rule))


def _remark(remark: Remark) -> PresentedRemark:
    match remark.part:
        case "groups":
            words = _("Rule {rule}: the hub knows no group {pattern}.")
        case "users":
            words = _("Rule {rule}: the hub knows no user {pattern}.")
        case _profiles:
            words = _("Rule {rule}: the catalog has no profile {pattern}.")
    number = remark.rule + 1
    hint = _hint(remark.meant, remark.known)
    return PresentedRemark(number, words.format(rule=number, pattern=remark.pattern), hint)


def _hint(meant: str, known: str) -> str:
    if meant:
        return _("Did you mean {name}?").format(name=meant)
    return _("There are: {names}.").format(names=known) if known else ""


def _shadowed(found: Shadowed) -> PresentedRemark:
    above = listed([str(number + 1) for number in found.by])
    words = _("Rule {rule} never decides anything: what it says is decided above it, by {above}.")
    return PresentedRemark(found.rule + 1, words.format(rule=found.rule + 1, above=above))


def present_problems(
    problems: Iterable[Problem], written: Sequence[Any], slugs: Collection[str]
) -> tuple[PresentedProblem, ...]:
    """What is wrong with rules, each counted as the page counts.

    Args:
        problems: of the catalog's check.
        written: the rules, as JSON has them.
        slugs: of all profiles.
    """
    return tuple(_problem(problem, written, slugs) for problem in problems)


def _problem(problem: Problem, written: Sequence[Any], slugs: Collection[str]) -> PresentedProblem:
    place = _PLACE.fullmatch(problem.field)
    hint = f"; {problem.hint}" if problem.hint else ""
    detail = f"{problem.message}{hint}"
    if place is None or int(place[1]) >= len(written):
        return PresentedProblem(_("The rules cannot be read."), detail=detail)
    number, part = int(place[1]) + 1, place[2]
    rule = written[number - 1] if isinstance(written[number - 1], Mapping) else {}
    if place[3] is None and part == "groups" and not (rule.get("groups") or rule.get("users")):
        words = _("Rule {rule} names nobody: write a group or a user, or the user * for everyone.")
        return PresentedProblem(words.format(rule=number))
    if place[3] is None and part == "profiles" and not rule.get("profiles"):
        return PresentedProblem(_("Rule {rule} names no profile.").format(rule=number))
    pattern = _text_at(rule.get(part), place[3])
    if part == "profiles" and pattern and not any(matches(pattern, slug) for slug in slugs):
        words = _("Rule {rule}: the catalog has no profile {pattern}.")
        meant = near_miss(pattern, slugs) or ""
        return PresentedProblem(
            words.format(rule=number, pattern=pattern), _hint(meant, choices(slugs))
        )
    words = _("Rule {rule} cannot be saved as it is.").format(rule=number)
    return PresentedProblem(words, detail=f"{part}: {detail}" if part else detail)


def _text_at(names: object, index: str | None) -> str:
    """A name of a list; empty if it is none."""
    if index is None or not isinstance(names, list | tuple) or int(index) >= len(names):
        return ""
    name = names[int(index)]
    return name if isinstance(name, str) else ""
