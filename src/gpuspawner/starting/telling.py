"""KubeSpawner, made to tell what a start waits for, and to end it when it is cancelled.

Of KubeSpawner 7.0 and 7.1 this leans on ``_start``, ``_start_future``, ``pod_reflector``,
``event_reflector`` and ``_make_create_pod_request``; of JupyterHub 5.5 and 6.1 on
``_spawn_future``, ``_spawn_pending``, ``_stop_pending`` and on ``User.spawn``, which cleans up
after a `start` that raises an `Exception`, and not after one that is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, speaking
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.speaking import SpeakingKubeSpawner
from gpuspawner.starting.failing_fast import events_of
from gpuspawner.starting.measured import NOTHING_YET, Measured, Usual
from gpuspawner.starting.measuring import Ground, with_start
from gpuspawner.starting.stages import Stage, as_event, stage_of

PERIOD = 1.0
"""Seconds between two looks at what the reflectors hold."""

_CANCELLED = gettext_noop("The start was cancelled.")
_BEING_CANCELLED = gettext_noop("The start is being cancelled.")
_BEING_CLEANED_UP = gettext_noop("The server did not start. What was made for it is being removed.")


_measured: WeakKeyDictionary[asyncio.AbstractEventLoop, Measured] = WeakKeyDictionary()


def measured() -> Measured:
    """What the starts of this hub, which is the one of the running event loop, have told so far."""
    return _measured.get(asyncio.get_running_loop(), NOTHING_YET)


class TellingKubeSpawner(SpeakingKubeSpawner):
    """A KubeSpawner that tells of a start in words, for as long as the hub waits for it.

    Attributes:
        pool_to_grow: the title of the pool for which a start was let through because it can start a
            node; whoever lets it through sets it.
    """

    pool_to_grow = ""
    _starting: asyncio.Future[Any] | None = None
    _is_cancelled = False
    _uid_measured: str | None = None

    @property
    def stage(self) -> Stage:
        """Where the start under way is at this moment, in its language."""
        with speaking(self.language):
            return self._stage

    @property
    def _stage(self) -> Stage:
        """`stage`, from what is known without asking."""
        pod = self._pod_in_sight
        usual = Usual(measured(), self.pool_to_grow)
        stage = stage_of(pod, self._events_of(pod), datetime.now(UTC), usual)
        if self._is_cancelled:
            return Stage(stage.steps, _(_BEING_CANCELLED), stage.said)
        if self.is_cleaning_up:
            return Stage(stage.steps, _(_BEING_CLEANED_UP), stage.said)
        return stage

    @property
    def is_cleaning_up(self) -> bool:
        """Whether JupyterHub cleans up after a start that failed, before it says why it did."""
        future = self._spawn_future
        return bool(self._stop_pending and future is not None and not future.done())

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What JupyterHub's progress API sends: at once, and whenever there is news.

        Yields:
            ``progress``, ``message`` and ``html_message`` as JupyterHub has them; besides, for the
            page, ``steps`` (each with ``name``, ``title`` and ``standing``) and ``said``.
        """
        told: Stage | None = None
        percent = 0
        while True:
            is_over = self._is_start_over
            stage = self.stage
            if stage != told:
                told = stage
                percent = max(percent, stage.percent)
                yield {**self.as_event(stage), "progress": percent}
            if is_over:
                return
            await asyncio.sleep(PERIOD)

    def as_event(self, stage: Stage) -> dict[str, Any]:
        """A stage of the start as an event of JupyterHub's progress, in the start's language."""
        with speaking(self.language):
            return as_event(stage)

    def cancel_start(self) -> bool:
        """Let `start`, if it is under way or to come, fail with a refusal; JupyterHub cleans up.

        Returns:
            False if it has returned already, so that it is for the caller to stop the server.
        """
        if self._starting is not None and self._starting.done():
            return False
        self._is_cancelled = True
        if self._starting is not None:
            self._starting.cancel()
        return True

    def clear_state(self) -> None:
        """Forget the last server, that it was cancelled, and what was to grow for it."""
        super().clear_state()
        self._starting, self._is_cancelled, self.pool_to_grow = None, False, ""

    async def _start(self) -> Any:
        """KubeSpawner's start.

        Raises:
            SpawnRefusedError: it was cancelled by `cancel_start`; no pod of it is left that
                JupyterHub does not know to delete.
        """
        if self._is_cancelled:
            raise cancelled()
        self._starting = asyncio.ensure_future(self._start_and_measure())
        try:
            return await self._starting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_cancelled or (task is not None and task.cancelling()):
                raise
        # JupyterHub stops only what `poll` finds, and a pod that was just made is not yet seen.
        await self.stop()
        raise cancelled()

    async def _start_and_measure(self) -> Any:
        """KubeSpawner's start; what it told of nodes and images is kept, however it ends."""
        try:
            return await super()._start()
        finally:
            try:
                self._take_measures()
            except Exception:
                self.log.exception("What the start of %s took is not known", self._log_name)

    def _take_measures(self) -> None:
        pod = self._pod_in_sight
        uid = (pod or {}).get("metadata", {}).get("uid")
        if pod is None or uid == self._uid_measured:
            return
        self._uid_measured = uid
        # Afresh, since `events_of` may lack the last second, in which the image was pulled.
        events = [
            event
            for event in (self.event_reflector.resources.values() if self.event_reflector else ())
            if (event.get("involvedObject") or {}).get("uid") == uid
        ]
        name = (pod.get("spec") or {}).get("nodeName")
        ground = self._ground_of(name) if name else None
        is_promised = bool(self.pool_to_grow)
        known = with_start(measured(), pod, events, ground, is_node_promised=is_promised)
        _measured[asyncio.get_running_loop()] = known

    def _ground_of(self, node: str) -> Ground | None:
        """What is known of a node by its name; nothing, for one who does not look at nodes."""
        del node
        return None

    async def _make_create_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        """Create the pod; who is cancelled meanwhile knows that it is there, or will not be."""
        creating = asyncio.ensure_future(super()._make_create_pod_request(*args, **kwargs))
        try:
            created: bool = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait((creating,), timeout=self.k8s_api_request_timeout)
            creating.cancel()
            raise
        return created

    @property
    def _pod_in_sight(self) -> Mapping[str, Any] | None:
        pods = self.pod_reflector.pods if self.pod_reflector else {}
        pod: Mapping[str, Any] | None = pods.get(f"{self.namespace}/{self.pod_name}")
        return pod

    @property
    def _is_start_over(self) -> bool:
        under_way = self._start_future is not None and not self._start_future.done()
        return not self._spawn_pending and not under_way

    def _events_of(self, pod: Mapping[str, Any] | None) -> Iterable[Mapping[str, Any]]:
        uid = ((pod or {}).get("metadata") or {}).get("uid")
        reflector = self.event_reflector
        return events_of(reflector, uid) if uid and reflector else ()


def cancelled() -> SpawnRefusedError:
    """The refusal of a start that its person has cancelled."""
    return SpawnRefusedError(409, "cancelled", _(_CANCELLED))
