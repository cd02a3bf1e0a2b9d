"""Faults to order: what a network, a proxy or a sick API server does to a client.

A fault is a value; a `FaultPlan` says which requests it hits and how often, and keeps a record of
every request so that a test can count them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo

_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with a Status object.

    Args:
        code: the HTTP status.
        reason: Kubernetes' machine-readable word.
        message: the words for people.
        retry_after: the Retry-After header as it is sent: seconds, an HTTP date or garbage.
    """

    code: int
    reason: str = "InternalError"
    message: str = "the server was told to fail"
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with bytes that need not be JSON, such as a proxy's error page."""

    body: bytes
    code: int = 502
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait for so many seconds of the loop's clock, then answer as usual."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection before the headers."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing, not even headers, until the client gives up or the server stops."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Send headers and some lines, then nothing more, and keep the connection open.

    Args:
        lines: how many lines of a watch are sent first; of any other answer half is sent.
    """

    lines: int = 0


@dataclass(frozen=True, slots=True)
class CutOff:
    """Break the connection in the middle of a line.

    Args:
        lines: how many lines of a watch are sent in full first.
    """

    lines: int = 0


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send the body in small pieces with pauses between them.

    Args:
        size: bytes in a piece.
        seconds: the pause, in seconds of the loop's clock.
    """

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RawLine:
    """Put a line of one's own into a watch.

    Args:
        line: the bytes; a line feed is added.
        after: how many lines are sent before it.
    """

    line: bytes
    after: int = 0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace each line of a watch by any number of lines: drop, repeat, reorder, corrupt.

    Args:
        edit: given a line without its line feed, returns the lines to send instead of it.
    """

    edit: Callable[[bytes], Iterable[bytes]]


BeforeHeaders: TypeAlias = Refuse | Answer | Delay | Drop | Hang
InBody: TypeAlias = HalfOpen | CutOff | Trickle | RawLine | Rewrite
Fault: TypeAlias = BeforeHeaders | InBody


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request that arrived.

    Args:
        verb: Kubernetes' verb, such as `watch`.
        path: the URL's path.
        query: the URL's parameters.
        at: when, in seconds of the loop's clock.
    """

    verb: str
    path: str
    query: Mapping[str, str]
    at: float = field(default=0.0, compare=False)


@dataclass(slots=True, eq=False)
class Injection:
    """A fault in a plan; `remaining` is how often it still applies, None for always."""

    fault: Fault
    verb: str
    resource: str
    path: str
    remaining: int | None

    def hits(self, request: RequestInfo) -> bool:
        """Say whether the fault applies to a request."""
        return (
            self.remaining != 0
            and fnmatchcase(request.verb, self.verb)
            and fnmatchcase(request.resource_path, self.resource)
            and fnmatchcase(request.path, self.path)
        )


class FaultPlan:
    """Which requests fail and how; it may be changed while the server runs.

    Attributes:
        requests: the newest requests that arrived, whether they failed or not.
        expired_watch_as_status: whether a watch from a compacted version is answered with the
            HTTP status 410 instead of an ERROR event; real servers do either.
    """

    def __init__(self) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=_RECORDS)
        self.expired_watch_as_status = False
        self._injections: list[Injection] = []
        self._running: dict[asyncio.Task[object], RequestInfo] = {}

    def add(
        self,
        fault: Fault,
        *,
        verb: str = "*",
        resource: str = "*",
        path: str = "*",
        times: int | None = 1,
    ) -> Injection:
        """Make requests fail; of several faults that match, the oldest one applies.

        Args:
            fault: what happens.
            verb: a pattern of Kubernetes' verbs, such as `list` or `*`.
            resource: a pattern of resources, such as `pods` or `pods/status`.
            path: a pattern of URL paths.
            times: to how many requests it happens; None is every one until `remove`.
        """
        injection = Injection(fault, verb, resource, path, times)
        self._injections.append(injection)
        return injection

    def remove(self, injection: Injection) -> None:
        """Take one fault out of the plan; harmless when it is not in it."""
        self._injections = [item for item in self._injections if item is not injection]

    def clear(self) -> None:
        """Take every fault out of the plan; requests that already hang stay so."""
        self._injections.clear()

    def claim(self, request: RequestInfo) -> Fault | None:
        """Return the fault that hits a request, and count it as used."""
        for injection in self._injections:
            if injection.hits(request):
                if injection.remaining is not None:
                    injection.remaining -= 1
                return injection.fault
        return None

    def sever(self, *, verb: str = "*", resource: str = "*") -> int:
        """Break the connections of requests that are being answered; returns how many."""
        hit = [
            task
            for task, request in self._running.items()
            if fnmatchcase(request.verb, verb) and fnmatchcase(request.resource_path, resource)
        ]
        for task in hit:
            task.cancel()
        return len(hit)

    @property
    def running(self) -> tuple[RequestInfo, ...]:
        """The requests that are being answered now, watches and hanging ones among them."""
        return tuple(self._running.values())

    def count(self, verb: str = "*", path: str = "*") -> int:
        """Return how many requests of a verb and a path pattern arrived."""
        return sum(
            fnmatchcase(item.verb, verb) and fnmatchcase(item.path, path) for item in self.requests
        )

    @contextmanager
    def recording(self, request: RequestInfo) -> Iterator[None]:
        """Record a request, and let `sever` reach the current task while it is answered."""
        now = asyncio.get_running_loop().time()
        self.requests.append(RequestRecord(request.verb, request.path, request.query, now))
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - a request is always answered by a task
            raise RuntimeError("requests are answered inside asyncio tasks")
        self._running[task] = request
        try:
            yield
        finally:
            del self._running[task]
