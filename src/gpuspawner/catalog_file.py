"""The catalog's file while the hub runs: a change counts at once, a bad one takes nothing away.

The file is read again, not asked for its time: a ConfigMap's is a symbolic link that is swapped,
an editor's a new file of the same name, and a backup's may be as old as before. Reading the largest
there can be takes about a millisecond, once a second, and only while somebody needs it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from gpuspawner.catalog import Catalog, CatalogError, Problem, catalog_text
from gpuspawner.polling import Clock, Polled

SETTLED: Final = 0.2
"""Seconds for which a changed file must stay as it is: whoever writes it may not be done."""
_MOST_WAITS: Final = 5
_FIRST_PATIENCE: Final = 10.0
"""Seconds for which the first look is waited for: there is nothing to go on with instead."""

_MISSING: Final = (FileNotFoundError, NotADirectoryError)

Read = Callable[[str, str], Catalog]
"""From a text, and the name of its file, to the catalog; raises CatalogError."""


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """Which catalog is in force.

    Attributes:
        catalog: the last good one; None if there never was one.
        since: when it came into force in this process.
        problem: what is wrong with the file as it is now; None if it is the one in force.
        problem_since: when the file was first found bad, after it was last good.
        sha256: of the file's text that is in force, in hex.
        is_missing: whether there is no file now.
    """

    catalog: Catalog | None = None
    since: datetime | None = None
    problem: CatalogError | None = None
    problem_since: datetime | None = None
    sha256: str = ""
    is_missing: bool = False


class CatalogFile:
    """A catalog's file, read again when it is needed and has changed.

    Args:
        path: of the file.
        read: makes the catalog of its text.
        log: is told of each change, once.
        clock: seconds that only grow.
        now: the time of day.
        pause: waits for that many seconds, on a thread of its own.
    """

    def __init__(  # noqa: PLR0913 - two clocks and a pause come from outside
        self,
        path: Path,
        read: Read,
        log: logging.Logger,
        *,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._read = read
        self._log = log
        self._now = now
        self._pause = pause
        self._seen: str | CatalogError | None = None
        self._polled = Polled(self._look, clock=clock)
        self.status = CatalogStatus()
        """As of the last look; to read it costs nothing and touches nothing."""

    def load(self) -> Catalog:
        """The catalog in force; the file is read on this thread if nobody ever began to.

        Raises:
            CatalogError: there never was a good one, or it is still being read for the first time.
        """
        self._look_first()
        return self.catalog

    @property
    def is_missing(self) -> bool:
        """Whether there is no file, as of the last look, which is had as in `load`."""
        self._look_first()
        return self.status.is_missing

    @property
    def catalog(self) -> Catalog:
        """The catalog in force, as of the last look.

        Raises:
            CatalogError: there never was a good one.
        """
        status = self.status
        if status.catalog is None:
            raise status.problem or CatalogError([self._problem("could not be read in time")])
        return status.catalog

    async def fresh(self) -> CatalogStatus:
        """What is in force now: no older than a second, if the file can be read in two."""
        await self._polled.fresh(_FIRST_PATIENCE if self._is_unknown else None)
        return self.status

    @property
    def _is_unknown(self) -> bool:
        return self.status.catalog is None and self.status.problem is None

    def _look_first(self) -> None:
        # One that is under way may hang, and this may be the event loop.
        if self._is_unknown and not self._polled.is_under_way:
            self._polled.now()

    def _look(self) -> None:
        """Read the file, and take it if it has changed and stays as it is."""
        found = self._content()
        if self._seen is None:
            self._take(found)
            return
        for _ in range(_MOST_WAITS):
            if _are_same(found, self._seen):
                return
            self._pause(SETTLED)
            earlier, found = found, self._content()
            if _are_same(found, earlier):
                self._take(found)
                return

    def _content(self) -> str | CatalogError:
        try:
            return catalog_text(self._path)
        except CatalogError as error:
            return error

    def _take(self, found: str | CatalogError) -> None:
        self._seen = found
        if isinstance(found, CatalogError):
            self._refuse(found)
            return
        try:
            catalog = self._read(found, str(self._path))
        except CatalogError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours takes nothing away either
            self._refuse(CatalogError([self._problem(f"cannot be examined: {error!r}")]))
        else:
            self._accept(catalog, sha256(found.encode()).hexdigest())

    def _accept(self, catalog: Catalog, digest: str) -> None:
        before, now = self.status, self._now()
        if before.catalog == catalog:
            self.status = replace(
                before, problem=None, problem_since=None, sha256=digest, is_missing=False
            )
            if before.problem is not None:
                self._log.info("The catalog is valid again, and as before")
            return
        self.status = CatalogStatus(catalog, now, sha256=digest)
        if before.catalog is not None or before.problem is not None:
            counts = f"{len(catalog.profiles)} profiles, {len(catalog.access)} access rules"
            self._log.info("A changed catalog is in force from now on: %s", counts)

    def _refuse(self, error: CatalogError) -> None:
        before = self.status
        self.status = replace(
            before,
            problem=error,
            problem_since=before.problem_since or self._now(),
            is_missing=isinstance(error.__cause__, _MISSING),
        )
        if before.catalog is not None:
            self._log.error(
                "The catalog has changed and is not valid; the one of before stays in force. "
                "Mend these, and it is taken by itself:\n%s",
                error,
            )

    def _problem(self, words: str) -> Problem:
        return Problem(str(self._path), None, "", words)


def _are_same(one: str | CatalogError, other: str | CatalogError | None) -> bool:
    if isinstance(one, CatalogError) and isinstance(other, CatalogError):
        return one.problems == other.problems
    return one == other
