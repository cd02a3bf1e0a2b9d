"""All open spawn pages of a hub, and the one task that keeps them up to date.

The hub serves everybody on one event loop. So the pages are looked after in turn, a few
milliseconds at a time, and then left alone for nineteen times as long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

from gpuspawner.hub.turns import Turns

MOST_PAGES = 1000
"""Streams of one hub. Those beyond it ask now and then."""
MOST_OF_ONE = 10
"""Streams to one person; the oldest makes way for one more."""
_BREATH = 0.05
"""Seconds between two slices at least, so that an idle hub is not woken for each page."""
_BEAT_EVERY, _BEATS, _PARTS = 0.5, 30, 10
"""Seconds after which some more pages are asked whether they were told nothing for long: so many,
or such a part of all. Beside the slices, since a browser that hears nothing for 20 s says that the
hub does not answer."""
_PATIENCE = 0.05
"""Seconds that the others wait for one page, whose look may wait for the API server."""


class Page(Protocol):
    """A page that is open in a browser."""

    @property
    def person(self) -> str:
        """Who looks at it."""

    def is_due(self, now: float) -> bool:
        """Whether a turn is of use to it. What can be done at once is done here."""

    async def turn(self) -> None:
        """Look, and tell the browser what is news."""

    def beat(self, now: float) -> None:
        """Tell the browser that the hub is there, if it has been told nothing for long."""

    def give_way(self) -> None:
        """Let the browser ask now and then instead."""

    def close(self) -> None:
        """End the stream."""


class OpenPages:
    """The open pages.

    Args:
        log: where unexpected errors go.
        clock: seconds that never go backwards.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._turns: Turns[Page] = Turns()
        self._looking: dict[Page, asyncio.Task[None]] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._door = asyncio.Lock()
        # By the time at which they were opened; those that were asked last, last.
        self._pages: dict[Page, float] = {}

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def is_full(self) -> bool:
        """Whether there is room for no more streams."""
        return len(self._pages) >= MOST_PAGES

    def open(self, page: Page) -> None:
        """Count a page, and look after it; its first look is its own to begin."""
        of_theirs = [other for other in self._pages if other.person == page.person]
        of_theirs.sort(key=self._pages.__getitem__)
        for other in of_theirs[: max(0, len(of_theirs) + 1 - MOST_OF_ONE)]:
            other.give_way()
        now = self._pages[page] = self._clock()
        self._turns.join(page, now)
        if not self._tasks or any(task.done() for task in self._tasks):
            self._rest()
            self._tasks = tuple(map(asyncio.create_task, (self._pace(), self._beats())))

    def closed(self, page: Page) -> None:
        """Look after a page no longer; does nothing if it is not looked after."""
        self._pages.pop(page, None)
        self._turns.leave(page)
        looking = self._looking.pop(page, None)
        if looking is not None and looking is not asyncio.current_task():
            looking.cancel()
        if not self._pages:
            self._rest()

    def _rest(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = ()

    async def at_once(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` for a page out of turn; the event loop goes round once for each such page."""
        async with self._door:
            await asyncio.sleep(0)
        await self._counted(work())

    async def _counted(self, work: Coroutine[Any, Any, None]) -> None:
        timed = _Timed(work)
        try:
            await timed
        finally:
            self._turns.spent(timed.seconds)

    async def _pace(self) -> None:
        while True:
            await asyncio.sleep(max(_BREATH, self._turns.wait(self._clock())))
            while page := self._turns.next(self._clock()):
                await self._serve(page)
            self._turns.rest(self._clock())

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_EVERY)
            now = self._clock()
            # A few at a time, each page in turn: those that were opened at once are quiet at once.
            for page in tuple(islice(self._pages, max(_BEATS, len(self._pages) // _PARTS))):
                self._pages[page] = self._pages.pop(page)
                with self._guarded(page):
                    page.beat(now)

    async def _serve(self, page: Page) -> None:
        is_due = False
        with self._guarded(page):
            # Asked also while it looks, which may take long: the page may have to end.
            is_due = page.is_due(self._clock()) and page not in self._looking
        if is_due:
            task = self._looking[page] = asyncio.create_task(self._look(page))
            await asyncio.wait((task,), timeout=_PATIENCE)

    async def _look(self, page: Page) -> None:
        try:
            await self._counted(page.turn())
        except Exception:  # noqa: BLE001 - of one page: the others are looked after
            self._give_up(page)
        finally:
            self._looking.pop(page, None)

    @contextmanager
    def _guarded(self, page: Page) -> Iterator[None]:
        """Count what is done at once, and let no page keep the others from their turns."""
        began = time.thread_time()
        try:
            yield
        except Exception:  # noqa: BLE001 - as above
            self._give_up(page)
        finally:
            self._turns.spent(time.thread_time() - began)

    def _give_up(self, page: Page) -> None:
        self._log.exception("An open page cannot be looked after any longer")
        page.close()


class _Timed:
    """A coroutine, and the seconds that it has computed, without those that it awaited.

    Not by the clock on the wall: where others compute on the same machine, pages would wait for
    what these take.
    """

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, None, None]:
        error: BaseException | None = None
        while True:
            began = time.thread_time()
            try:
                awaited = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            finally:
                self.seconds += time.thread_time() - began
            error = None
            try:
                yield awaited
            except BaseException as raised:  # noqa: BLE001 - it is the coroutine's to take
                error = raised
