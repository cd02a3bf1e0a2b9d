"""Revisions, with what each changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from gpuspawner.access import Revision, difference
from gpuspawner.access.revision import Written
from gpuspawner.admin.saying import change_in_words
from gpuspawner.catalog import AccessRule
from gpuspawner.language import gettext as _

_MOST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class PresentedRevision:
    """A revision.

    Attributes:
        when: in UTC, ``2026-11-23 02:30 UTC``.
        changes: of the revision before, in words.
        is_in_force: whether it is the last one.
        restores: the number of the earlier revision that it repeats; 0 for what the file said
            before the first.
    """

    number: int
    who: str
    when: str
    machine_time: str
    why: str
    changes: tuple[str, ...]
    is_in_force: bool
    restores: int | None


def present_history(revisions: Sequence[Revision], most: int) -> tuple[PresentedRevision, ...]:
    """Revisions, the last first.

    Args:
        revisions: the last first, one more than is shown, if there is one.
        most: how many are shown.
    """
    found = []
    for at, revision in enumerate(revisions[:most]):
        before = revisions[at + 1].access if at + 1 < len(revisions) else revision.base
        found.append(present_revision(revision, before, is_in_force=at == 0))
    return tuple(found)


def present_revision(
    revision: Revision, before: Written, *, is_in_force: bool = True
) -> PresentedRevision:
    """One revision, and what it changed of what was before."""
    return PresentedRevision(
        number=revision.number,
        who=revision.who,
        when=f"{revision.when:%Y-%m-%d %H:%M} UTC",
        machine_time=revision.when.isoformat(),
        why=revision.why,
        changes=_changes(before, revision.access),
        is_in_force=is_in_force,
        restores=revision.restores,
    )


def _changes(before: Written, after: Written) -> tuple[str, ...]:
    try:
        was, now = ([AccessRule.model_validate(rule) for rule in one] for one in (before, after))
    except ValidationError:
        return (_("This version cannot read what it changed."),)
    changes = [change_in_words(change) for change in difference(was, now)]
    if len(changes) > _MOST_CHANGES:
        more = len(changes) - _MOST_CHANGES
        return (*changes[:_MOST_CHANGES], _("and {more} more").format(more=more))
    return tuple(changes)
