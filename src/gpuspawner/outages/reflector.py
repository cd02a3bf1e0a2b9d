"""KubeSpawner's reflector, made to last."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from contextvars import Context
from functools import cache
from typing import Any

import aiohttp
from kubespawner.reflector import ResourceReflector

from gpuspawner.capacity.backoff import Backoff, parse_retry_after
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.outages.failures import ClusterUnreachableError

OK = 200
FORBIDDEN = 403
RETRY_CAP = 60.0
"""The longest Retry-After that is honoured, in seconds."""

SHORTEST_WATCH = 1.0
"""A watch that ends before this many seconds has failed, whatever it said."""


class ListRefusedError(GPUSpawnerError):
    """A list was answered with another status than 200.

    Attributes:
        status: of the answer.
        retry_after: the seconds the answer asks to wait; 0 if it does not.
    """

    def __init__(self, status: int, retry_after: float) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after = retry_after


class LastingReflector(ResourceReflector):  # type: ignore[misc] # KubeSpawner has no types
    """A reflector that outlasts the API server.

    `start` returns at once and `wait_loaded` waits. Failures are retried after at most
    `longest_delay` seconds, at random, so that hubs do not come back all at once.
    """

    first_delay = 0.8
    longest_delay = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch_task: asyncio.Task[None] | None = None
        self.failure = ""
        self._answered = asyncio.Event()
        self._started_at = 0.0
        self._listed_at: float | None = None
        self._backoff = new_backoff(self.first_delay, self.longest_delay)

    async def start(self) -> None:
        """Begin to watch, in a task of its own that no caller can cancel."""
        if self.watch_task and not self.watch_task.done():
            raise RuntimeError(f"{self.kind} are already watched")
        self._started_at = asyncio.get_running_loop().time()
        self._begin()

    async def restart(self) -> None:
        """List anew. What was known stays known until the new list is there."""
        if self.watch_task:
            self.watch_task.cancel()
            await asyncio.wait([self.watch_task])
        if not self._stopping:
            self._begin()

    def _begin(self) -> None:
        # Not in the caller's context: its request would be kept for as long as this watches.
        self.watch_task = asyncio.create_task(self._watch_on(), context=Context())

    async def wait_loaded(self, within: float | None) -> None:
        """Wait for the first list, until `within` seconds after the start; None waits for ever.

        Raises:
            ClusterUnreachableError: it did not come.
        """
        if self.first_load_future.done():
            return
        deadline = None if within is None else self._started_at + within
        try:
            async with asyncio.timeout_at(deadline):
                # Shielded, since a caller that is cancelled would cancel the future itself.
                await asyncio.shield(self.first_load_future)
        except TimeoutError as error:
            raise ClusterUnreachableError(
                f"the {self.kind} were never listed: {self.failure or 'no answer yet'}"
            ) from error

    async def wait_answered(self, within: float) -> None:
        """Wait for the first list, or for a word that it is forbidden, as `wait_loaded` does.

        For what can be done without: there is no error if nothing came.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._started_at + within):
                await self._answered.wait()

    async def _watch_on(self) -> None:
        while not self._stopping:
            try:
                await self._watch_and_update()
            except Exception:
                self.log.exception("Watching %s: starting over", self.kind)
            if not self._stopping:
                await asyncio.sleep(self._backoff.next())

    async def _list_and_update(self, resource_version: str | None = None) -> str:
        """List until it succeeds; the version to watch from.

        The version "0", which KubeSpawner asks for at first and after failures, may bring back a
        past in which a pod that runs was not yet there. So that is read from etcd.
        """
        version = None if resource_version == "0" else resource_version
        if self._listed_at is not None and time.monotonic() - self._listed_at < SHORTEST_WATCH:
            await asyncio.sleep(self._backoff.next())
        while True:
            try:
                listed_version = await self._list(version)
            except (ListRefusedError, aiohttp.ClientError, OSError, LookupError) as error:
                await self._wait_after(error)
            except Exception as error:
                self.log.exception("Cannot list %s", self.kind)
                await self._wait_after(error)
            else:
                self._listed_at = time.monotonic()
                if self.failure:
                    self.log.info("The %s are listed again", self.kind)
                self.failure = ""
                if not self.first_load_future.done():
                    self.first_load_future.set_result(None)
                self._answered.set()
                return listed_version
            version = None

    async def _list(self, version: str | None) -> str:
        parameters: dict[str, Any] = {
            "label_selector": self.label_selector,
            "field_selector": self.field_selector,
            "_request_timeout": self.request_timeout,
            "_preload_content": False,
        }
        if not self.omit_namespace:
            parameters["namespace"] = self.namespace
        if version is not None:
            parameters |= {"resource_version": version, "resource_version_match": "NotOlderThan"}
        answer = await getattr(self.api, self.list_method_name)(**parameters)
        body = await answer.read()
        if answer.status != OK:
            asked = parse_retry_after(
                answer.headers.get("Retry-After"), date=answer.headers.get("Date")
            )
            raise ListRefusedError(answer.status, min(asked or 0.0, RETRY_CAP))
        listed = json.loads(body)
        listed_version: str = listed["metadata"]["resourceVersion"]
        self.resources = _by_key(listed["items"] or ())
        return listed_version

    async def _wait_after(self, failure: Exception) -> None:
        words = str(failure) if isinstance(failure, ListRefusedError) else type(failure).__name__
        delay = max(self._backoff.next(), getattr(failure, "retry_after", 0.0))
        is_forbidden = getattr(failure, "status", None) == FORBIDDEN
        if words != self.failure:
            self.log.warning(
                "Cannot list %s: %s; trying again until it works.%s",
                self.kind,
                words,
                self._missing_right if is_forbidden else "",
            )
        self.failure = words
        if is_forbidden:
            self._answered.set()
        await asyncio.sleep(delay)

    @property
    def _missing_right(self) -> str:
        place = "all namespaces" if self.omit_namespace else f"the namespace {self.namespace}"
        role = "ClusterRole" if self.omit_namespace else "Role"
        without = _WITHOUT.get(self.kind, "")
        return (
            f" The hub lacks a right: list,watch {self.kind} in {place}.{without} "
            f'Give its ServiceAccount a {role} with apiGroups [""], resources [{self.kind}], '
            "verbs [list, watch]."
        )


_WITHOUT = {
    "events": (
        " Starts go on, and tell less of what they wait for; to do without for good, set "
        "c.KubeSpawner.events_enabled = False."
    ),
    "pods": " No server can be started.",
}


@cache
def lasting(reflector_class: type[ResourceReflector]) -> type[LastingReflector]:
    """`reflector_class` made to last; it is configured under the same name."""
    name = f"Lasting{reflector_class.__name__}"
    return type(name, (LastingReflector, reflector_class), {})


def new_backoff(first: float, longest: float) -> Backoff:
    """Delays at random, in seconds, that grow from `first` to at most `longest`."""
    return Backoff(time.monotonic, random.random, initial=first, cap=longest)


def _by_key(items: Any) -> dict[str, Any]:
    """Objects by namespace and name, without those that have none."""
    keyed = {}
    for item in items:
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if isinstance(metadata, dict) and metadata.get("namespace") and metadata.get("name"):
            keyed[f"{metadata['namespace']}/{metadata['name']}"] = item
    return keyed
