"""An API server in memory, behind a transport, and an event loop whose time only jumps.

It serves nodes and pods as the real one does: lists in pages or as a stream, watches from a
version, bookmarks, 410 for what is forgotten; and it can be told to fail.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.capacity.scripted_api import bookmark, end_of_list, error, event

from gpuspawner.capacity.transport import TransportError

Object = dict[str, Any]
GARBAGE = b'{"type":"ADDED","obj'


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting it lets the time pass."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing would ever happen again")
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour takes no time."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


@dataclass
class Change:
    version: int
    resource: str
    kind: str
    obj: Object


@dataclass
class MemoryAPI:
    """The objects, what has become of them, and what is wrong at present.

    Attributes:
        down: the status every request is answered with; 0 for no answer, None if all is well.
        tricks: what happens to the next lines of any watch, oldest first.
        missed: whether an event was never sent.
    """

    streams: bool = True
    objects: dict[str, dict[str, Object]] = field(default_factory=lambda: {"nodes": {}, "pods": {}})
    version: int = 1
    oldest: int = 0
    history: list[Change] = field(default_factory=list)
    down: int | None = None
    tricks: list[str] = field(default_factory=list)
    missed: bool = False
    requests: int = 0
    open: list[Stream] = field(default_factory=list)

    def commit(self, kind: str, resource: str, name: str, obj: Object) -> None:
        self.version += 1
        versioned = json.loads(json.dumps(obj))
        versioned["metadata"]["resourceVersion"] = str(self.version)
        if kind == "DELETED":
            self.objects[resource].pop(name, None)
        else:
            self.objects[resource][name] = versioned
        self.history.append(Change(self.version, resource, kind, versioned))
        for stream in self.open:
            stream.woken.set()

    def compact(self) -> None:
        self.oldest = self.version
        self.history.clear()

    def cut(self, how: str) -> None:
        for stream in self.open:
            stream.fate = how
            stream.woken.set()

    def heal(self) -> None:
        self.down = None
        self.tricks.clear()
        if self.missed:
            self.missed = False
            self.version += 1  # or a version of just now would still be known
            self.compact()
        self.cut("reset")

    @asynccontextmanager
    async def get(
        self, path: str, parameters: Mapping[str, str], *, answer_within: float, silence: float
    ) -> AsyncIterator[Any]:
        del answer_within  # nothing hangs before its headers here
        self.requests += 1
        await asyncio.sleep(0.01)
        if self.down == 0:
            raise TransportError("no answer")
        stream = Stream(self, path.rsplit("/", 1)[-1], dict(parameters), silence)
        if self.down is not None:
            stream.status = self.down
        self.open.append(stream)
        try:
            yield stream
        finally:
            self.open.remove(stream)

    async def reload_credentials(self) -> None:
        await asyncio.sleep(0)


class Stream:
    """One answer: a page, or a watch until its time is over."""

    def __init__(
        self, api: MemoryAPI, resource: str, query: dict[str, str], silence: float
    ) -> None:
        self.headers = {"Content-Type": "application/json"}
        self.woken = asyncio.Event()
        self.fate = ""
        self._api = api
        self._resource = resource
        self._query = query
        self._silence = silence
        self._as_list = "sendInitialEvents" in query
        self.status = 200
        if self._as_list and not api.streams:
            self.status = 422
        elif self._since < api.oldest:
            self.status = 410

    @property
    def _since(self) -> int:
        """The version that must still be known; the newest if none is named."""
        named = self._query.get("resourceVersion") or self._query.get("continue", "")
        return int(named.partition("/")[0] or self._api.version)

    async def body(self) -> bytes:
        """A page; its token names the version and the name after which the next one begins."""
        limit, token = int(self._query["limit"]), self._query.get("continue", "")
        version, _, after = token.partition("/")
        names = sorted(name for name in self._api.objects[self._resource] if name > after)
        page = [self._api.objects[self._resource][name] for name in names[:limit]]
        at = version or str(self._api.version)
        more = f"{at}/{names[limit - 1]}" if len(names) > limit else ""
        head = {"resourceVersion": at, "continue": more}
        await asyncio.sleep(0.01)
        return json.dumps({"metadata": head, "items": page}).encode()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + int(self._query["timeoutSeconds"])
        sent = self._since
        if self._as_list:
            sent = self._api.version
            lines = [event("ADDED", obj) for obj in self._api.objects[self._resource].values()]
            for line in (*lines, end_of_list(str(sent))):
                async for mangled in self._mangled(line):
                    yield mangled
        while loop.time() < end:
            if sent < self._api.oldest:
                yield error(code=410)
                return
            for change in [each for each in self._api.history if each.version > sent]:
                sent = change.version
                if change.resource == self._resource:
                    async for mangled in self._mangled(event(change.kind, change.obj)):
                        yield mangled
            self.woken.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self.woken.wait()
            except TimeoutError:
                break
            await self._meet_fate()
        yield bookmark(str(sent))

    async def _meet_fate(self) -> None:
        if self.fate == "silence":
            await asyncio.sleep(self._silence)
            raise TransportError("silent")
        if self.fate:
            raise TransportError("reset")

    async def _mangled(self, line: bytes) -> AsyncGenerator[bytes, None]:
        await self._meet_fate()
        trick = self._api.tricks.pop(0) if self._api.tricks else ""
        match trick:
            case "twice":
                yield line
                yield line
            case "swallow":
                self._api.missed = True
            case "garbage":
                yield b"garbage"
            case "half a line":
                yield line[: len(line) // 2]
                raise TransportError("reset")
            case "an error":
                yield error(code=500)
            case "gone":
                yield error(code=410)
            case "a bookmark before":
                yield event("BOOKMARK", {"metadata": {"resourceVersion": ""}})
                yield line
            case "an unknown event before":
                yield event("RENAMED", {"metadata": {"name": "n"}})
                yield line
            case _:
                yield line
