"""What becomes of one watch, noted as it happens."""

from __future__ import annotations

import logging

from gpuspawner.capacity.freshness import Health, Permission

log = logging.getLogger(__name__)


class Vitals:
    """The `Health` of one watch in the making.

    What is news is logged: an outage has one line and its end another.
    """

    def __init__(self, resource: str) -> None:
        self.synced = False
        self.confirmed_at: float | None = None
        self.malformed = 0
        self._lists = self._failures = 0
        self._resource = resource
        self._served = True
        self._missing: set[Permission] = set()
        self._last_error: str | None = None

    def health(self, unreadable: int) -> Health:
        """How the watch fares, with so many objects that cannot be read."""
        return Health(
            synced=self.synced,
            confirmed_at=self.confirmed_at,
            missing=tuple(self._missing),
            malformed=self.malformed,
            unreadable=unreadable,
            served=self._served,
            last_error=self._last_error,
            lists=self._lists,
            failures=self._failures,
        )

    def granted(self, *verbs: str) -> None:
        """The API server has let these verbs pass, or they are not needed at present."""
        self._missing.difference_update(Permission(verb, self._resource) for verb in verbs)

    def refused(self, verb: str) -> None:
        """The API server has answered 403 to `verb`."""
        self._missing.add(Permission(verb, self._resource))

    def unserved(self) -> None:
        """The API server does not have the resource."""
        self._served = False

    def failed(self, verb: str, words: str) -> bool:
        """An attempt has failed; whether that is news."""
        self._failures += 1
        words = f"{verb} {self._resource}: {words}"
        if self._last_error == words:
            return False
        self._last_error = words
        log.warning("%s; retrying", words)
        return True

    def listed(self, moment: float, count: int) -> None:
        """There is a full list of `count` objects, right as of `moment`."""
        if not self.synced:
            log.info("watching %s: %d listed", self._resource, count)
        self._lists += 1
        self.synced = self._served = True
        self.confirmed_at = moment

    def confirmed(self, moment: float) -> None:
        """What was listed and has changed since is right as of `moment`."""
        if not self.synced:
            return
        # A line can outrun the timer of its own stream.
        self.confirmed_at = max(moment, self.confirmed_at or moment)
        if self._last_error is not None:
            self._last_error = None
            log.info("watching %s: recovered", self._resource)

    def lost(self) -> None:
        """Nothing is known any more."""
        self.synced = False
        self.confirmed_at = None
