"""Names that nobody knows, rules that decide nothing, and what keeps rules from being saved."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gpuspawner.access import Fault, Remark, Shadowed, remarks, shadowed
from gpuspawner.catalog import AccessRule, Problem, matches
from gpuspawner.catalog.problems import choices, near_miss
from gpuspawner.language import gettext as _
from gpuspawner.language import listed, ngettext

_MOST_HINTS: Final = 20
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
        rule: the place of the rule, from 0; None if it is of none.
        parts: the fields in which it can be mended: "groups", "users", "profiles", "place".
        index: which of the names in that field, from 0; None if it is about all of them.
        detail: what the catalog's check says of it, in English, where we have no words of our own.
    """

    in_words: str
    hint: str = ""
    detail: str = ""
    rule: int | None = None
    parts: tuple[str, ...] = ()
    index: int | None = None


def present_remarks(
    rules: tuple[AccessRule, ...],
    slugs: Collection[str],
    groups: Collection[str] | None,
    users: Collection[str] | None,
    told: Collection[Fault] = (),
) -> tuple[PresentedRemark, ...]:
    """All that can be said of rules, in their order.

    Args:
        rules: in their order.
        slugs: of all profiles.
        groups: that the hub knows; None if that cannot be told, and nothing is said of them.
        users: likewise.
        told: what `present_faults` says of what is in force; not said once more.
    """
    gone = {fault.gone for fault in told}
    said = remarks(rules, slugs, groups, users)
    found = [
        *(_remark(one) for one in said if one.part != "profiles" or one.pattern not in gone),
        *map(_shadowed, shadowed(rules, tuple(slugs))),
    ]
    return tuple(sorted(found, key=lambda remark: remark.rule))


def present_faults(faults: Sequence[Fault], slugs: Collection[str]) -> tuple[PresentedRemark, ...]:
    """What of the rules in force cannot be as it was meant.

    Args:
        faults: of the revision in force.
        slugs: of all profiles.
    """
    hints = [near_miss(fault.gone, slugs) for fault in faults[:_MOST_HINTS]]
    hints += [None] * (len(faults) - len(hints))
    return tuple(
        PresentedRemark(fault.rule + 1, _fault(fault), _hint(meant or "", ""))
        for fault, meant in zip(faults, hints, strict=True)
    )


def _fault(fault: Fault) -> str:
    number = fault.rule + 1
    if not fault.gone:
        words = _(
            "Rule {rule} cannot be read by this version of the hub. It and the rules below it "
            "allow nothing until the rules are saved again."
        )
        return words.format(rule=number)
    words = _("Rule {rule} names the profile {pattern}, which the catalog does not have any more.")
    words = words.format(rule=number, pattern=fault.gone)
    if not fault.denies:
        return words
    more = _("As one of those that came since may be the same, it keeps people from {profiles}.")
    return f"{words} {more.format(profiles=listed(fault.denies))}"


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
    words = ngettext(
        "Rule {rule} never decides anything: what it says is decided above it, by rule {above}.",
        "Rule {rule} never decides anything: what it says is decided above it, by rules {above}.",
        len(found.by),
    )
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


def present_misplaced(rule: int, typed: str, places: int) -> PresentedProblem:
    """That a rule cannot go to a place that there is not.

    Args:
        rule: its place now, from 0.
        typed: the place, as it was written.
        places: how many there are.
    """
    words = ngettext(
        "Rule {rule}: there is no place {place}; there is only place 1.",
        "Rule {rule}: there is no place {place}; there are the places 1 to {places}.",
        places,
    ).format(rule=rule + 1, place=typed, places=places)
    return PresentedProblem(words, rule=rule, parts=("place",))


def _problem(problem: Problem, written: Sequence[Any], slugs: Collection[str]) -> PresentedProblem:
    place = _PLACE.fullmatch(problem.field)
    hint = f"; {problem.hint}" if problem.hint else ""
    detail = f"{problem.message}{hint}"
    if place is None or int(place[1]) >= len(written):
        return PresentedProblem(_("The rules cannot be read."), detail=detail)
    number, part, at = int(place[1]) + 1, place[2], int(place[1])
    rule = written[number - 1] if isinstance(written[number - 1], Mapping) else {}
    if place[3] is None and part == "groups" and not (rule.get("groups") or rule.get("users")):
        words = _("Rule {rule} names nobody: write a group or a user, or the user * for everyone.")
        return PresentedProblem(words.format(rule=number), rule=at, parts=("groups", "users"))
    if place[3] is None and part == "profiles" and not rule.get("profiles"):
        words = _("Rule {rule} names no profile.").format(rule=number)
        return PresentedProblem(words, rule=at, parts=("profiles",))
    pattern = _text_at(rule.get(part), place[3])
    if part == "profiles" and pattern and not any(matches(pattern, slug) for slug in slugs):
        words = _("Rule {rule}: the catalog has no profile {pattern}.")
        meant = near_miss(pattern, slugs) or ""
        words, hint = words.format(rule=number, pattern=pattern), _hint(meant, choices(slugs))
        return PresentedProblem(words, hint, rule=at, parts=(part,), index=int(place[3]))
    words = _("Rule {rule} cannot be saved as it is.").format(rule=number)
    detail, index = f"{part}: {detail}" if part else detail, int(place[3]) if place[3] else None
    return PresentedProblem(words, "", detail, at, (part,) if part else (), index)


def _text_at(names: object, index: str | None) -> str:
    """A name of a list; empty if it is none."""
    if index is None or not isinstance(names, list | tuple) or int(index) >= len(names):
        return ""
    name = names[int(index)]
    return name if isinstance(name, str) else ""
