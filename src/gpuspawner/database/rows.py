"""Revisions and entries of the audit as rows, and back: what cannot be read allows nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from gpuspawner.access import Revision
from gpuspawner.database.audit import AuditEntry

_UNREADABLE: Final = (None,)
"""No rule is None: what follows from it is that nothing is allowed."""


def revision_of(row: Mapping[Any, Any]) -> Revision:
    """The revision of a row."""
    return Revision(
        number=row["number"],
        access=_list(row["access"]),
        who=row["who"],
        when=row["saved_at"].replace(tzinfo=UTC),
        why=row["why"],
        parent=row["parent"],
        base=_list(row["base_access"]),
        profiles=tuple(map(str, _list(row["profiles"]))),
        restores=row["restores"],
    )


def row_of_revision(revision: Revision) -> dict[str, Any]:
    """The row of a revision, with times in UTC."""
    return {
        "number": revision.number,
        "parent": revision.parent,
        "saved_at": revision.when.astimezone(UTC).replace(tzinfo=None),
        "who": revision.who,
        "why": revision.why,
        "access": json.dumps(revision.access),
        "base_access": json.dumps(revision.base),
        "base_digest": revision.base_digest,
        "profiles": json.dumps(revision.profiles),
        "restores": revision.restores,
    }


def row_of_entry(entry: AuditEntry) -> dict[str, Any]:
    """The row of an entry of the audit."""
    return {
        "at": entry.at.astimezone(UTC).replace(tzinfo=None),
        "who": entry.who,
        "action": entry.action,
        "outcome": entry.outcome,
        "code": entry.code,
        "reason": entry.reason,
        "parent": entry.parent,
        "number": entry.number,
        "changes": json.dumps(entry.changes),
    }


def entry_of(row: Mapping[Any, Any]) -> AuditEntry:
    """The entry of a row of the audit."""
    fields = {name: row[name] for name in ("who", "action", "outcome", "code", "reason")}
    return AuditEntry(
        at=row["at"].replace(tzinfo=UTC),
        **fields,
        parent=row["parent"],
        number=row["number"],
        changes=tuple(map(str, _list(row["changes"]))),
    )


def _list(text: str) -> tuple[Any, ...]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return _UNREADABLE
    return tuple(found) if isinstance(found, list) else _UNREADABLE


def storable(text: str) -> str:
    """A text as every database can keep it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
