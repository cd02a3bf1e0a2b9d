"""KubeSpawner through an outage of the API server: the hub stays up, and no server is forgotten.

KubeSpawner's reflector stops for good after about a minute of failures (and then ends the hub, if
user namespaces are enabled), lists again without a pause when only its watch is refused, and one
whose first list failed stays in place without any pod, which `poll` takes for "all have stopped".
Here a reflector never gives up, keeps what it knew until it knows better, and what it never knew
is not taken for an absence.

Names of KubeSpawner 7.0 and 7.1 that this leans on:

- `ResourceReflector`: ``_list_and_update``, ``_watch_and_update``, ``_stopping``, ``start``,
  ``first_load_future``, ``watch_task``, ``resources``, ``api``, ``list_method_name``,
  ``omit_namespace``, ``namespace``, ``label_selector``, ``field_selector``, ``request_timeout``;
- `KubeSpawner`: ``_start_reflector``, ``_get_reflector_key``, ``reflectors``, ``pod_reflector``,
  ``_make_delete_pod_request``, ``poll``, ``k8s_api_request_timeout``.

Of JupyterHub's spawner: ``_stop_pending`` and ``_spawn_future``; of its application the name of
``shutdown_cancel_tasks``, since nothing else tells that the hub is ending.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from functools import cache
from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiException
from kubespawner import KubeSpawner
from kubespawner.reflector import ResourceReflector

from gpuspawner.capacity.backoff import Backoff, parse_retry_after
from gpuspawner.errors import GPUSpawnerError

OK = 200
RETRY_CAP = 60.0
"""The longest Retry-After that is honoured, in seconds."""

SHORTEST_WATCH = 1.0
"""A watch that ends before this many seconds has failed, whatever it said."""

SHUTDOWN_PATIENCE = 60.0
"""Seconds that a hub which is ending waits for an API server to take the end of a server.

