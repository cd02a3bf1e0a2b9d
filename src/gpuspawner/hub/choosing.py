"""The spawn page: opened by a link with a choice made, and the files that it needs."""

from __future__ import annotations

from asyncio import Future
from pathlib import Path
from typing import Any

from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web

from gpuspawner import form
from gpuspawner.form import links
from gpuspawner.language import accepted, speaking
from gpuspawner.language import gettext as _

STATIC = Path(form.__file__).with_name("static")


class ChooseHandler(SpawnHandler):  # type: ignore[misc] # JupyterHub has no types
    """GET: the spawn form of whoever asks, with the choice that the query makes.

    JupyterHub's own page takes a query for an order and starts a server. This one starts nothing,
    so that a link to it can be sent to anybody: each opens a form of their own.

    The arguments are ``profile``, the names of its options, and ``server``.

    Attributes:
        linked_options: what the link asks for, read by nobody yet.
    """

    linked_options: dict[str, str]
    _asked_uri: str | None = None

    @web.authenticated
    async def get(self) -> None:
        """See the class."""
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        server = asked.pop("server", "")
        if "/" in server:
            with speaking(accepted(self.request.headers.get("Accept-Language"))):
                raise web.HTTPError(404, _("There is no server of that name"))
        self.linked_options = asked
        user = self.current_user
        self._asked_uri = self.request.uri
        # What JupyterHub sees is the page without a query, to which the form is sent as well.
        self.request.arguments, self.request.query_arguments = {}, {}
        path = ["spawn", user.escaped_name, *([url_escape_path(server)] if server else [])]
        self.request.uri = url_path_join(self.hub.base_url, *path)
        self.request.path, self.request.query = self.request.uri, ""
        await SpawnHandler.get(self, user.name, server)

    def finish(self, chunk: Any = None) -> Future[None]:
        """Tornado's, which logs the request: under the address that was asked for."""
        self.request.uri = self._asked_uri or self.request.uri
        done: Future[None] = super().finish(chunk)
        return done

    def post(self, *_names: Any) -> None:
        """Nothing is sent here."""
        raise web.HTTPError(405)


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/choose", ChooseHandler, {}, links.CHOOSE),
        # Asked for anew each time: a page of this version with a script of the last one would fail.
        (
            r"/gpuspawner/form/(.+)",
            CacheControlStaticFilesHandler,
            {"path": str(STATIC)},
            links.STATIC,
        ),
    ]
