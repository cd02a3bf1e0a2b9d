"""KubeSpawner, made to wait in line until there is room, where a profile lets it.

The hub is told so by ``start_timeout``, which JupyterHub reads as soon as `start` has returned.
Nothing is created meanwhile: the place is a line in this hub, and its time in the database, from
which the next hub goes on.

Of JupyterHub 5.5 and 6.1 this leans on what `gpuspawner.resuming` does, and on ``User.spawn``,
which is begun afresh after a restart since no pod has the token of the first try.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from traitlets import Integer

from gpuspawner import wording
from gpuspawner.database import kind_of
from gpuspawner.in_line import Place, PlaceInLine, Wait
from gpuspawner.language import as_sentence
from gpuspawner.language import gettext as _
from gpuspawner.line import LineFullError
from gpuspawner.metrics import counts
from gpuspawner.offers import Offer
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.resuming.kubespawner import LOOK_AGAIN, STATE_KEY
from gpuspawner.starting.failing_fast import FailingFastKubeSpawner
from gpuspawner.starting.stages import Stage
from gpuspawner.starting.telling import TellingKubeSpawner, cancelled

_SINCE = "waiting_since"
_NOT_RUNNING = 1
PERIOD = 15.0
"""Seconds between two looks at a line and a cluster of which nothing is heard."""
_MINUTE = 60.0


class WaitingKubeSpawner(TellingKubeSpawner, FailingFastKubeSpawner):
    """A KubeSpawner whose start may wait in line."""

    most_waiting = Integer(
        50,
        min=0,
        config=True,
        help="""How many servers may wait in line for room at a time.

        Each counts as a start under way: keep it well below JupyterHub.concurrent_spawn_limit
        (100 unless configured), or nobody can start anything while they wait.
        """,
    )

    _told: Callable[[], str] | None = None
    _wait: Wait | None = None
    _waits_since: float | None = None
    _announced: PlaceInLine | None = None
    _asked_at = 0.0

    @property
    def longest_wait(self) -> float:
        """Seconds for which the server that is asked for may wait in line."""
        return 0.0

    def place_in_line(self) -> PlaceInLine:
        """The place of this server's pod; to be given by a subclass."""
        raise NotImplementedError

    @property
    def _stage(self) -> Stage:
        """Where the start under way is; of one that waits in line, the place."""
        stage = super()._stage
        if self._told is None or self._is_cancelled:
            return stage
        return replace(stage, sentence=self._told())

    @property
    def is_in_line(self) -> bool:
        """Whether the start under way waits in line at this moment."""
        return self._told is not None and not self._is_cancelled

    @property
    def wait(self) -> Wait | None:
        """Since when the start under way waits in line, and where; None if it does not."""
        return self._wait if self.is_in_line else None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """As `TellingKubeSpawner`'s, with ``is_in_line`` for the page."""
        async for event in super().progress():
            yield {**event, "is_in_line": self.is_in_line}

    def start(self) -> Any:
        """KubeSpawner's; it has time to wait in line, which JupyterHub is told by a time-out.

        JupyterHub reads ``start_timeout`` as soon as this has returned.
        """
        self._asked_at = time.time()
        own = self.start_timeout
        # Before the start itself, for which the time-out is as it was configured.
        asyncio.get_running_loop().call_soon(self.set_trait, "start_timeout", own)
        self.set_trait("start_timeout", own + round(self.longest_wait))
        return super().start()

    async def poll(self) -> int | None:
        """As KubeSpawner's; the first one after a restart has a server wait again that waited."""
        since = self._saved_since if self._was_cut_off else None
        if since is None:
            status: int | None = await super().poll()
            return status
        self.log.info("%s waits in line again", self._log_name)
        self._waits_since, self._announced = since, self.place_in_line()
        self._announced.announce(since)
        self._begin_again(self._start_again(self._announced))
        return _NOT_RUNNING

    async def wait_in_line(self, offer: Offer, again: Callable[[], Awaitable[Offer]]) -> Offer:
        """Wait until a profile can be started, or cannot be waited for any more.

        Args:
            offer: of a profile that has no room now.
            again: tries once more; what it gives ends the waiting unless one can go on waiting.

        Returns:
            What `again` gave last.

        Raises:
            SpawnRefusedError: too many wait already, or it took too long.
        """
        place, began = self.place_in_line(), time.time()
        since = self._asked_at if self._waits_since is None else self._waits_since
        until = since + offer.profile.longest_wait
        self._take(place, offer, since)
        try:
            while offer.can_wait or not offer.freshness.is_live:
                here = await place.look(offer)
                self._wait = Wait(since, here.number if here.is_live else None)
                self._tell(here, offer, until)
                if time.time() >= until:
                    raise _waited_long(offer)
                await place.news(min(PERIOD, max(0.0, until - time.time())))
                if place.is_live:
                    offer = await self._tried(again) or offer
        finally:
            self._told = self._wait = self._waits_since = None
            self.seconds_waited = time.time() - began
            counts().waited(offer.profile, time.time() - since)
        return offer

    async def _tried(self, again: Callable[[], Awaitable[Offer]]) -> Offer | None:
        """What `again` gives; None as long as the hub's database does not say who somebody is."""
        try:
            return await again()
        except SQLAlchemyError as error:
            # As JupyterHub does at the next request; names are not known either until then.
            self.user.db.rollback()
            words = "%s goes on waiting: the hub's database does not answer: %s"
            self.log.warning(words, self.pod_name, kind_of(error))
            return None

    def clear_state(self) -> None:
        """Forget the last server, and that it waited."""
        super().clear_state()
        self._told = self._wait = None
        self.seconds_waited = 0.0

    def _take(self, place: PlaceInLine, offer: Offer, since: float) -> None:
        try:
            place.take(since, offer, self.most_waiting)
        except LineFullError as error:
            raise _too_many(offer) from error
        self.log.info("%s waits in line for %s", self._log_name, offer.profile.slug)
        self.orm_spawner.state = {**self.get_state(), STATE_KEY: {_SINCE: since}}
        self.user.db.commit()

    def _tell(self, place: Place, offer: Offer, until: float) -> None:
        def words() -> str:
            now = time.time()
            left = None if place.by is None else place.by - now
            return wording.in_line(offer, place.number, left, until - now, is_live=place.is_live)

        self._told = words

    @property
    def _saved_since(self) -> float | None:
        since = self._saved.get(_SINCE)
        return float(since) if isinstance(since, int | float) else None

    def _announce_by_name(self) -> None:
        """What was announced is that of this server's pod, which may have another name by now."""
        announced, self._announced = self._announced, None
        if announced is not None and self._waits_since is not None:
            announced.leave()
            self.place_in_line().announce(self._waits_since)

    async def _start_again(self, announced: PlaceInLine) -> None:
        """The start from its beginning, with all that comes of it, once JupyterHub has looked."""
        try:
            while self._check_pending:  # noqa: ASYNC110 - JupyterHub tells nobody when it has
                await asyncio.sleep(LOOK_AGAIN)
            self._revoke_token()
            if self._is_cancelled:
                await self._give_up()
                raise cancelled()
            await self.user.spawn(self.name)
        finally:
            self._waits_since = self._announced = None
            announced.leave()
            self.place_in_line().leave()
        await self._make_reachable()

    def _revoke_token(self) -> None:
        """Revoke the token of the try that was cut off: no pod has it, and nobody else would."""
        note = f"Server at {self.orm_spawner.server.base_url}"
        for token in list(self.user.orm_user.api_tokens):
            if token.note == note:
                self.user.db.delete(token)
        self.user.db.commit()


def _too_many(offer: Offer) -> SpawnRefusedError:
    why = wording.standing(offer)
    words = _(
        "{title} cannot be started now, and as many wait in line as may. {why}. Try again later, "
        "or choose another profile."
    ).format(title=offer.profile.title, why=as_sentence(why))
    return SpawnRefusedError(503, "line-full", words)


def _waited_long(offer: Offer) -> SpawnRefusedError:
    why = wording.standing(offer)
    words = _(
        "No place became free for {title} within {waited}, the longest that one may wait for it. "
        "{why}. Wait again, or choose another profile."
    ).format(
        title=offer.profile.title,
        waited=wording.spelled(offer.profile.longest_wait),
        why=as_sentence(why),
    )
    return SpawnRefusedError(503, "busy", words)
