"""Ends a start that cannot succeed, instead of letting it wait for its timeout."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from logging import Logger, LoggerAdapter
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from kubespawner.reflector import ResourceReflector

from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.starting.answering import AnsweringKubeSpawner
from gpuspawner.starting.hopeless import Hopeless, hopeless
from gpuspawner.starting.lost import DELETED, Ran, deleted, deletion, is_being_deleted, stopped

Json = Mapping[str, Any]
T = TypeVar("T")

_STATUS = {"never-fits": 422}
PERIOD = 0.5
"""Seconds between two looks at what the reflectors hold."""
SORTING_PERIOD = 1.0
"""Seconds for which events stay sorted by pod: a namespace may have tens of thousands."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known at one moment.

    Attributes:
        pod: of the start; None before there is one.
        events: of that pod.
        may_grow: whether a node may be on its way of which `events` say nothing.
        ran: of a pod that had come to run, how it did; None before.
        is_ours: whether the pod is to be there: the start has made it, and does not end it itself.
    """

    pod: Json | None = None
    events: Iterable[Json] = ()
    may_grow: bool = False
    ran: Ran | None = None
    is_ours: bool = True


Look = Callable[[], Sight]


class Persistence:
    """For how long the same has been wrong with the same pod."""

    def __init__(self) -> None:
        self._subject: tuple[str, str] | None = None
        self._since = 0.0

    def is_enough(self, uid: str, found: Hopeless | None, now: float) -> bool:
        """Whether `found` has stood for its `patience`; `now` is monotonic, in seconds."""
        subject = None if found is None else (uid, found.code)
        if subject != self._subject:
            self._subject, self._since = subject, now
        return found is not None and now - self._since >= found.patience


class _Watch:
    """What is known of a start's pod, and was known of it before it was deleted."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._uid = ""
        self._pod: Json | None = None
        self._before: Hopeless | None = None

    async def until_hopeless(self, period: float) -> Hopeless:
        """Why the start will not succeed, once that is certain."""
        persistence = Persistence()
        while True:
            found = self.look()
            if persistence.is_enough(self._uid, found, time.monotonic()) and found is not None:
                return found
            await asyncio.sleep(period)

    def look(self) -> Hopeless | None:
        """What speaks against the start at this moment."""
        seen = self._look()
        pod = seen.pod
        if pod is None or is_being_deleted(pod):
            last = pod or self._pod
            is_gone = seen.is_ours and (last is not None or seen.ran is not None)
            return (deletion(last) or self._before or deleted()) if is_gone else None
        self._pod, self._uid = pod, str(pod["metadata"].get("uid"))
        found = hopeless(pod, seen.events, may_grow=seen.may_grow)
        if found is None and seen.ran is not None:
            found = stopped(pod, seen.ran)
        self._before = found and replace(found, patience=0.0)
        return found


