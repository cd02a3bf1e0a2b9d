"""The page of a start under way: its files, what it is fed from, and the way out of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyterhub.apihandlers.users import SpawnProgressAPIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web

from gpuspawner.language import accepted, speaking
from gpuspawner.language import gettext as _

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
PATIENCE = 10.0
"""Seconds to wait until the server is gone, before the person is led on all the same."""


class CancelStartHandler(BaseHandler):  # type: ignore[misc] # JupyterHub has no types
    """POST: end a start under way, and lead to where another one can be chosen.

    JupyterHub's own DELETE of a server cancels the task in which the start is waited for: it leaves
    a pod behind that was made a moment before, and whoever still waits for that start without an
    answer.

    The argument ``then`` is ``form``, or ``home``. A server that is ready is left alone, since a
    page that was open for long may ask for this, and the person is led to it.
    """

    @web.authenticated
    def post(self, user_name: str, server_name: str = "") -> Any:
        """See the class."""
        return self._post(user_name=user_name, server_name=server_name)

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]
    async def _post(self, user_name: str, server_name: str) -> None:
        user = self.find_user(user_name)
        if user is None or server_name not in user.spawners:
            with speaking(accepted(self.request.headers.get("Accept-Language"))):
                raise web.HTTPError(404, _("There is no such server"))
        spawner = user.spawners[server_name]
        if spawner.pending == "spawn":
            await self._end(user, spawner)
        elif getattr(spawner, "is_cleaning_up", False):
            await asyncio.wait((spawner._spawn_future,), timeout=PATIENCE)
        name = url_escape_path(server_name)
        if spawner.ready:
            path = url_path_join("spawn-pending", user.escaped_name, name)
        elif self.get_body_argument("then", "form") == "home":
            path = "home"
        else:
            path = url_path_join("spawn", user.escaped_name, name)
        self.redirect(url_path_join(self.hub.base_url, path), status=303)

    async def _end(self, user: Any, spawner: Any) -> None:
        waiting = spawner._spawn_future
        if spawner.cancel_start():
            if waiting is not None:
                await asyncio.wait((waiting,), timeout=PATIENCE)
        elif spawner._waiting_for_response or spawner._proxy_pending:
            waiting.cancel()
            await asyncio.wait((waiting,))
            await self.stop_single_user(user, spawner.name)


class ProgressHandler(SpawnProgressAPIHandler):  # type: ignore[misc] # JupyterHub has no types
    """GET: JupyterHub's stream of what a start comes to, also while a failed one is cleaned up.

    JupyterHub's own answers 400 meanwhile, which ends what a browser listens to before the words.
    """

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]
    async def get(self, user_name: str, server_name: str = "") -> None:
        """See the class."""
        user = self.find_user(user_name)
        # Looked up with `in`: JupyterHub's mapping would make a server that nobody has.
        spawner: Any = user.spawners[server_name] if user and server_name in user.spawners else None
        while getattr(spawner, "is_cleaning_up", False):
            await self.send_event(spawner.as_event(spawner.stage))
            await asyncio.wait((spawner._spawn_future,), timeout=self.keepalive_interval)
        await super().get(user_name, server_name)


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/cancel/([^/]+)/?", CancelStartHandler),
        (r"/gpuspawner/cancel/([^/]+)/([^/]+)", CancelStartHandler),
        (r"/gpuspawner/progress/([^/]+)/?", ProgressHandler),
        (r"/gpuspawner/progress/([^/]+)/([^/]+)", ProgressHandler),
        # Asked for anew each time: a page of this version with a script of the last one would fail.
        (r"/gpuspawner/static/(.+)", CacheControlStaticFilesHandler, {"path": str(STATIC)}),
    ]
