"""A spawn page that is open in a browser: what it was told, and when it is looked at again."""

from __future__ import annotations

import asyncio
import time
from random import uniform
from typing import TYPE_CHECKING, Any

from jupyterhub.user import User

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.catalog import CatalogError
from gpuspawner.form import links
from gpuspawner.hub.news import OVER, POLL, Event, News, freshness_event
from gpuspawner.hub.offers import server_of
from gpuspawner.hub.open_pages import OpenPages
from gpuspawner.language import gettext as _
from gpuspawner.language import speak
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

if TYPE_CHECKING:
    from gpuspawner.hub.live import LiveHandler

_BEAT = 10.0
"""Seconds without an event after which one says that the hub is there."""
_STUCK = 60.0
"""Seconds after which a browser that takes nothing in is left alone."""
_MAY_STILL = 60.0
"""Seconds after which it is asked again whether somebody may see this."""
_LONGEST = 300.0
"""Seconds of one stream. JupyterHub refreshes who somebody is, and their groups, at requests."""
_LOOK_AGAIN, _LOOK_AGAIN_SOON = 60.0, 5.0
"""Seconds after which a page is looked at although nothing has changed that can be seen: what
admission answers is forgotten after a while, sooner if it was no; and so is what failed."""
_LONGEST_LOOK = 60.0
"""Seconds after which a look that has come to nothing is given up."""


class LivePage:
    """A spawn page in a browser: what it was told, and when it is looked at again.

    Attributes:
        event: what the last look came to; None if it was no news.
        ended: done once there is nothing more to tell.
    """

    def __init__(
        self,
        handler: LiveHandler,
        pages: OpenPages,
        user_name: str,
        server_name: str,
        language: str,
    ) -> None:
        self.event: Event | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._handler = handler
        self._pages = pages
        self._names = user_name, server_name
        self._user: Any = handler.find_user(user_name)
        self._news = News(language, links.page_links(handler, user_name, server_name))
        now = time.monotonic()
        # Apart, so that those who came at once, after a restart, do not come again at once.
        self._ends_at = now + uniform(0.8, 1.0) * _LONGEST  # noqa: S311 - to spread load
        self._asks_at = now + _MAY_STILL
        self._prepared: GPUSpawner | None = None
        self._ground: object = None
        self._look_at = 0.0
        self._looked_at, self._freshness = now, Freshness("starting")
        self._sent: asyncio.Future[None] | None = None
        self._sent_at = now
        # Its first look is about to begin.
        self._is_looking = True

    @property
    def person(self) -> str:
        """Who looks at it."""
        name: str = self._handler.current_user.name
        return name

    def is_due(self, now: float) -> bool:
        """See `gpuspawner.hub.open_pages.Page`."""
        is_over = now >= self._ends_at
        if now >= self._asks_at:
            self._asks_at = now + _MAY_STILL
            is_over = is_over or self._handler.find(*self._names) is None
        if is_over:
            self._end()
        if self._is_looking or self._is_sending or self.ended.done():
            return False
        spawner = server_there(self._user, self._names[1])
        if spawner is None:
            self.close()
        elif spawner.active:
            self._send(OVER)
            self.close()
        if spawner is None or self.ended.done():
            return False
        return now >= self._look_at or not self._is_still(spawner)

    async def turn(self) -> None:
        """See `gpuspawner.hub.open_pages.Page`."""
        speak(self._news.language)
        self._is_looking = True
        try:
            await self.look()
            self.tell()
        finally:
            self._is_looking = False

    def tell(self) -> None:
        """Send what the last look came to, if it is news."""
        event = self.event
        if event is not None and not self.ended.done():
            if event.get("cards") != []:
                self._send(event)
            if event is OVER:
                self.close()

    def beat(self, now: float) -> None:
        """See `gpuspawner.hub.open_pages.Page`."""
        quiet = now - self._sent_at
        if quiet < _BEAT or self.ended.done():
            return
        if not self._is_sending:
            self.assure()
        elif quiet > _STUCK:
            self._handler.drop()

    def assure(self) -> None:
        """Say that the hub is there, and how fresh what the page shows is."""
        self._send(self._how_fresh())

    async def look(self) -> None:
        """Look at the person's offers as they are now."""
        spawner = server_there(self._user, self._names[1])
        if spawner is None or spawner.active:
            self.event = OVER
            return
        now = time.monotonic()
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                # JupyterHub puts another one in the place of one that failed.
                if self._prepared is not spawner:
                    await self._handler._prepare_as_for_the_page(spawner)
                    self._prepared = spawner
                ground = _ground_of(spawner)
                offers = await spawner.offers()
            self.event = self._news.of(offers)
        except SpawnRefusedError as refusal:
            self._fail(refusal.jupyterhub_message, now)
        except Exception:
            if self._ground is not None or self.event is None:
                self._handler.log.exception("The offers of %s cannot be told", spawner._log_name)
            self._fail(_("What can be started cannot be told at the moment."), now)
        else:
            is_settled = offers[0].freshness.is_live and not any(
                offer.denial is not None or offer.unadmitted for offer in offers
            )
            self._ground, self._freshness = ground, offers[0].freshness
            self._looked_at = now
            self._look_at = now + (_LOOK_AGAIN if is_settled else _LOOK_AGAIN_SOON)

    def give_way(self) -> None:
        """See `gpuspawner.hub.open_pages.Page`."""
        self._send(POLL)
        self.close()

    def close(self) -> None:
        """See `gpuspawner.hub.open_pages.Page`."""
        self._pages.closed(self)
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def _is_sending(self) -> bool:
        return self._sent is not None and not self._sent.done()

    def _end(self) -> None:
        if self._is_sending:
            # What the browser has not taken in is not for whoever is there now.
            self._handler.drop()
        self.close()

    def _fail(self, words: str, now: float) -> None:
        self.event = self._news.failed(words)
        self._ground, self._look_at = None, now + _LOOK_AGAIN_SOON

    def _is_still(self, spawner: GPUSpawner) -> bool:
        if self._ground is None:
            return True
        return bool(self._ground == _ground_of(spawner))

    def _how_fresh(self) -> Event:
        spawner = server_there(self._user, self._names[1])
        if self._ground is not None and spawner is not None and self._is_still(spawner):
            return freshness_event(spawner.freshness())
        # What the page shows is of the last look.
        return freshness_event(self._freshness, time.monotonic() - self._looked_at)

    def _send(self, event: Event) -> None:
        self._sent = self._handler.send(event)
        # A page that is closed meanwhile is no error.
        self._sent.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        self._sent_at = time.monotonic()


def server_there(user: User, server_name: str) -> GPUSpawner | None:
    """Somebody's server, if there still is one that is ours."""
    spawner = server_of(user, server_name)
    return spawner if isinstance(spawner, GPUSpawner) else None


def _ground_of(spawner: GPUSpawner) -> object:
    try:
        return spawner.ground()
    except CatalogError:
        # `GPUSpawner.offers` has the words for it.
        return None