async def unless_hopeless(
    start: Coroutine[Any, Any, T],
    look: Look,
    log: Logger | LoggerAdapter[Any],
    *,
    period: float = PERIOD,
) -> T:
    """The result of `start`, which is cancelled as soon as it is hopeless.

    A start that ends by itself, well or not, is the stronger word, also if it is found hopeless in
    the same moment; unless all that it says is that the pod is gone. What the cluster said goes to
    `log`.

    Raises:
        SpawnRefusedError: it is hopeless; with words for the person.
    """
    watch = _Watch(look)
    starting = asyncio.create_task(start)
    watching = asyncio.create_task(watch.until_hopeless(period))
    try:
        await asyncio.wait((starting, watching), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done() and (failure := watching.exception()) is not None:
            log.error("Cannot tell whether a start is hopeless", exc_info=failure)
            await asyncio.wait((starting,))
        ended_by_itself = starting.done()
    finally:
        # Also if this is cancelled: neither may go on alone.
        starting.cancel()
        watching.cancel()
        await asyncio.gather(starting, watching, return_exceptions=True)
    found = None
    if not ended_by_itself and not _has_succeeded(starting):
        found = watching.result()
    elif getattr(_failure_of(starting), "code", "") == DELETED:
        found = watch.look()
    if found is None:
        return starting.result()
    log.warning("The start is hopeless (%s): %s", found.code, found.detail)
    status = _STATUS.get(found.code, 503)
    raise SpawnRefusedError(status, found.code, found.words) from _failure_of(starting)


def _has_succeeded(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None


def _failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


class FailingFastKubeSpawner(AnsweringKubeSpawner):
    """A KubeSpawner whose start ends when the pod cannot come to run, or is deleted.

    JupyterHub then stops the server, which deletes the pod, unless `poll` finds it ended: such a
    pod is deleted here. Of KubeSpawner 7.0 and 7.1 this leans on ``_start``,
    ``_make_create_pod_request``, ``stop``, ``pod_reflector``, ``event_reflector``,
    ``delete_stopped_pods``.

    Attributes:
        may_start_node: whether the start was let through because a node can be started for it;
            whoever lets it through sets it. It is then not ended for want of a node that fits.
    """

    may_start_node = False
    _is_pod_created = False
    _uid_before: str | None = None

    async def _start(self) -> Any:
        self._is_pod_created, self._uid_before = self.is_resumed, None
        try:
            return await unless_hopeless(super()._start(), self._look, self.log)
        except SpawnRefusedError:
            await self._delete_ended_pod()
            raise

    async def _make_create_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        before = ((self._known_pod or {}).get("metadata") or {}).get("uid")
        created: bool = await super()._make_create_pod_request(*args, **kwargs)
        self._is_pod_created, self._uid_before = created, before
        return created

    def clear_state(self) -> None:
        """Forget the last server, and whether it was to have a new node."""
        super().clear_state()
        self.may_start_node = False

    async def stop(self, *args: Any, **kwargs: Any) -> None:
        """KubeSpawner's; that the pod goes then says nothing of the start."""
        self._is_pod_created = False
        await super().stop(*args, **kwargs)

    @property
    def _known_pod(self) -> Json | None:
        pods = self.pod_reflector.pods if self.pod_reflector else {}
        pod: Json | None = pods.get(f"{self.namespace}/{self.pod_name}")
        return pod

    async def _delete_ended_pod(self) -> None:
        phase = ((self._look().pod or {}).get("status") or {}).get("phase")
        if phase not in ("Failed", "Succeeded") or not self.delete_stopped_pods:
            return
        try:
            await self.stop(now=True)
        except Exception:
            self.log.exception("The pod of %s, which has ended, is not deleted", self._log_name)

    def _look(self) -> Sight:
        """The pod that this start has made, and not the one before it that had its name."""
        pod = self._known_pod if self._is_pod_created else None
        uid = None if pod is None else pod["metadata"].get("uid")
        if pod is None or uid is None or uid == self._uid_before:
            return Sight(ran=self._ran, is_ours=self._is_pod_created)
        reflector = self.event_reflector
        # An earlier hub let a resumed start through, and why is not known any more.
        may_grow = self.may_start_node or self.is_resumed or not _is_up_to_date(reflector)
        events = events_of(reflector, uid) if reflector else ()
        return Sight(pod, events, may_grow=may_grow, ran=self._ran)


def _is_up_to_date(reflector: ResourceReflector | None) -> bool:
    """Whether it holds what the last list brought: events may be switched off, or forbidden."""
    if reflector is None or not reflector.first_load_future.done():
        return False
    return not getattr(reflector, "failure", "")


_sorted: WeakKeyDictionary[ResourceReflector, tuple[float, dict[str, list[Json]]]]
_sorted = WeakKeyDictionary()


def events_of(reflector: ResourceReflector, uid: str) -> list[Json]:
    """What `reflector` knows of the pod `uid`, or knew up to a second ago."""
    now = time.monotonic()
    sorted_at, by_uid = _sorted.get(reflector, (float("-inf"), {}))
    if now - sorted_at >= SORTING_PERIOD:
        by_uid = {}
        for event in reflector.resources.values():
            about = str((event.get("involvedObject") or {}).get("uid"))
            by_uid.setdefault(about, []).append(event)
        _sorted[reflector] = (now, by_uid)
    return by_uid.get(uid, [])
