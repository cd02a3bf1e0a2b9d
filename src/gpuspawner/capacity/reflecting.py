"""One resource of the API server, listed once and then followed.

The rules are those of client-go's reflector: list, watch from the list's version, resume from the
newest version heard of, list again only if that version is no longer known. A list comes as a
stream (``sendInitialEvents``: every object as an event, then a marked bookmark), which goes on as
the watch; where the API server does not do that, it comes in pages. Versions are opaque: they are
handed back and never compared. `gpuspawner.capacity.failures` says what follows each failure; an
object that is malformed is counted and taken note of, and is not a failure.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable

from gpuspawner.capacity.asking import AS_A_LIST, ResourceAPI
from gpuspawner.capacity.backoff import Backoff, Clock, Random
from gpuspawner.capacity.failures import (
    FAILURES,
    FORBIDDEN,
    Remedy,
    StatusError,
    asks_for_pages,
    remedy_for,
    words_for,
)
from gpuspawner.capacity.feeds import Feed, Stage
from gpuspawner.capacity.freshness import Health
from gpuspawner.capacity.stream import (
    ListPage,
    WatchLine,
    added_object,
    read_watch_line,
)
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import Transport, TransportError
from gpuspawner.capacity.vitals import Vitals
from gpuspawner.errors import MalformedObjectError

log = logging.getLogger(__name__)

DECODING_SLICE = 0.01
"""Seconds of decoding after which the event loop gets its turn."""


class ResourceWatch:
    """Keeps the objects of one resource in step with the API server; `run` never gives up.

    Attributes:
        answered: set once it is known whether there will be a full list soon.
        on_news: called whenever something was taken in.
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
        self.on_news: Callable[[], None] = lambda: None
        self._feed = feed
        self._timing = timing
        self._clock = clock
        self._random = random
        self._failing, self._expiring, self._denied = (
            Backoff(clock, random, initial=initial, cap=cap)
            for initial, cap in (timing.backoff, timing.backoff, timing.denied_backoff)
        )
        self._vitals = Vitals(feed.resource)
        self._api = ResourceAPI(feed, transport, self._vitals, timing=timing, random=random)
        self._version: str | None = None
        self._relist_at = 0.0
        self._stream_at = clock()
        self._fruitless = 0

    @property
    def resource(self) -> str:
        """The plural of what is watched."""
        return self._feed.resource

    @property
    def health(self) -> Health:
        """How this watch fares at this moment."""
        return self._vitals.health(len(self._feed.unreadable))

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if self._version is None or self._clock() >= self._relist_at:
                    await self._relist()
                else:
                    await self._follow(self._version)
            except FAILURES as failure:
                await asyncio.sleep(await self._remedy(failure))
            except Exception as crash:
                self._version = None
                if self._vitals.failed(self._api.verb, f"a defect: {type(crash).__name__}"):
                    log.exception("watching %s: starting over", self._feed.resource)
                await asyncio.sleep(self._failing.next())

    def expire(self) -> None:
        """Forget what is known of an optional resource if that is too old by now."""
        confirmed_at = self._vitals.confirmed_at
        if (
            self._feed.optional
            and confirmed_at is not None
            and self._clock() - confirmed_at > self._timing.stale_after
        ):
            self._lose()

    async def _relist(self) -> None:
        # Moved first: a list that keeps failing must leave a good watch its turn.
        self._relist_at = self._clock() + self._timing.window
        if self._clock() < self._stream_at or not await self._stream_list():
            await self._list_in_pages()

    async def _stream_list(self) -> bool:
        """List by a watch and go on with that watch; False if the list is to come in pages."""
        asked_at = self._clock()
        listed = accepted = False
        try:
            async with self._api.watch(**AS_A_LIST) as lines:
                accepted = True
                await self._read_initial(lines, asked_at)
                listed = True
                await self._read_changes(lines, asked_at)
        except FAILURES as failure:
            optional = self._feed.optional
            if listed or not asks_for_pages(failure, accepted=accepted, optional=optional):
                raise
            self._note_refusal(failure)
            return False
        self._require_a_while_since(asked_at)
        return True

    def _note_refusal(self, failure: Exception) -> None:
        if isinstance(failure, StatusError) and failure.status == FORBIDDEN:
            self._vitals.refused("watch")
            return
        self._stream_at = self._clock() + self._timing.relist_after
        log.debug("list %s as a stream: %s; in pages", self._feed.resource, words_for(failure))

    async def _read_initial(self, lines: AsyncGenerator[bytes, None], asked_at: float) -> None:
        """Take in a list up to the bookmark that ends it."""
        loop = asyncio.get_running_loop()
        stage = self._feed.stage()
        began, count = time.perf_counter(), 0
        async with asyncio.timeout(self._timing.answer) as patience:
            async for raw in lines:
                if (version := self._stage(stage, raw)) is not None:
                    self._vitals.granted("list")
                    self._commit(stage, version, asked_at, count)
                    return
                count += 1
                if time.perf_counter() - began > DECODING_SLICE:
                    await asyncio.sleep(0)
                    patience.reschedule(loop.time() + self._timing.answer)
                    began = time.perf_counter()
        raise TransportError("the stream ended before its list did")

    def _stage(self, stage: Stage, raw: bytes) -> str | None:
        """Take in one line of a list; its version if that was the last one."""
        obj = added_object(raw)
        if obj is not None:
            try:
                stage.add(obj)
            except MalformedObjectError:
                pass  # or was it the line? The long way tells.
            else:
                return None
        line = read_watch_line(raw)
        self._take(line, stage.add, stage.drop)
        if line.ends_list and not line.resource_version:
            raise MalformedObjectError("a list without a resourceVersion")
        return line.resource_version if line.ends_list else None

    async def _list_in_pages(self) -> None:
        asked_at = self._clock()
        stage = self._feed.stage()
        page = await self._api.page("")
        version = page.resource_version
        if not version:
            raise MalformedObjectError("a list without a resourceVersion")
        count = await self._fill(stage, page)
        while token := page.continue_token:
            page = await self._api.page(token)
            if page.continue_token == token:
                raise MalformedObjectError("a list that continues with itself")
            count += await self._fill(stage, page)
        self._commit(stage, version, asked_at, count)

    async def _fill(self, stage: Stage, page: ListPage) -> int:
        began = time.perf_counter()
        for raw in page.items:
            try:
                stage.add(raw)
            except MalformedObjectError:
                self._vitals.malformed += 1
            if time.perf_counter() - began > DECODING_SLICE:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return len(page.items)

    def _commit(self, stage: Stage, version: str, asked_at: float, count: int) -> None:
        stage.commit()
        self._relist_at = asked_at + self._timing.relist_after * (1 - 0.2 * self._random())
        self._version = version
        self._vitals.listed(asked_at, count)
        self.answered.set()
        self.on_news()

    async def _follow(self, version: str) -> None:
        asked_at = self._clock()
        async with self._api.watch(resourceVersion=version) as lines:
            await self._read_changes(lines, asked_at)
        self._require_a_while_since(asked_at)

    async def _read_changes(self, lines: AsyncGenerator[bytes, None], asked_at: float) -> None:
        loop = asyncio.get_running_loop()
        settled = loop.call_later(self._timing.settle, self._vitals.confirmed, asked_at)
        began = time.perf_counter()
        try:
            async for raw in lines:
                line = read_watch_line(raw)
                if self._version is None:
                    raise TransportError("what was known had grown too old")
                self._take(line, self._feed.put, self._feed.drop)
                self.on_news()
                self._version = line.resource_version or self._version
                self._fruitless = 0
                if loop.time() >= settled.when():
                    self._vitals.confirmed(self._clock())
                if time.perf_counter() - began > DECODING_SLICE:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
        finally:
            settled.cancel()

    def _take(
        self, line: WatchLine, put: Callable[[bytes], None], drop: Callable[[bytes], None]
    ) -> None:
        if line.type == "ERROR":
            raise StatusError(line.code, in_stream=True)
        try:
            if line.type in ("ADDED", "MODIFIED"):
                put(line.object)
            elif line.type == "DELETED":
                drop(line.object)
            elif line.type != "BOOKMARK":
                self._vitals.malformed += 1
        except MalformedObjectError:
            self._vitals.malformed += 1

    def _require_a_while_since(self, asked_at: float) -> None:
        if self._clock() - asked_at < self._timing.shortest_stream:
            raise TransportError("the stream ended as soon as it had begun")

    async def _remedy(self, failure: Exception) -> float:
        """Do what `failure` asks for and say how many seconds to wait."""
        backoff = self._failing
        words = words_for(failure)
        match remedy_for(failure, optional=self._feed.optional):
            case Remedy.RELIST:
                backoff = self._expiring
                self._distrust_version()
            case Remedy.RESUME_ONCE:
                self._vitals.malformed += isinstance(failure, MalformedObjectError)
                self._fruitless += 1
                if self._fruitless > 1:
                    self._distrust_version()
            case Remedy.RELOAD_CREDENTIALS:
                words += await self._reload_credentials()
            case Remedy.AWAIT_PERMISSION:
                backoff = self._denied
                self._vitals.refused(self._api.verb)
                self._give_up_for_now()
            case Remedy.AWAIT_RESOURCE:
                backoff = self._denied
                self._vitals.unserved()
                self._give_up_for_now()
                # Where a kind is not served, there is nothing of it.
                self._feed.stage().commit()
        if self._feed.optional:
            self.answered.set()
        self._vitals.failed(self._api.verb, words)
        asked = getattr(failure, "retry_after", None) or 0.0
        return max(backoff.next(), min(asked, self._timing.retry_cap))

    def _distrust_version(self) -> None:
        self._fruitless = 0
        if self._api.verb == "watch":
            self._version = None

    def _give_up_for_now(self) -> None:
        self.answered.set()
        if self._feed.optional:
            self._lose()

    def _lose(self) -> None:
        self._version = None
        self._vitals.lost()
        self._feed.forget()

    async def _reload_credentials(self) -> str:
        """Try to, and give what there is to add to the words of the failure."""
        try:
            await self._api.reload_credentials()
        except (TransportError, TimeoutError) as failure:
            return f"; {words_for(failure)}"
        return ""
