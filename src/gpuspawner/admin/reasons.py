"""Why somebody has a profile, or has it not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuspawner.admin.saying import grant_in_words, rule_in_words
from gpuspawner.catalog import Catalog
from gpuspawner.explaining import explained
from gpuspawner.language import as_sentence, listed, ngettext
from gpuspawner.language import gettext as _
from gpuspawner.policy import Person


@dataclass(frozen=True, slots=True)
class PresentedReason:
    """What is decided on one profile for one person.

    Attributes:
        rule: the number of the rule that decides, as people count; None if none does.
        ground: what decided, in words with which a sentence begins.
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
                ground=as_sentence(grant_in_words(decision)),
                rule_in_words=rule_in_words(catalog.access[number]) if number is not None else "",
                later=later,
            )
        )
    return tuple(sorted(found, key=lambda reason: not reason.allowed))


AskedAgain = Literal["start", "visit", "sign-in"]


def groups_as_of(*, of_sign_in: bool, minutes: int | None, asked_again: AskedAgain) -> str:
    """What a person's groups are the groups of, and when they can become others.

    Args:
        of_sign_in: whether the sign-in says who is in which group, and not the hub.
        minutes: since the sign-in last said so to this process of the hub; None if never.
        asked_again: when it says so next: before each start, when they come, or at a sign-in.
    """
    if not of_sign_in:
        return _("The hub itself keeps the groups: the next start counts with these.")
    if minutes is None:
        words = _(
            "These are the groups that the hub remembers. The sign-in has not said anything of "
            "this person since the hub was last started."
        )
    elif not minutes:
        words = _("The sign-in named these groups less than a minute ago.")
    else:
        words = ngettext(
            "The sign-in named these groups {minutes} minute ago.",
            "The sign-in named these groups {minutes} minutes ago.",
            minutes,
        ).format(minutes=minutes)
    match asked_again:
        case "start":
            more = _(
                "When the person starts a server, it is asked again, and what it says then counts."
            )
        case "visit":
            more = _(
                "When the person comes to the hub, it is asked again, and what it says then counts."
            )
        case _sign_in:
            more = _("They count until the person signs in again.")
    return f"{words} {more}"
