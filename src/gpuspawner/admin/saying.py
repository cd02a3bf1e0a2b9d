"""Rules, grants and changes in words, in the language spoken."""

from __future__ import annotations

from gpuspawner.access import Change
from gpuspawner.catalog import AccessRule
from gpuspawner.language import gettext as _
from gpuspawner.language import listed, ngettext
from gpuspawner.policy import Decision


def rule_in_words(rule: AccessRule) -> str:
    """A rule: ``groups hpc and bio may have cpu and gpu-*``."""
    if rule.deny:
        words = _("{people} may not have {profiles}")
    else:
        words = _("{people} may have {profiles}")
    return words.format(people=people_in_words(rule), profiles=listed(rule.profiles))


def people_in_words(rule: AccessRule) -> str:
    """Whom a rule is about; there must be somebody."""
    if "*" in rule.users:
        return _("everyone")
    parts = []
    if rule.groups:
        words = ngettext("group {names}", "groups {names}", len(rule.groups))
        parts.append(words.format(names=listed(rule.groups)))
    if rule.users:
        words = ngettext("user {names}", "users {names}", len(rule.users))
        parts.append(words.format(names=listed(rule.users)))
    return listed(parts)


def grant_in_words(decision: Decision) -> str:
    """What decided: ``rule 3 allows it to group hpc``."""
    if decision.rule is None:
        return _("no rule is about it")
    if decision.allowed:
        words = _("rule {rule} allows it to {people}")
    else:
        words = _("rule {rule} denies it to {people}")
    return words.format(rule=decision.rule + 1, people=_granted(decision.grant))


def _granted(grant: str) -> str:
    kind, _space, name = grant.partition(" ")
    match kind:
        case "group":
            return ngettext("group {names}", "groups {names}", 1).format(names=name)
        case "user":
            return ngettext("user {names}", "users {names}", 1).format(names=name)
        case _everyone:
            return _("everyone")


def change_in_words(change: Change) -> str:
    """A change of a rule, with places as people count them."""
    was, now = (at + 1 if at is not None else None for at in (change.was, change.now))
    before, after = (
        rule_in_words(rule) if rule is not None else "" for rule in (change.before, change.after)
    )
    match change.kind:
        case "added":
            words = _("Rule {now} is new: {after}")
        case "removed":
            words = _("Rule {was} is gone: {before}")
        case "moved":
            words = _("Rule {was} is now rule {now}: {after}")
        case _changed:
            words = _("Rule {now} was: {before}; it is now: {after}")
    return words.format(was=was, now=now, before=before, after=after)
