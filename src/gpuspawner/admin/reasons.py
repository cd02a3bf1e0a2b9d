"""Why somebody has a profile, or has it not."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.admin.saying import grant_in_words, rule_in_words
from gpuspawner.catalog import Catalog
from gpuspawner.explaining import explained
from gpuspawner.language import gettext as _
from gpuspawner.language import listed, ngettext
from gpuspawner.policy import Person


@dataclass(frozen=True, slots=True)
class PresentedReason:
    """What is decided on one profile for one person.

    Attributes:
        rule: the number of the rule that decides, as people count; None if none does.
        ground: what decided, in words.
        rule_in_words: what that rule says; empty if none decides.
        later: which rules would have something to say as well, in words; empty if none.
    """

    slug: str
    title: str
    allowed: bool
    rule: int | None
    ground: str
    rule_in_words: str
    later: str


def present_reasons(catalog: Catalog, person: Person) -> tuple[PresentedReason, ...]:
    """What is decided on every profile, those that are allowed first."""
    found = []
    for one in explained(catalog, person):
        decision = one.decision
        number = decision.rule
        later = ""
        if one.later:
            words = ngettext(
                "Rule {rules} is about it as well, but comes later.",
                "Rules {rules} are about it as well, but come later.",
                len(one.later),
            )
            later = words.format(rules=listed([str(n + 1) for n in one.later]))
        found.append(
            PresentedReason(
                slug=one.profile.slug,
                title=one.profile.title,
                allowed=decision.allowed,
                rule=number + 1 if number is not None else None,
                ground=grant_in_words(decision),
                rule_in_words=rule_in_words(catalog.access[number]) if number is not None else "",
                later=later,
            )
        )
    return tuple(sorted(found, key=lambda reason: not reason.allowed))


def nobody_of_that_name(name: str) -> str:
    """What is said where the hub has no such user."""
    return _("The hub knows no user {name}.").format(name=name)
