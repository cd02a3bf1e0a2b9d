"""One resource of the API server, listed once and then followed.

The rules are those of client-go's reflector: list in pages, watch from the list's version, resume
from the newest version heard of, list again only if that version is no longer known. Versions are
opaque: they are handed back and never compared. `gpuspawner.capacity.failures` says what follows
each failure; an object that is malformed is skipped and counted, and is not a failure.

The seam for streaming lists (``sendInitialEvents``) is `ResourceWatch._relist`: whatever ends
with a committed stage and a version can stand in for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from gpuspawner.capacity.backoff import Backoff, Clock, Random
from gpuspawner.capacity.failures import Remedy, StatusError, check, remedy_for, words_for
from gpuspawner.capacity.feeds import Feed, Stage
from gpuspawner.capacity.freshness import Health, Permission
from gpuspawner.capacity.stream import ListPage, WatchLine, read_list_page, read_watch_line
from gpuspawner.capacity.transport import Response, Transport, TransportError
from gpuspawner.errors import MalformedObjectError

log = logging.getLogger(__name__)

DECODING_SLICE = 0.01
"""Seconds of decoding after which the event loop gets its turn."""


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """The pace of a watch, in seconds. The defaults are argued in `gpuspawner.capacity.watching`.

    Attributes:
        window: after how long the API server is asked to end a stream; each is up to a fifth
            shorter, at random.
        silence: after how long without a line a stream is dropped. More than `window`.
        stale_after: the age at which the index is no longer live. At least `silence`.
        answer: how long to wait for the headers of an answer, connecting included.
        page: how long one page of a list, or reading the credentials again, may take.
        settle: how long an accepted watch must stand, without an ERROR, before it proves anything.
        relist_after: how long a change that was never sent can stay unnoticed; up to a fifth
            shorter, at random.
        retry_cap: the longest Retry-After that is honoured.
        shortest_stream: a stream that ends before this has failed.
        backoff: the first and the highest ceiling of the delays after a failure.
        denied_backoff: the same after a 403.
        page_size: objects on a page of a list.
    """

    window: float = 30.0
    silence: float = 35.0
    stale_after: float = 40.0
    answer: float = 10.0
    page: float = 30.0
    settle: float = 0.5
    relist_after: float = 1800.0
    retry_cap: float = 60.0
    shortest_stream: float = 1.0
    backoff: tuple[float, float] = (0.8, 30.0)
    denied_backoff: tuple[float, float] = (10.0, 60.0)
    page_size: int = 500

    def __post_init__(self) -> None:
        """Refuse a pace at which healthy streams would be dropped or look stale."""
        if not 0 < self.window < self.silence <= self.stale_after:
            raise ValueError(
                "a watch needs 0 < window < silence <= stale_after, "
                f"not {self.window:g}, {self.silence:g}, {self.stale_after:g}"
            )


class ResourceWatch:
    """Keeps the objects of one resource in step with the API server; `run` never gives up.

    Attributes:
        answered: set once there is a full list, or a 403 instead.
    """

    def __init__(
        self,
        feed: Feed,
        transport: Transport,
        *,
        timing: WatchTiming,
        clock: Clock,
        random: Random,
    ) -> None:
        self.answered = asyncio.Event()
        self._feed = feed
        self._transport = transport
        self._timing = timing
        self._clock = clock
        self._random = random
        self._failing, self._expiring, self._denied = (
            Backoff(clock, random, initial=initial, cap=cap)
            for initial, cap in (timing.backoff, timing.backoff, timing.denied_backoff)
        )
        self._verb = "list"
        self._version: str | None = None
        self._relist_at = 0.0
        self._fruitless = 0
        self._synced = False
        self._confirmed_at: float | None = None
        self._missing: set[Permission] = set()
        self._malformed = 0
        self._last_error: str | None = None

    @property
    def health(self) -> Health:
        """How this watch fares at this moment."""
        return Health(
            synced=self._synced,
            confirmed_at=self._confirmed_at,
            missing=tuple(self._missing),
            malformed=self._malformed,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if self._version is None or self._clock() >= self._relist_at:
                    await self._relist()
                else:
                    await self._follow(self._version)
            except (StatusError, TransportError, MalformedObjectError, TimeoutError) as failure:
                await asyncio.sleep(await self._remedy(failure))
            except Exception as crash:
                self._version = None
                if self._report(f"a defect: {type(crash).__name__}"):
                    log.exception("watching %s: starting over", self._feed.resource)
                await asyncio.sleep(self._failing.next())

    async def _relist(self) -> None:
        asked_at = self._clock()
        # Moved first: a list that keeps failing must leave a good watch its turn.
        self._relist_at = asked_at + self._timing.window
        stage = self._feed.stage()
        page = await self._page("")
        version = page.resource_version
        if not version:
            raise MalformedObjectError("a list without a resourceVersion")
        count = await self._fill(stage, page)
        while token := page.continue_token:
            page = await self._page(token)
            if page.continue_token == token:
                raise MalformedObjectError("a list that continues with itself")
            count += await self._fill(stage, page)
        stage.commit()
        self._relist_at = asked_at + self._timing.relist_after * (1 - 0.2 * self._random())
        self._version = version
        self._confirmed_at = asked_at
        if not self._synced:
            log.info("watching %s: %d listed", self._feed.resource, count)
        self._synced = True
        self.answered.set()

    async def _page(self, token: str) -> ListPage:
        parameters = {"limit": str(self._timing.page_size)}
        if token:
            parameters["continue"] = token
        async with asyncio.timeout(self._timing.page), self._get("list", parameters) as response:
            self._check(response)
            return read_list_page(await response.body())

    async def _fill(self, stage: Stage, page: ListPage) -> int:
        began = time.perf_counter()
        for raw in page.items:
            try:
                stage.add(raw)
            except MalformedObjectError:
                self._malformed += 1
            if time.perf_counter() - began > DECODING_SLICE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return len(page.items)

    async def _follow(self, version: str) -> None:
        window = self._timing.window * (1 - 0.2 * self._random())
        parameters = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(window))),
        }
        asked_at = self._clock()
        async with self._get("watch", parameters) as response:
            self._check(response)
            await self._read(response, asked_at)
        if self._clock() - asked_at < self._timing.shortest_stream:
            raise TransportError("the stream ended as soon as it had begun")

    async def _read(self, response: Response, asked_at: float) -> None:
        loop = asyncio.get_running_loop()
        settled = loop.call_later(self._timing.settle, self._confirm, asked_at)
        began = time.perf_counter()
        try:
            async with aclosing(response.lines()) as lines:
                async for raw in lines:
                    self._take(read_watch_line(raw))
                    self._fruitless = 0
                    if loop.time() >= settled.when():
                        self._confirm(self._clock())
                    if time.perf_counter() - began > DECODING_SLICE:
                        await asyncio.sleep(0)
                        began = time.perf_counter()
        finally:
            settled.cancel()

    def _take(self, line: WatchLine) -> None:
        if line.type == "ERROR":
            raise StatusError(line.code, in_stream=True)
        try:
            if line.type in ("ADDED", "MODIFIED"):
                self._feed.put(line.object)
            elif line.type == "DELETED":
                self._feed.drop(line.object)
            elif line.type != "BOOKMARK":
                self._malformed += 1
        except MalformedObjectError:
            self._malformed += 1
        self._version = line.resource_version or self._version

    def _get(self, verb: str, parameters: dict[str, str]) -> AbstractAsyncContextManager[Response]:
        self._verb = verb
        return self._transport.get(
            f"/api/v1/{self._feed.resource}",
            {**parameters, **self._feed.parameters},
            answer_within=self._timing.answer,
            silence=self._timing.silence,
        )

    def _check(self, response: Response) -> None:
        check(response)
        self._missing.discard(Permission(self._verb, self._feed.resource))

    async def _remedy(self, failure: Exception) -> float:
        """Do what `failure` asks for and say how many seconds to wait."""
        backoff = self._failing
        words = words_for(failure)
        match remedy_for(failure):
            case Remedy.RELIST:
                backoff = self._expiring
                self._forget()
            case Remedy.RESUME_ONCE:
                self._malformed += isinstance(failure, MalformedObjectError)
                self._fruitless += 1
                if self._fruitless > 1:
                    self._forget()
            case Remedy.RELOAD_CREDENTIALS:
                words += await self._reload_credentials()
            case Remedy.AWAIT_PERMISSION:
                backoff = self._denied
                self._missing.add(Permission(self._verb, self._feed.resource))
                self.answered.set()
        self._report(words)
        asked = getattr(failure, "retry_after", None) or 0.0
        return max(backoff.next(), min(asked, self._timing.retry_cap))

    def _forget(self) -> None:
        self._fruitless = 0
        if self._verb == "watch":
            self._version = None

    async def _reload_credentials(self) -> str:
        """Try to, and give what there is to add to the words of the failure."""
        try:
            async with asyncio.timeout(self._timing.page):
                await self._transport.reload_credentials()
        except (TransportError, TimeoutError) as failure:
            return f"; {words_for(failure)}"
        return ""

    def _report(self, words: str) -> bool:
        """Note what went wrong; log it if it is news, and say whether it was."""
        words = f"{self._verb} {self._feed.resource}: {words}"
        if self._last_error == words:
            return False
        self._last_error = words
        log.warning("%s; retrying", words)
        return True

    def _confirm(self, moment: float) -> None:
        """The index is known to be right as of `moment`."""
        # A line can outrun the timer of its own stream.
        self._confirmed_at = max(moment, self._confirmed_at or moment)
        if self._last_error is not None:
            self._last_error = None
            log.info("watching %s: recovered", self._feed.resource)
