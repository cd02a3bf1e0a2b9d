"""How long to wait before asking the API server again.

The numbers are those of client-go's reflector: 0.8 s, doubled up to 30 s, and forgotten after
two minutes without a failure. The jitter is full (uniform from zero), so that a crowd of clients
that lost the API server in the same moment does not come back in the same moment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Clock = Callable[[], float]
"""Seconds from an arbitrary start, that never go backwards: `time.monotonic`."""

Random = Callable[[], float]
"""A number in [0, 1): `random.random`."""

SECONDS_DIGITS = 9


class Backoff:
    """Delays that grow with every failure, in seconds."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        initial: float = 0.8,
        cap: float = 30.0,
        reset_after: float = 120.0,
    ) -> None:
        self._clock = clock
        self._random = random
        self._initial = initial
        self._cap = cap
        self._reset_after = reset_after
        self._ceiling = initial
        self._last_failure: float | None = None

    def next(self) -> float:
        """How long to wait after a failure that happened now."""
        now = self._clock()
        if self._last_failure is not None and now - self._last_failure >= self._reset_after:
            self._ceiling = self._initial
        self._last_failure = now
        delay = self._ceiling * self._random()
        self._ceiling = min(self._ceiling * 2, self._cap)
        return delay


def parse_retry_after(value: str | None, *, date: str | None = None) -> float | None:
    """The seconds a Retry-After header asks for (RFC 9110, 10.2.3), or None if it is not one.

    Args:
        value: the header; seconds or an HTTP date.
        date: the Date header of the same answer. A date is measured from it, so that neither
            clock needs to be right; without it, it says nothing.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= SECONDS_DIGITS else float("inf")
    until, since = _http_date(text), _http_date(date or "")
    if until is None or since is None:
        return None
    return max(0.0, (until - since).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
