"""Watches: a resource's events as lines of JSON, seen through a client's selectors."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gpuspawner.simcluster.apimachinery.objects import Object, with_metadata
from gpuspawner.simcluster.apimachinery.resources import ResourceType
from gpuspawner.simcluster.apimachinery.selectors import Selector, make_selector
from gpuspawner.simcluster.apimachinery.status import ApiError, too_large
from gpuspawner.simcluster.apiserver.faults import Fault
from gpuspawner.simcluster.apiserver.listing import ANY_VERSION, options_error, read_number
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo
from gpuspawner.simcluster.apiserver.wire import LineStream, encode
from gpuspawner.simcluster.storage.history import Event, Subscription
from gpuspawner.simcluster.storage.store import Store, parse_version

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_MATCH = "resourceVersionMatch"


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Durations in seconds of the loop's clock.

    Args:
        bookmarks: between two bookmarks, for clients that allow them.
        timeout: how long a watch lasts when the client names no `timeoutSeconds`.
    """

    bookmarks: float = 60.0
    timeout: float = 2700.0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What a watch request asks for.

    Args:
        since: the version after which events are wanted; None is from now.
        initial: whether the objects that exist are sent first, as ADDED.
        mark_end: whether a bookmark tells where the initial objects end.
        bookmarks: whether bookmarks are sent at all.
        timeout: how long the watch lasts, in seconds.
        selects: which objects the client wants to see.
    """

    since: str | None
    initial: bool
    mark_end: bool
    bookmarks: bool
    timeout: float
    selects: Selector


def read_watch_options(
    store: Store, request: RequestInfo, resource: ResourceType, times: WatchTimes
) -> WatchOptions:
    """Read a watch request's options.

    Raises:
        ApiError: 400 and 422 for options that cannot be read or contradict each other, 504 when
            the initial objects are wanted at a version that lies in the future.
    """
    query = request.query
    version, match = query.get("resourceVersion", ""), query.get(_MATCH, "")
    streaming = "sendInitialEvents" in query
    if streaming and match != "NotOlderThan":
        message = f"sendInitialEvents requires setting {_MATCH} to NotOlderThan"
        raise options_error(_MATCH, message)
    if match and not streaming:
        message = f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided"
        raise options_error(_MATCH, message)
    initial = request.flag("sendInitialEvents") if streaming else version in ANY_VERSION
    revision = 0 if version in ANY_VERSION else parse_version(version)
    if streaming and initial and revision > store.revision:
        raise too_large(revision, store.revision)
    selects = make_selector(
        resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    namespace = request.namespace
    return WatchOptions(
        since=None if initial or version in ANY_VERSION else version,
        initial=initial,
        mark_end=streaming and initial,
        bookmarks=request.flag("allowWatchBookmarks"),
        timeout=read_number(query, "timeoutSeconds") or times.timeout,
        selects=lambda obj: (
            (not namespace or obj["metadata"].get("namespace") == namespace) and selects(obj)
        ),
    )


def seen(event: Event, selects: Selector) -> tuple[str, Object] | None:
    """Return an event as a client with a selector sees it: type and object, or None.

    An object that leaves the selection is DELETED, in its last selected state under the new
    version; one that enters it is ADDED.
    """
    now = event.type != "DELETED" and selects(event.object)
    before = event.previous is not None and selects(event.previous)
    if now:
        return ("MODIFIED" if before else "ADDED"), event.object
    if before and event.previous is not None:
        return "DELETED", with_metadata(event.previous, resourceVersion=event.resource_version)
    return None


class Watch:
    """One watch being answered.

    Args:
        store: where the objects are.
        resource: what is watched.
        options: what the client asked for.
        times: how often bookmarks are sent.
        render: turns an object into what the client accepts.
    """

    def __init__(
        self,
        store: Store,
        resource: ResourceType,
        options: WatchOptions,
        times: WatchTimes,
        render: Callable[[Object], Object],
    ) -> None:
        self._store = store
        self._resource = resource
        self._options = options
        self._times = times
        self._render = render

    async def answer(
        self, request: web.Request, fault: Fault | None, *, expired_as_status: bool
    ) -> web.StreamResponse:
        """Send events until the time is over or the history has run away.

        Raises:
            ApiError: 410 when the version is too old and `expired_as_status` is set; otherwise
                that is told by an ERROR event.
        """
        stream = LineStream(request, fault)
        try:
            subscription = self._store.subscribe(self._resource, since=self._options.since)
        except ApiError as error:
            if error.reason != "Expired" or expired_as_status:
                raise
            await stream.start()
            await stream.send_line(_line("ERROR", error.status()))
            return stream.response
        try:
            initial = self._initial_lines()
            await stream.start()
            for line in initial:
                await stream.send_line(line)
            await self._follow(stream, subscription)
        except ApiError as error:
            await stream.send_line(_line("ERROR", error.status()))
        finally:
            subscription.close()
        return stream.response

    def _initial_lines(self) -> list[bytes]:
        """Encode the present at once: it must not move between the snapshot and the events."""
        if not self._options.initial:
            return []
        objects = self._store.snapshot(self._resource).values()
        lines = [_line("ADDED", self._render(obj)) for obj in objects if self._options.selects(obj)]
        if self._options.mark_end and self._options.bookmarks:
            lines.append(self._bookmark(self._store.revision, {INITIAL_EVENTS_END: "true"}))
        return lines

    async def _follow(self, stream: LineStream, subscription: Subscription) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + self._options.timeout
        every = self._times.bookmarks if self._options.bookmarks else math.inf
        bookmark_due = clock() + every
        while clock() < end:
            for event in subscription.take():
                if change := seen(event, self._options.selects):
                    kind, obj = change
                    await stream.send_line(_line(kind, self._render(obj)))
            if clock() >= bookmark_due:
                await self._send_bookmark(stream, subscription)
                bookmark_due = clock() + every
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(end, bookmark_due)):
                    await subscription.wait()
        if self._options.bookmarks:
            await self._send_bookmark(stream, subscription)

    async def _send_bookmark(self, stream: LineStream, subscription: Subscription) -> None:
        """Send the newest version, unless events before it have not been sent yet."""
        revision = subscription.caught_up()
        if revision is not None:
            await stream.send_line(self._bookmark(revision))

    def _bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> bytes:
        meta: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        return _line("BOOKMARK", {**obj, "metadata": meta})


def _line(kind: str, obj: Object) -> bytes:
    return encode({"type": kind, "object": obj})
