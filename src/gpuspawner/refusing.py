"""KubeSpawner, made to refuse in words what it cannot start, without a fault of the hub.

Of JupyterHub 5.5 and 6.1 this leans on ``User.spawn``, which writes the options of a start to the
database before anybody has judged them, and reads them from there for a start that names none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from kubernetes_asyncio.client import ApiException

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.outages import is_unreachable
from gpuspawner.refusals import (
    NOT_ALLOWED,
    SIGN_IN_ENDED,
    SIGN_IN_UNANSWERED,
    SpawnRefusedError,
    keep_out_of_failure_count,
    refusal_of,
)
from gpuspawner.unscheduled import why_unscheduled
from gpuspawner.waiting import WaitingKubeSpawner

_UNREACHABLE = gettext_noop(
    "The cluster does not answer at the moment, so no server can be started. "
    "Servers that run go on. Try again in a minute."
)
_OF_SIGN_IN = frozenset({SIGN_IN_ENDED, SIGN_IN_UNANSWERED})
_WITHOUT_TITLE = frozenset({NOT_ALLOWED, "cancelled"}) | _OF_SIGN_IN
"""What is closed to people has no title for them, and who cancels a start knows which."""
_NOTHING_ELSE = _WITHOUT_TITLE | {"nothing-allowed", "no-catalog", "unreachable"}
"""They say themselves what to do, or nothing else could be started either."""
_A_MOMENT = 1.0
"""Seconds in which to find what else there is to start."""


class RefusingKubeSpawner(WaitingKubeSpawner):
    """A KubeSpawner whose failed starts say why, and what can be started instead."""

    user_options: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._start_limit: asyncio.Timeout | None = None
        super().__init__(*args, **kwargs)
        kept = self.orm_spawner.user_options if self.orm_spawner is not None else None
        self._options_that_started: dict[str, Any] = kept or {}

    @property
    def profile_title(self) -> str:
        """What the profile that was asked for is called; empty if that cannot be told."""
        return ""

    async def way_out(self) -> str:
        """What can be started instead, in a sentence; empty if that cannot be told."""
        return ""

    async def _start(self) -> Any:
        """KubeSpawner's start; a refusal, a quota or a full cluster is not a failure of the hub."""
        try:
            url = await self._start_or_refuse()
        except SpawnRefusedError as refused:
            refusal = await self._in_full(refused)
            self.log.info(
                "Refused %s a server (%s): %s",
                self._log_name,
                refusal.code,
                refusal.jupyterhub_message,
            )
            keep_out_of_failure_count(self)
            self._put_options_back(refusal)
            if isinstance(self.request_handler, APIHandler):
                refusal = refusal.with_code()
            raise refusal from refused.__cause__
        self._options_that_started = self.user_options
        self._links = None  # whoever asked for it has their answer
        return url

    async def _in_full(self, refused: SpawnRefusedError) -> SpawnRefusedError:
        refusal = refused
        if refused.code not in _WITHOUT_TITLE:
            refusal = refusal.about(self.profile_title)
        if refused.code in _NOTHING_ELSE or refused.leads_on:
            return refusal
        try:
            async with asyncio.timeout(_A_MOMENT):
                return refusal.leading_on(await self.way_out())
        except (SpawnRefusedError, TimeoutError):
            return refusal

    def _put_options_back(self, refusal: SpawnRefusedError) -> None:
        """A start that names no options is like the last that started, not like a refused one."""
        options = self._options_that_started
        if refusal.code == NOT_ALLOWED and self.user_options == options:
            options = {}
        self.user_options = self.orm_spawner.user_options = options
        self.user.db.commit()

    async def _start_or_refuse(self) -> Any:
        # A little before the hub's own timeout, while there still is a pod to ask for the reason.
        patience = self.start_timeout - min(5, self.start_timeout / 10)
        try:
            async with asyncio.timeout(self.seconds_left(patience)) as limit:
                self._start_limit = limit
                return await super()._start()
        except TimeoutError as error:
            why = self._why_unscheduled() if limit.expired() else ""
            if why:
                words = _("No place was found for the server within {seconds} s: {why}")
                words = words.format(seconds=f"{patience:.0f}", why=why)
                raise SpawnRefusedError(503, "busy", words) from error
            # KubeSpawner's own timeouts are for requests that nobody answered.
            if limit.expired() and not self._is_cluster_away:
                raise
            raise SpawnRefusedError(503, "unreachable", _(_UNREACHABLE)) from error
        except Exception as error:
            refusal = refusal_of(error) if isinstance(error, ApiException) else None
            if is_unreachable(error):
                refusal = SpawnRefusedError(503, "unreachable", _(_UNREACHABLE))
            if refusal is None:
                raise
            self.log.error("The cluster did not accept %s's server: %s", self._log_name, error)  # noqa: TRY400 - the answer says it all
            raise refusal from error

    @contextmanager
    def _unlimited(self) -> Iterator[None]:
        """The time that a start has stands still meanwhile."""
        limit, loop = self._start_limit, asyncio.get_running_loop()
        ends = limit.when() if limit is not None else None
        if limit is None or ends is None:
            yield
            return
        left = ends - loop.time()
        limit.reschedule(None)
        try:
            yield
        finally:
            limit.reschedule(loop.time() + left)

    def _why_unscheduled(self) -> str:
        """What was said of the pod of this start; empty once it has a node."""
        pods = self.pod_reflector.pods if self.pod_reflector else {}
        pod = pods.get(f"{self.namespace}/{self.pod_name}") or {}
        return why_unscheduled(pod, self.events if self.events_enabled else ())
