"""What the spawn page shows, as JSON; described for programs in ``docs/openapi.yaml``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope, scope_definitions
from jupyterhub.user import User
from tornado import web

from gpuspawner.language import accepted, gettext_noop, speak, spoken
from gpuspawner.language import gettext as _
from gpuspawner.metrics import counts
from gpuspawner.presenting import present
from gpuspawner.refusals import CODE_HEADER, SEE_THE_LOG, SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

STARTING = "start:servers" if "start:servers" in scope_definitions else "servers"
"""The scope with which a server can be started; JupyterHub 5 has one for all that is done to it."""
MISCONFIGURED = "misconfigured"
_CODES = {
    400: "bad-request",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
}
_NO_USER = gettext_noop("There is no user of that name")
NO_SERVER = gettext_noop("There is no server of that name")
_WHICH_USER = gettext_noop("Say once which user is meant")
_WHICH_SERVER = gettext_noop("Say once which server is meant")
_LONGEST_NAME = 255


class OffersHandler(APIHandler):  # type: ignore[misc] # JupyterHub has no types
    """GET: what a person may start at this moment, and if not, why not.

    Nothing is made and nothing is kept by asking: a server that nobody has yet is not found.

    The argument ``user`` is a name, oneself without it; ``server`` that of a named server, the
    default one without it. Whoever may start that server may ask, as on JupyterHub's own pages.
    An error is JSON with ``status``, ``message`` and a stable ``code``.
    """

    def set_default_headers(self) -> None:
        """JupyterHub's, and that no answer is kept: each is of one moment and one person."""
        super().set_default_headers()
        self.set_header("Vary", "Accept-Language")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    async def prepare(self) -> None:
        """JupyterHub's, in the language that is asked for: each request has a task of its own."""
        speak(accepted(self.request.headers.get("Accept-Language")))
        await super().prepare()

    async def get(self) -> None:
        """See the class."""
        current: Any = self.current_user
        user_name = self._name("user")
        if user_name is None and current is not None:
            if not isinstance(current, User):
                words = _("A service has no servers: say whose with ?user=NAME")
                raise web.HTTPError(404, words)
            user_name = current.name
        await self._get(user_name=user_name, server_name=self._name("server") or "")

    @needs_scope(STARTING)  # type: ignore[untyped-decorator]
    async def _get(self, user_name: str, server_name: str) -> None:
        spawner = self._spawner(user_name, server_name)
        speak(spawner.language_for(self))
        try:
            await self._prepare_as_for_the_page(spawner)
            offers = await spawner.offers()
        except SpawnRefusedError as refusal:
            self._answer(refusal.status_code, refusal.code, refusal.jupyterhub_message)
        else:
            self.set_header("Content-Language", spoken())
            counts().shown(offers)
            self.write(msgspec.to_builtins(present(offers)))

    def _name(self, argument: str) -> str | None:
        """A name from the query; None if it is left out."""
        given: list[str] = self.get_query_arguments(argument, strip=False)
        match given:
            case []:
                return None
            # A slash would part a user's name from a server's where scopes are compared.
            case [name] if 0 < len(name) <= _LONGEST_NAME and "/" not in name:
                return name
            case [_]:
                message = _NO_USER if argument == "user" else NO_SERVER
                raise web.HTTPError(404, _(message))
            case _:
                message = _WHICH_USER if argument == "user" else _WHICH_SERVER
                raise web.HTTPError(400, _(message))

    def _spawner(self, user_name: str, server_name: str) -> GPUSpawner:
        user = self.find_user(user_name)
        if user is None:
            raise web.HTTPError(404, _(_NO_USER))
        spawner = server_of(user, server_name)
        if spawner is None:
            raise web.HTTPError(404, _(NO_SERVER))
        if not isinstance(spawner, GPUSpawner):
            words = _("This hub does not start its servers with GPUSpawner")
            raise web.HTTPError(404, words)
        return spawner

    async def _prepare_as_for_the_page(self, spawner: GPUSpawner) -> None:
        """What JupyterHub does before it asks for a form; a server that is up is left alone.

        Raises:
            SpawnRefusedError: the operator's hook fails.
        """
        if spawner.active:
            return
        try:
            await spawner.run_auth_state_hook(await spawner.user.get_auth_state())
        except Exception as error:
            self.log.exception("The auth state hook of %s fails", spawner._log_name)
            words = _("What can be started cannot be told.")
            words = f"{words} {_(SEE_THE_LOG)}"
            raise SpawnRefusedError(503, MISCONFIGURED, words) from error

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """JupyterHub's, with a code."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else None
        message = ""
        if isinstance(error, web.HTTPError):
            message = (error.log_message or "") % error.args
        else:
            # It may be the database's; nothing was written here.
            self.db.rollback()
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, OPTIONS")
        self._answer(status_code, _CODES.get(status_code, "failed"), message or self._reason)

    def _answer(self, status: int, code: str, message: str) -> None:
        self.set_status(status)
        self.set_header(CODE_HEADER, code)
        self.set_header("Content-Language", spoken())
        self.write({"status": status, "code": code, "message": message})


def server_of(user: User, server_name: str) -> Any:
    """A server; None if there is none. JupyterHub's own mapping would make it."""
    if server_name and server_name not in user.orm_spawners:
        return None
    return user.get_spawner(server_name)


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [(r"/api/gpuspawner/offers", OffersHandler)]
