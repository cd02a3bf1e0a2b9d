"""Saves and reads revisions. Every method may take its time: call them on a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, desc, insert, select

from gpuspawner.access import Draft, Revision, as_written, difference, digest_of
from gpuspawner.catalog import Catalog, CatalogError, read_access
from gpuspawner.catalog.access import AccessRule
from gpuspawner.database.audit import AUDIT_LOG, DONE, REFUSED, AuditEntry
from gpuspawner.database.connecting import Connections, DatabaseAwayError, TakenError
from gpuspawner.database.pruning import prune
from gpuspawner.database.rows import (
    entry_of,
    revision_of,
    row_of_entry,
    row_of_revision,
    storable,
)
from gpuspawner.database.tables import audit, revisions
from gpuspawner.errors import GPUSpawnerError

T = TypeVar("T")
_LONGEST: Final = 2000
"""Characters of a reason."""
_MOST_CHANGES: Final = 200
_MOST_REFUSALS: Final = 60
"""Of one person in a minute that are kept as rows: whoever can sign in can be refused for ever."""
_PRUNED_EVERY: Final = 30
"""Of those: to find what is too much takes some milliseconds, in which nobody else can write."""

_log = logging.getLogger(AUDIT_LOG)


class ConflictError(GPUSpawnerError):
    """Somebody else has saved in the meantime; `latest` is what they saved."""

    def __init__(self, latest: Revision | None) -> None:
        self.latest = latest
        by = f"{latest.who} has saved revision {latest.number}" if latest else "it is not there"
        super().__init__(f"this was not made from the access that is in force: {by}")


class UnchangedError(GPUSpawnerError):
    """What is to be saved is what is in force already."""


class AccessStore:
    """The revisions and the audit in a database.

    Args:
        engine: makes the way there, when it is needed.
        now: the time of day.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connections = Connections(engine)
        self._reading, self._writing = self._connections.reading, self._connections.writing
        self._now = now
        self._guard = threading.RLock()
        self._minute: datetime | None = None
        self._refusals: Counter[str] = Counter()

    def latest(self) -> Revision | None:
        """The last revision; None if nothing was ever saved.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        with self._reading() as connection:
            return _latest(connection)

    def latest_mark(self) -> tuple[int, datetime] | None:
        """The number of the last revision and when it was saved, which tell it from others.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        query = select(revisions.c.number, revisions.c.saved_at)
        with self._reading() as connection:
            row = connection.execute(query.order_by(desc(revisions.c.number)).limit(1)).first()
        return (row[0], row[1].replace(tzinfo=UTC)) if row is not None else None

    def revision(self, number: int) -> Revision | None:
        """The revision of that number, if there is one.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        query = select(revisions).where(revisions.c.number == number)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return revision_of(row) if row is not None else None

    def history(self, most: int = 50, before: int | None = None) -> tuple[Revision, ...]:
        """Revisions, the last first; `before` is the number of the last one known, to go on.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        query = select(revisions).order_by(desc(revisions.c.number)).limit(most)
        if before is not None:
            query = query.where(revisions.c.number < before)
        with self._reading() as connection:
            return tuple(map(revision_of, connection.execute(query).mappings()))

    def entries(self, most: int = 50) -> tuple[AuditEntry, ...]:
        """The last entries of the audit, the last first.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        query = select(audit).order_by(desc(audit.c.id)).limit(most)
        with self._reading() as connection:
            return tuple(map(entry_of, connection.execute(query).mappings()))

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads of the same database, the hub's own tables for example.

        Raises:
            DatabaseAwayError: it cannot be read.
        """
        with self._reading() as connection:
            return work(connection)

    def save(self, draft: Draft, file: Catalog) -> Revision:
        """Save an edit, if nobody else has saved since what it was made from.

        Each way in which it ends is in the audit.

        Args:
            draft: what is to be saved.
            file: the catalog of the file as it is now.

        Raises:
            CatalogError: the rules are not valid for the file; each problem has its place.
            ConflictError: it was not made from the last revision.
            UnchangedError: it says what is in force already.
            DatabaseAwayError: it cannot be saved.
        """
        action = "save" if draft.restores is None else "undo"
        try:
            return self._save(draft, file, action)
        except CatalogError as error:
            self.refused(draft.who, action, "not-valid", str(error), draft.parent)
            raise
        except ConflictError as error:
            self.refused(draft.who, action, "conflict", str(error), draft.parent)
            raise
        except UnchangedError as error:
            self.refused(draft.who, action, "unchanged", str(error), draft.parent)
            raise
        except DatabaseAwayError as error:
            self.refused(draft.who, action, "database-away", str(error), draft.parent)
            raise

    def refused(
        self, who: str, action: str, code: str, reason: str, parent: int | None = None
    ) -> None:
        """Note that somebody was refused a change.

        It is in the log only where the database is away, or where they are refused too often, and
        after a while in any case (`gpuspawner.database.pruning`).
        """
        entry = AuditEntry(
            self._now(),
            storable(who),
            action,
            REFUSED,
            code,
            storable(reason)[:_LONGEST],
            parent=parent,
        )
        _log.info("%s", entry.line())
        if code == "database-away" or (number := self._number(entry)) > _MOST_REFUSALS:
            return
        try:
            with self._writing() as connection:
                connection.execute(insert(audit), row_of_entry(entry))
        except DatabaseAwayError as error:
            _log.warning("This is in the log only, since %s", error)
            return
        if number % _PRUNED_EVERY == 1:
            self._prune(entry)

    def _prune(self, entry: AuditEntry) -> None:
        # Apart from it, which stays where this cannot be done.
        try:
            with self._writing() as connection:
                prune(connection, entry.who, entry.at)
        except DatabaseAwayError as error:
            _log.warning("Refusals that are too old or too many stay for now, since %s", error)

    def _number(self, entry: AuditEntry) -> int:
        """Of a refusal among that person's in this minute."""
        minute = entry.at.replace(second=0, microsecond=0)
        with self._guard:
            if minute != self._minute:
                self._minute, self._refusals = minute, Counter()
            self._refusals[entry.who] += 1
            number = self._refusals[entry.who]
        if number == _MOST_REFUSALS + 1:
            _log.warning("Refusals of %r are in the log only for the rest of the minute", entry.who)
        return number

    def close(self) -> None:
        """Let go of every connection; the next use makes new ones."""
        self._connections.close()

    def _save(self, draft: Draft, file: Catalog, action: str) -> Revision:
        slugs = tuple(profile.slug for profile in file.profiles)
        rules = read_access(list(draft.access), slugs)
        if draft.restores is not None and not self._repeats(rules, draft.restores):
            action, draft = "save", replace(draft, restores=None)
        revision = Revision(
            number=draft.parent + 1,
            access=as_written(rules),
            who=storable(draft.who),
            when=self._now(),
            why=storable(draft.why)[:_LONGEST],
            parent=draft.parent,
            base=as_written(file.access),
            profiles=slugs,
            restores=draft.restores,
        )
        try:
            with self._writing() as connection:
                before = _latest(connection)
                if draft.parent != (before.number if before is not None else 0):
                    raise ConflictError(before)
                _must_change(revision, before, file)
                entry = _entry_of(revision, before, rules, file, action)
                connection.execute(insert(revisions), row_of_revision(revision))
                connection.execute(insert(audit), row_of_entry(entry))
        except TakenError as error:
            # Another hub's transaction ended between the question and the answer.
            raise ConflictError(self.latest()) from error
        _log.info("%s", entry.line())
        return revision

    def _repeats(self, rules: tuple[AccessRule, ...], number: int) -> bool:
        """Whether these are the rules of a revision; of 0, those of the file before the first."""
        earlier = self.revision(max(number, 1))
        if earlier is None:
            return False
        theirs = earlier.access if number else earlier.base
        return digest_of(theirs) == digest_of(as_written(rules))


