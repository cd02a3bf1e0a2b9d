"""What is kept in the hub's own database: revisions of the access, and who did what to it."""

from __future__ import annotations

from gpuspawner.database.audit import AUDIT_LOG, DONE, REFUSED, AuditEntry
from gpuspawner.database.connecting import DatabaseAwayError, kind_of
from gpuspawner.database.engines import engine_for, is_in_memory
from gpuspawner.database.following import LatestRevision, RevisionStatus
from gpuspawner.database.migrating import migrate
from gpuspawner.database.store import AccessStore, ConflictError, UnchangedError

__all__ = [
    "AUDIT_LOG",
    "DONE",
    "REFUSED",
    "AccessStore",
    "AuditEntry",
    "ConflictError",
    "DatabaseAwayError",
    "LatestRevision",
    "RevisionStatus",
    "UnchangedError",
    "engine_for",
    "is_in_memory",
    "kind_of",
    "migrate",
]
