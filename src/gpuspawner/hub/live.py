"""What keeps an open spawn page true without a reload: a stream of events, or answers to polls."""

from __future__ import annotations

import asyncio
import time
from random import uniform
from typing import Any

import msgspec
from jupyterhub import orm
from jupyterhub.scopes import needs_scope
from jupyterhub.user import User
from tornado import web

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.catalog import CatalogError
from gpuspawner.form import links
from gpuspawner.hub.news import OVER, POLL, Event, News, freshness_event
from gpuspawner.hub.offers import NO_SERVER, STARTING, OffersHandler, server_of
from gpuspawner.hub.open_pages import OpenPages
from gpuspawner.language import gettext as _
from gpuspawner.language import speak
from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

_PAGES = "gpuspawner_open_pages"
POLL_AFTER, POLL_AFTER_WHEN_FULL = 5, 30
"""Seconds after which a page that polls may do so again."""
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
_FIRST_PATIENCE = 1.0
"""Seconds that the first event waits for the first look. A browser that hears nothing polls."""


class LiveHandler(OffersHandler):
    """GET: what the cards of somebody's spawn page say, now and whenever that changes.

    To whom ``text/event-stream`` is acceptable, a stream of events; to others the first of them,
    as JSON, with a Retry-After. Only for pages: a token is taken by the API beside it.
    """

    _accept_token_auth = False

    def initialize(self) -> None:
        """JupyterHub's, and no page."""
        super().initialize()
        self._page: LivePage | None = None

    async def get(self, user_name: str = "", server_name: str = "") -> None:
        """See the class."""
        if "/" in user_name or "/" in server_name:
            # It would part a user's name from a server's where scopes are compared.
            raise web.HTTPError(404, _(NO_SERVER))
        await self._get(user_name=user_name, server_name=server_name)

    @needs_scope(STARTING)  # type: ignore[untyped-decorator]
    async def _get(self, user_name: str, server_name: str) -> None:
        language = self._spawner(user_name, server_name).language_for(self)
        speak(language)
        pages = open_pages(self.settings)
        page = LivePage(self, pages, user_name, server_name, language)
        if "text/event-stream" not in self.request.headers.get("Accept", ""):
            after = POLL_AFTER_WHEN_FULL if pages.is_full else POLL_AFTER
            self.set_header("Retry-After", str(after))
            await pages.at_once(page.look)
            self.write(msgspec.json.encode(page.event))
        elif pages.is_full:
            self.set_header("Retry-After", str(POLL_AFTER_WHEN_FULL))
            words = _("As many pages as can be are kept up to date already")
            self.answer(503, "full", words)
        else:
            await self._stream(page, pages)

    async def _stream(self, page: LivePage, pages: OpenPages) -> None:
        self.set_header("Content-Type", "text/event-stream")
        # nginx would keep events back to send more at once.
        self.set_header("X-Accel-Buffering", "no")
        self._page = page
        pages.open(page)
        looking = asyncio.ensure_future(pages.at_once(page.turn))
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait((looking, page.ended), timeout=_FIRST_PATIENCE, return_when=first)
            if not looking.done() and not page.ended.done():
                page.beat(time.monotonic() + _BEAT)
            await asyncio.wait((looking, page.ended), return_when=first)
            if looking.done():
                looking.result()
            await page.ended
        except asyncio.CancelledError:
            # The hub is being stopped.
            self.log.debug("An open page was let go")
        finally:
            looking.cancel()
            page.close()

    def send(self, event: Event) -> asyncio.Future[None]:
        """Send an event; done once the browser's connection has taken it in."""
        self.write(b"data: " + msgspec.json.encode(event) + b"\n\n")
        sent: asyncio.Future[None] = self.flush()
        return sent

    def drop(self) -> None:
        """Close the connection, whatever is still to be sent."""
        self.request.connection.stream.close()

    def on_connection_close(self) -> None:
        """The page was closed."""
        super().on_connection_close()
        if self._page is not None:
            self._page.close()

    def find(self, user_name: str, server_name: str) -> GPUSpawner | None:
        """The server, if who asked may still start it: they and their rights are looked up anew.

        Not by JupyterHub's own function, to which an open page would be a person's activity.
        """
        cookie = self.get_secure_cookie(self.hub.cookie_name, max_age_days=self.cookie_max_age_days)
        known = self.db.query(orm.User).filter(orm.User.cookie_id == (cookie or b"").decode())
        asking, user = known.first(), self.find_user(user_name)
        if asking is None or user is None or asking.id != self.current_user.id:
            return None
        self._resolve_roles_and_scopes()
        if not self.has_scope(f"{STARTING}!server={user_name}/{server_name}"):
            return None
        return _there(user, server_name)


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
        spawner = _there(self._user, self._names[1])
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
            self._send(self._how_fresh())
        elif quiet > _STUCK:
            self._handler.drop()

    async def look(self) -> None:
        """Look at the person's offers as they are now."""
        spawner = _there(self._user, self._names[1])
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
        spawner = _there(self._user, self._names[1])
        if self._ground is not None and spawner is not None and self._is_still(spawner):
            return freshness_event(spawner.freshness())
        # What the page shows is of the last look.
        return freshness_event(self._freshness, time.monotonic() - self._looked_at)

    def _send(self, event: Event) -> None:
        self._sent = self._handler.send(event)
        # A page that is closed meanwhile is no error.
        self._sent.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        self._sent_at = time.monotonic()


def open_pages(settings: dict[str, Any]) -> OpenPages:
    """The open pages of the hub whose Tornado settings these are."""
    if _PAGES not in settings:
        settings[_PAGES] = OpenPages(settings["log"])
    pages: OpenPages = settings[_PAGES]
    return pages


def _there(user: User, server_name: str) -> GPUSpawner | None:
    spawner = server_of(user, server_name)
    return spawner if isinstance(spawner, GPUSpawner) else None


def _ground_of(spawner: GPUSpawner) -> object:
    try:
        return spawner.ground()
    except CatalogError:
        # `GPUSpawner.offers` has the words for it.
        return None


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/live/([^/]+)", LiveHandler, {}, links.LIVE),
        (r"/gpuspawner/live/([^/]+)/([^/]+)", LiveHandler, {}, links.LIVE_NAMED),
    ]