def _must_change(revision: Revision, before: Revision | None, file: Catalog) -> None:
    if before is None:
        is_same = digest_of(revision.access) == digest_of(as_written(file.access))
    else:
        # The same over another file is a change: it says that the file's is known.
        is_same = digest_of(revision.access) == digest_of(before.access) and (
            revision.base_digest == before.base_digest and revision.profiles == before.profiles
        )
    if is_same:
        raise UnchangedError("this is what is in force already")


def _entry_of(
    revision: Revision,
    before: Revision | None,
    rules: tuple[AccessRule, ...],
    file: Catalog,
    action: str,
) -> AuditEntry:
    changes = [str(change) for change in difference(_rules_before(before, file), rules)]
    if len(changes) > _MOST_CHANGES:
        changes[_MOST_CHANGES:] = [f"and {len(changes) - _MOST_CHANGES} more"]
    return AuditEntry(
        revision.when,
        revision.who,
        action,
        DONE,
        reason=revision.why,
        parent=revision.parent,
        number=revision.number,
        changes=tuple(changes),
    )


def _rules_before(before: Revision | None, file: Catalog) -> tuple[AccessRule, ...]:
    if before is None:
        return file.access
    try:
        return tuple(AccessRule.model_validate(rule) for rule in before.access)
    except ValueError:
        return ()


def _latest(connection: Connection) -> Revision | None:
    query = select(revisions).order_by(desc(revisions.c.number)).limit(1)
    row = connection.execute(query).mappings().first()
    return revision_of(row) if row is not None else None
