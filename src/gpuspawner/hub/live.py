"""What keeps an open spawn page true without a reload: a stream of events, or answers to polls."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from jupyterhub import orm
from jupyterhub.scopes import needs_scope
from tornado import web

from gpuspawner.form import links
from gpuspawner.hub.live_page import LivePage, server_there
from gpuspawner.hub.news import Event
from gpuspawner.hub.offers import NO_SERVER, STARTING, OffersHandler
from gpuspawner.hub.open_pages import OpenPages
from gpuspawner.language import gettext as _
from gpuspawner.language import speak
from gpuspawner.spawner import GPUSpawner

_PAGES = "gpuspawner_open_pages"
POLL_AFTER, POLL_AFTER_WHEN_FULL = 5, 30
"""Seconds after which a page that polls may do so again."""
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
                page.assure()
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
        return server_there(user, server_name)


def open_pages(settings: dict[str, Any]) -> OpenPages:
    """The open pages of the hub whose Tornado settings these are."""
    if _PAGES not in settings:
        settings[_PAGES] = OpenPages(settings["log"])
    pages: OpenPages = settings[_PAGES]
    return pages


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/live/([^/]+)", LiveHandler, {}, links.LIVE),
        (r"/gpuspawner/live/([^/]+)/([^/]+)", LiveHandler, {}, links.LIVE_NAMED),
    ]
