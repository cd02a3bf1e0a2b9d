"""What happened to the objects of one resource: a bounded ring of events, and its readers.

Readers hold a position and no events of their own, so any number of slow watchers costs no more
memory than the ring; one that falls behind it is told so, as etcd does after a compaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.status import ApiError, too_old

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one object; readers share the objects and must not change them.

    Args:
        type: what happened.
        object: the object after the change; of a deleted one its last state, with the
            resourceVersion of the deletion.
        previous: the object before the change; None when it was added.
        revision: the store's version that the change made.
    """

    type: EventType
    object: Object
    previous: Object | None
    revision: int

    @property
    def resource_version(self) -> str:
        """The revision as the API spells it."""
        return str(self.revision)


class History:
    """The newest events of one resource.

    Args:
        limit: how many events are kept.
        head: returns the store's current revision.
    """

    def __init__(self, limit: int, head: Callable[[], int]) -> None:
        self._events: deque[Event] = deque()
        self._limit = limit
        self._head = head
        self._dropped = 0
        self._oldest = 0
        self._readers: set[Subscription] = set()

    def append(self, event: Event) -> None:
        """Record a change and wake the readers."""
        self._events.append(event)
        if len(self._events) > self._limit:
            self._dropped = self._events.popleft().revision
            self._oldest = max(self._oldest, self._dropped)
        for reader in self._readers:
            reader.wake()

    def compact(self) -> None:
        """Forget every event; whoever starts from before the current revision gets 410."""
        if self._events:
            self._dropped = self._events[-1].revision
            self._events.clear()
        self._oldest = self._head()

    def require(self, revision: int) -> None:
        """Raise 410 unless everything after `revision` is still known."""
        if revision < self._oldest:
            raise too_old(revision, self._oldest)

    def after(self, revision: int) -> list[Event]:
        """Return the events after `revision`, oldest first; 410 when some were forgotten."""
        if revision < self._dropped:
            raise too_old(revision, self._oldest)
        newer: list[Event] = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            newer.append(event)
        newer.reverse()
        return newer

    def subscribe(self, revision: int) -> Subscription:
        """Return a reader of what comes after `revision`."""
        reader = Subscription(self, revision, self._head)
        self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: Subscription) -> None:
        """Forget a reader; doing it twice is harmless."""
        self._readers.discard(reader)


class Subscription:
    """A position in a resource's history, and an asynchronous iterator over what follows."""

    def __init__(self, history: History, revision: int, head: Callable[[], int]) -> None:
        self._history = history
        self._head = head
        self._revision = revision
        self._pending: deque[Event] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def wake(self) -> None:
        """Say that there may be something to read."""
        self._news.set()

    def take(self) -> list[Event]:
        """Return what has happened since the last call; raises ApiError 410 when some is lost."""
        self._news.clear()
        events = self._history.after(self._revision)
        # A version from the future, kept after a restore, must not be lowered: its holder has
        # already seen what is numbered below it.
        self._revision = max(self._revision, self._head())
        return events

    def caught_up(self) -> int | None:
        """Return the version up to which everything was taken; None when more is waiting."""
        head = self._head()
        return None if self._news.is_set() or head < self._revision else head

    async def wait(self) -> None:
        """Return when there may be something to take, or when the subscription is closed."""
        await self._news.wait()

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._history.unsubscribe(self)
        self._news.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._closed:
            if not self._pending:
                self._pending.extend(self.take())
            if self._pending:
                return self._pending.popleft()
            await self.wait()
        raise StopAsyncIteration


def parse_version(text: str) -> int:
    """Read a resourceVersion; ApiError 400 when the server cannot have issued it."""
    if not text.isdecimal():
        raise ApiError(400, "BadRequest", f'invalid resource version "{text}"')
    return int(text)
