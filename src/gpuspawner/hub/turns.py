"""Whose turn it is among many who want one again and again, within a small share of the time."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Turns in slices: some work, then a rest that is as much longer as `share` asks for.

    Who has waited longest is next, and each slice has one turn at least, whatever is worked beside
    the turns. Times are seconds of one clock that the caller reads.

    Args:
        share: of the time that may be worked.
        most: seconds of work after which a slice ends.
        apart: seconds between two turns of the same one, at least.
        longest_rest: seconds; so that a burst of work is not paid for by a long silence.
    """

    def __init__(
        self,
        *,
        share: float = 0.05,
        most: float = 0.005,
        apart: float = 1.0,
        longest_rest: float = 5.0,
    ) -> None:
        self._rest_for_work = 1 / share - 1
        self._most = most
        self._apart = apart
        self._longest_rest = longest_rest
        # By the time of the last turn, the longest ago first.
        self._last: dict[T, float] = {}
        self._owed = 0.0
        self._has_begun = False
        self._rests_until = 0.0

    def __len__(self) -> int:
        return len(self._last)

    def join(self, one: T, now: float) -> None:
        """Take part from now on, as if a turn had just been had."""
        self._last[one] = now

    def leave(self, one: T) -> None:
        """Take part no longer; does nothing for who does not."""
        self._last.pop(one, None)

    def spent(self, seconds: float) -> None:
        """So much was worked, in a turn or beside it."""
        self._owed += seconds

    def next(self, now: float) -> T | None:
        """Whose turn it is, which is had by this; None at the end of a slice."""
        if self._has_begun and self._owed >= self._most:
            return None
        first = next(iter(self._last.items()), None)
        if first is None or now - first[1] < self._apart:
            return None
        self._has_begun = True
        del self._last[first[0]]
        self._last[first[0]] = now
        return first[0]

    def rest(self, now: float) -> None:
        """End a slice."""
        self._rests_until = now + min(self._longest_rest, self._owed * self._rest_for_work)
        self._owed, self._has_begun = 0.0, False

    def wait(self, now: float) -> float:
        """Seconds until the next slice has somebody to begin with; 0 if nobody takes part."""
        first = next(iter(self._last.values()), None)
        if first is None:
            return 0.0
        return max(0.0, self._rests_until - now, first + self._apart - now)
