"""The latest revision, as this process knows it: other hubs and other processes save as well."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from gpuspawner.access import Revision
from gpuspawner.database.connecting import DatabaseAwayError
from gpuspawner.database.store import AccessStore
from gpuspawner.polling import Clock, Polled

_FIRST_PATIENCE: Final = 10.0
"""Seconds for which the first look is waited for: it may make the tables."""


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """What is known of the latest revision.

    Attributes:
        revision: the last one that could be read; None if nothing was ever saved.
        is_known: whether that could be read at all since this process began.
        problem: why it cannot be read now.
        problem_since: when it was first found so, after it could be read.
    """

    revision: Revision | None = None
    is_known: bool = False
    problem: DatabaseAwayError | None = None
    problem_since: datetime | None = None


class LatestRevision:
    """Asks the database, when it is needed, whether there is a later revision.

    Args:
        store: that has them.
        log: is told when it cannot be asked, and when it can again.
        clock: seconds that only grow.
        now: the time of day.
    """

    def __init__(
        self,
        store: AccessStore,
        log: logging.Logger,
        *,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._log = log
        self._now = now
        self._guard = threading.Lock()
        self._saved = 0
        self._polled = Polled(self._look, clock=clock)
        self.status = RevisionStatus()
        """As of the last look; to read it costs nothing and touches nothing."""

    async def fresh(self) -> RevisionStatus:
        """What is known now: no older than a second, if the database answers in two."""
        await self._polled.fresh(None if self.status.is_known else _FIRST_PATIENCE)
        return self.status

    def saved(self, revision: Revision) -> None:
        """Know at once what this process has saved."""
        with self._guard:
            self._saved += 1
            self.status = RevisionStatus(revision, is_known=True)

    def _look(self) -> None:
        before, saved = self.status, self._saved
        try:
            found = self._found(before)
        except Exception as error:  # noqa: BLE001 - whatever it is, what was known before stays
            found = self._away(before, error)
        with self._guard:
            # What was saved here in the meantime is newer than the answer.
            if saved == self._saved:
                self.status = found

    def _found(self, before: RevisionStatus) -> RevisionStatus:
        known = before.revision
        mark = self._store.latest_mark()
        is_same = mark == ((known.number, known.when) if known is not None else None)
        if not before.is_known or not is_same:
            known = self._store.latest()
        if before.problem is not None:
            self._log.info("The access in the hub's database can be read again")
        return RevisionStatus(known, is_known=True)

    def _away(self, before: RevisionStatus, error: Exception) -> RevisionStatus:
        problem = (
            error
            if isinstance(error, DatabaseAwayError)
            else DatabaseAwayError(f"the access cannot be read from the hub's database: {error!r}")
        )
        if str(problem) != str(before.problem):
            stays = "the last that was read stays" if before.is_known else "nothing is allowed"
            self._log.error("%s; %s (%s)", problem, stays, problem.__cause__)
        return replace(before, problem=problem, problem_since=before.problem_since or self._now())
