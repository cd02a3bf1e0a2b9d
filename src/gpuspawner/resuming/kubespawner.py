"""KubeSpawner, made to go on with a start that an earlier hub began."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlparse

from kubespawner import KubeSpawner

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, speaking
from gpuspawner.outages import ClusterUnreachableError
from gpuspawner.refusals import SEE_THE_LOG, SpawnRefusedError
from gpuspawner.resuming import traces
from gpuspawner.speaking import SpeakingKubeSpawner

LOOK_AGAIN = 0.5
"""Seconds between two looks at a pod that another task keeps up to date."""

STATE_KEY = "gpuspawner"
_WAITED = "waited"
_TIMEOUTS = ("start_timeout", "http_timeout")
_NOT_RUNNING = 1
_EVENT = "https://schema.jupyter.org/jupyterhub/events/server-action"
_GONE = gettext_noop("The server is no longer in the cluster. Start it again.")
_NOT_READY = gettext_noop("The server was not ready within {seconds} s. Start it again.")
_NO_ROUTE = gettext_noop("The server started, and the hub cannot make it reachable.")
_NO_ANSWER = gettext_noop(
    "The server started, and did not answer within {seconds} s. Start it again."
)


class ResumingKubeSpawner(SpeakingKubeSpawner):
    """A KubeSpawner whose pods keep their place in the queue through a restart of the hub.

    Attributes:
        is_resumed: whether the start under way is one that an earlier hub began: its pod is there
            already, no profile is applied to this spawner, and nothing is judged again.
        seconds_waited: how long the start under way waited before it could create its pod.
    """

    is_resumed = False
    seconds_waited = 0.0

    @property
    def server(self) -> Any:
        """JupyterHub's; None while a hub that begins looks at a start that is under way.

        It would stop a server that is there and does not answer yet.
        """
        if self._check_pending and self._spawn_pending:
            return None
        return super().server

    @server.setter
    def server(self, server: Any) -> None:
        KubeSpawner.server.fset(self, server)

    async def poll(self) -> int | None:
        """As KubeSpawner's; the first one after a restart goes on with a start that was cut off."""
        if not self._was_cut_off:
            status: int | None = await super().poll()
            return status
        if await self._may_have_pod():
            self._go_on()
        return _NOT_RUNNING

    def seconds_left(self, seconds: float) -> float:
        """What is left of `seconds` that the start under way had when it began.

        They count from when the hub called `start`, whichever hub that was, less what it waited
        before it created the pod.
        """
        began = self.orm_spawner.started
        if not self.is_resumed or began is None:
            return seconds
        seconds += self._saved.get(_WAITED, 0.0)
        return traces.seconds_left(seconds, began.replace(tzinfo=UTC), datetime.now(UTC))

    async def _make_create_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        """Create the pod, once the database knows its name and how long the person would wait."""
        saved: dict[str, Any] = {name: getattr(self, name) for name in _TIMEOUTS}
        saved[_WAITED] = self.seconds_waited
        self.orm_spawner.state = {**self.get_state(), STATE_KEY: saved}
        self.user.db.commit()
        created: bool = await super()._make_create_pod_request(*args, **kwargs)
        return created

    async def _start(self) -> Any:
        """Create a pod and wait until it runs, or wait for the one that an earlier hub created.

        The latter has no time limit of its own, see `seconds_left`, and does not ask whether the
        pod can still come to run.
        """
        if not self.is_resumed:
            return await super()._start()
        pod = await self._created_pod()
        if port := traces.port(pod):
            self.port = port
        # `User.stop` revokes it, and the database has it only as a hash.
        self.api_token = traces.api_token(pod)
        await self._skip_events_of_others(pod)
        while not self.is_pod_running(pod):
            await asyncio.sleep(LOOK_AGAIN)
            pod = await self._created_pod()
        return self._get_pod_url(pod)

    @property
    def _saved(self) -> dict[str, Any]:
        """What a hub before this one kept of the start under way."""
        saved: dict[str, Any] = (self.orm_spawner.state or {}).get(STATE_KEY) or {}
        return saved

    @property
    def _was_cut_off(self) -> bool:
        """Whether a hub that begins looks at a server whose `start` never returned."""
        if not self._check_pending or self.pending != "check":
            return False
        server = self.orm_spawner.server
        return server is not None and not server.ip

    async def _may_have_pod(self) -> bool:
        try:
            await self._start_watching_pods()
        except ClusterUnreachableError:
            return True
        return traces.is_there(self._pod)

    @property
    def _pod(self) -> dict[str, Any] | None:
        known: dict[str, dict[str, Any]] = self.pod_reflector.pods if self.pod_reflector else {}
        return known.get(f"{self.namespace}/{self.pod_name}")

    async def _created_pod(self) -> dict[str, Any]:
        while True:
            try:
                await self._start_watching_pods()
                break
            except ClusterUnreachableError:
                await asyncio.sleep(LOOK_AGAIN)
        pod = self._pod
        if pod is None or not traces.is_there(pod):
            raise SpawnRefusedError(503, "deleted", _(_GONE))
        return pod

    async def _skip_events_of_others(self, pod: dict[str, Any]) -> None:
        if not self.events_enabled:
            return
        await self._start_watching_events()
        self._last_event = traces.last_of_others(self.events, pod)

    def _go_on(self) -> None:
        """Go on in a task, with all that JupyterHub keeps of a start under way."""
        self.log.info("Going on with the start of %s", self._log_name)
        for name, value in self._saved.items():
            if name in _TIMEOUTS:
                setattr(self, name, value)
        self.is_resumed = self._start_pending = True
        self._begin_again(self._complete())

    def _begin_again(self, start: Coroutine[Any, Any, None]) -> None:
        """Have `start` run as JupyterHub would have a start that it began itself."""
        self._spawn_pending = True
        with speaking(self.language):
            completion = asyncio.create_task(start)
        completion.add_done_callback(self._completed)
        self._spawn_future: asyncio.Task[None] | None = completion

    def _completed(self, completion: asyncio.Task[None]) -> None:
        """As JupyterHub does: an error stays, for the page that tells of it."""
        self.is_resumed = self._spawn_pending = self._start_pending = False
        if completion.cancelled() or completion.exception() is None:
            self._spawn_future = None

    async def _complete(self) -> None:
        """What ``User.spawn`` and the handler that called it would have done from `start` on."""
        try:
            self._keep_url(await self.start())
        except Exception as error:
            self.log.error("The start of %s failed: %r", self._log_name, error)  # noqa: TRY400 - JupyterHub shows it
            words = _(_NOT_READY).format(seconds=f"{self.start_timeout:.0f}")
            await self._give_up()
            raise _in_words(error, words) from error
        self.start_polling()
        self._waiting_for_response = True
        try:
            await self.user._wait_up(self)  # which gives up by itself
        except TimeoutError as error:
            words = _(_NO_ANSWER).format(seconds=f"{self.http_timeout:.0f}")
            raise _in_words(error, words) from error
        await self._make_reachable()

    async def _make_reachable(self) -> None:
        """What the handler that called ``User.spawn`` would do once the server answers."""
        user, settings = self.user, self.user.settings
        # The proxy takes routes when the hub has begun, and not before.
        await asyncio.shield(settings["app"]._start_future)
        self._proxy_pending = True
        try:
            await settings["proxy"].add_user(user, self.name)
        except Exception as error:
            self.log.exception("%s cannot be added to the proxy", self._log_name)
            await self._give_up()
            words = f"{_(_NO_ROUTE)} {_(SEE_THE_LOG)}"
            raise SpawnRefusedError(503, "unreachable", words) from error
        finally:
            self._proxy_pending = False
        self.add_poll_callback(self._stopped)
        names = {"username": user.name, "servername": self.name}
        settings["eventlog"].emit(schema_id=_EVENT, data={"action": "start", **names})

    def _keep_url(self, url: str) -> None:
        parts = urlparse(url)
        self.server.proto = parts.scheme
        self.server.ip = parts.hostname
        self.server.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()

    async def _give_up(self) -> None:
        try:
            await self.user.stop(self.name)
        except Exception:
            self.log.exception("Cannot clean up after %s, which failed to start", self._log_name)

    async def _stopped(self) -> None:
        """As a hub does that finds a server ended."""
        self.log.warning("%s ended by itself", self._log_name)
        await self.user.settings["proxy"].delete_user(self.user, self.name)
        await self.user.stop(self.name)


def _in_words(error: Exception, words: str) -> Exception:
    """`error`, or a refusal that says it in `words` if it is a mere time-out."""
    return SpawnRefusedError(503, "timeout", words) if isinstance(error, TimeoutError) else error
