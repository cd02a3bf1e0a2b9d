"""Something that is looked at when it is needed, in a thread, and at most every so often.

Files and databases can hang. Whoever needs what they say waits for a bounded time, off the event
loop, and then goes on with what was known before.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

Clock = Callable[[], float]


class Polled:
    """A look at something outside, which all who need it share.

    Args:
        look: looks, and keeps what it sees; it must not raise. At most one runs at a time.
        period: seconds from the beginning of one look within which no other is begun.
        patience: seconds for which `fresh` waits for a look.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        look: Callable[[], None],
        *,
        period: float = 1.0,
        patience: float = 2.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._look = look
        self._period = period
        self._patience = patience
        self._clock = clock
        self._guard = threading.Lock()
        self._looking = threading.Lock()
        self._running: Future[None] | None = None
        self._begun: float | None = None

    def now(self) -> None:
        """Look at once, on this thread; a look that is under way is waited for."""
        with self._guard:
            self._begun = self._clock()
        with self._looking:
            self._look()

    @property
    def is_under_way(self) -> bool:
        """Whether somebody looks at this moment."""
        running = self._running
        return self._looking.locked() or (running is not None and not running.done())

    async def fresh(self, patience: float | None = None) -> None:
        """Return when there was a look within the last period, or patience is at its end."""
        running = self._under_way()
        if running is not None:
            waits = self._patience if patience is None else patience
            await asyncio.wait({asyncio.wrap_future(running)}, timeout=waits)

    def _under_way(self) -> Future[None] | None:
        with self._guard:
            if self._running is not None and not self._running.done():
                return self._running
            now = self._clock()
            if self._begun is not None and now - self._begun < self._period:
                return None
            self._begun = now
            self._running = Future()
            # Not of a pool, whose threads are waited for when the hub ends: this one may hang.
            threading.Thread(
                target=self._run, args=(self._running,), name="gpuspawner-look", daemon=True
            ).start()
            return self._running

    def _run(self, running: Future[None]) -> None:
        try:
            with self._looking:
                self._look()
        finally:
            running.set_result(None)