Longer than kubelet's default: a hub that is killed meanwhile still knows its servers afterwards,
and one whose stops fail does not.
"""

_INTERNAL_ERROR = 500
_PASSING = frozenset({401, 408, 429, 500, 502, 503, 504})
"""Answers that say nothing about the request; 401 comes while a token is being replaced."""


class ClusterUnreachableError(GPUSpawnerError):
    """The API server has not yet said what there is."""


class ListRefusedError(GPUSpawnerError):
    """A list was answered with another status than 200.

    Attributes:
        retry_after: the seconds the answer asks to wait; 0 if it does not.
    """

    def __init__(self, status: int, retry_after: float) -> None:
        super().__init__(f"HTTP {status}")
        self.retry_after = retry_after


def is_unreachable(error: BaseException) -> bool:
    """Whether `error` says that the API server is away, rather than what it thinks of a request.

    A 500 in its own words is an answer: so it says that an admission webhook has failed.
    """
    return _is_passing(error) and not (
        isinstance(error, ApiException)
        and error.status == _INTERNAL_ERROR
        and _is_status(error.body)
    )


def _is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ApiException):
        return error.status in _PASSING
    return isinstance(error, ClusterUnreachableError | aiohttp.ClientError | ConnectionError)


def _is_status(body: str | bytes | None) -> bool:
    try:
        status = json.loads(body or b"")
    except ValueError:
        return False
    return isinstance(status, dict) and status.get("kind") == "Status"


def _is_shutting_down() -> bool:
    coroutines = (task.get_coro() for task in asyncio.all_tasks())
    return any(getattr(each, "__name__", "") == "shutdown_cancel_tasks" for each in coroutines)


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
        self._started_at = 0.0
        self._listed_at: float | None = None
        self._backoff = _backoff(self.first_delay, self.longest_delay)

    async def start(self) -> None:
        """Begin to watch, in a task of its own that no caller can cancel."""
        if self.watch_task and not self.watch_task.done():
            raise RuntimeError(f"{self.kind} are already watched")
        self._started_at = asyncio.get_running_loop().time()
        self.watch_task = asyncio.create_task(self._watch_on())

    async def restart(self) -> None:
        """List anew. What was known stays known until the new list is there."""
        if self.watch_task:
            self.watch_task.cancel()
            await asyncio.wait([self.watch_task])
        if not self._stopping:
            self.watch_task = asyncio.create_task(self._watch_on())

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
        if words != self.failure:
            self.log.warning("Cannot list %s: %s; trying again until it works", self.kind, words)
        self.failure = words
        await asyncio.sleep(delay)


@cache
def lasting(reflector_class: type[ResourceReflector]) -> type[LastingReflector]:
    """`reflector_class` made to last; it is configured under the same name."""
    name = f"Lasting{reflector_class.__name__}"
    return type(name, (LastingReflector, reflector_class), {})


class LastingKubeSpawner(KubeSpawner):  # type: ignore[misc] # KubeSpawner has no types
    """A KubeSpawner that takes no server for stopped because the API server is away."""

    async def poll(self) -> int | None:
        """As KubeSpawner's; None, which is "still running", while that cannot be known."""
        try:
            status: int | None = await super().poll()
        except Exception as error:
            if not is_unreachable(error):
                raise
            self.log.warning("Whether %s still runs is not known: %r", self._log_name, error)
            return None
        return status

    async def _start_reflector(
        self,
        kind: str,
        reflector_class: Any,
        replace: bool = False,  # noqa: FBT001, FBT002 - KubeSpawner's signature
        **kwargs: Any,
    ) -> ResourceReflector:
        """The reflector that all spawners share, once it knows something.

        Raises:
            ClusterUnreachableError: it still does not, `k8s_api_request_timeout` seconds after
                its start. A stop that the hub asked for waits for as long as it takes, or for
                `SHUTDOWN_PATIENCE` if the hub is ending.
        """
        patience: float | None = self.k8s_api_request_timeout
        if self._is_stop_of_the_hubs:
            patience = SHUTDOWN_PATIENCE if _is_shutting_down() else None
        key = self._get_reflector_key(kind)
        reflector = self.reflectors.get(key)
        if reflector is None:
            reflector = lasting(reflector_class)(parent=self, namespace=self.namespace, **kwargs)
            self.reflectors[key] = reflector
            await reflector.start()
        elif replace:
            await reflector.restart()
            return reflector
        await reflector.wait_loaded(patience)
        return reflector

    async def _make_delete_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        """Delete the pod.

        The hub forgets a server whose stop fails, and its pod would hold its GPU unseen: such a
        stop goes on until the API server takes it.

        Raises:
            ClusterUnreachableError: the hub is ending, and the API server has not taken it within
                `SHUTDOWN_PATIENCE`.
        """
        deadline: float | None = None
        backoff = _backoff(LastingReflector.first_delay, LastingReflector.longest_delay)
        while True:
            deleted = False
            try:
                deleted = await super()._make_delete_pod_request(*args, **kwargs)
            except Exception as error:
                if not (self._is_stop_of_the_hubs and _is_passing(error)):
                    raise
                self.log.warning("Stopping %s has to wait: %r", self._log_name, error)
            if deleted or not self._is_stop_of_the_hubs:
                return deleted
            delay = backoff.next()
            if _is_shutting_down():
                deadline = deadline or time.monotonic() + SHUTDOWN_PATIENCE
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ClusterUnreachableError(
                        f"pod {self.namespace}/{self.pod_name} could not be deleted before the "
                        "hub ended: if it still runs, delete it by hand"
                    )
                delay = min(delay, left)
            await asyncio.sleep(delay)

    @property
    def _is_stop_of_the_hubs(self) -> bool:
        """Whether the hub stops this server for good, and not to clean up after a failed start."""
        starting = self._spawn_future is not None and not self._spawn_future.done()
        return bool(self._stop_pending and not starting)

    @property
    def _is_cluster_away(self) -> bool:
        """Whether the last list of pods failed."""
        reflector = self.pod_reflector
        return bool(reflector and getattr(reflector, "failure", ""))


def _backoff(first: float, longest: float) -> Backoff:
    return Backoff(time.monotonic, random.random, initial=first, cap=longest)


def _by_key(items: Any) -> dict[str, Any]:
    """Objects by namespace and name, without those that have none."""
    keyed = {}
    for item in items:
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if isinstance(metadata, dict) and metadata.get("namespace") and metadata.get("name"):
            keyed[f"{metadata['namespace']}/{metadata['name']}"] = item
    return keyed
