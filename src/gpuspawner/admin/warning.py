"""Names that nobody is known by and rules that decide nothing, in words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gpuspawner.access import Remark, Shadowed, remarks, shadowed
from gpuspawner.catalog import AccessRule
from gpuspawner.language import gettext as _
from gpuspawner.language import listed


@dataclass(frozen=True, slots=True)
class PresentedRemark:
    """What an admin may want to look at.

    Attributes:
        rule: its number as people count.
        hint: what was probably meant, in English; empty if nothing comes near.
    """

    rule: int
    in_words: str
    hint: str = ""


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
    return PresentedRemark(
        number, words.format(rule=number, pattern=remark.pattern), remark.hint or ""
    )


def _shadowed(found: Shadowed) -> PresentedRemark:
    above = listed([str(number + 1) for number in found.by])
    words = _("Rule {rule} never decides anything: what it says is decided above it, by {above}.")
    return PresentedRemark(found.rule + 1, words.format(rule=found.rule + 1, above=above))
