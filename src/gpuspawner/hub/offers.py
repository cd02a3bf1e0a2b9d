"""What the spawn page shows, as JSON; described for programs in ``docs/openapi.yaml``."""

from __future__ import annotations

from typing import Any

import msgspec
from jupyterhub.scopes import needs_scope, scope_definitions
from jupyterhub.user import User
from tornado import web

from gpuspawner.hub.codes import CodedAPIHandler
from gpuspawner.language import accepted, gettext_noop, speak, spoken
from gpuspawner.language import gettext as _
from gpuspawner.metrics import counts
from gpuspawner.presenting import present
from gpuspawner.refusals import SEE_THE_LOG, SpawnRefusedError
from gpuspawner.spawner import GPUSpawner

STARTING = "start:servers" if "start:servers" in scope_definitions else "servers"
"""The scope with which a server can be started; JupyterHub 5 has one for all that is done to it."""
MISCONFIGURED = "misconfigured"
_NO_USER = gettext_noop("There is no user of that name")
NO_SERVER = gettext_noop("There is no server of that name")
_WHICH_USER = gettext_noop("Say once which user is meant")
_WHICH_SERVER = gettext_noop("Say once which server is meant")
_LONGEST_NAME = 255


class OffersHandler(CodedAPIHandler):
    """GET: what a person may start at this moment, and if not, why not.

    Nothing is made and nothing is kept by asking: a server that nobody has yet is not found.

    The argument ``user`` is a name, oneself without it; ``server`` that of a named server, the
    default one without it. Whoever may start that server may ask, as on JupyterHub's own pages.
    An error is JSON with ``status``, ``message`` and a stable ``code``.
    """

    def set_default_headers(self) -> None:
        """`CodedAPIHandler`'s: each answer is of one moment and one person, and in a language."""
        super().set_default_headers()
        self.set_header("Vary", "Accept-Language")

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
            self.answer(refusal.status_code, refusal.code, refusal.jupyterhub_message)
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

    def answer(self, status: int, code: str, message: str, **more: Any) -> None:
        """`CodedAPIHandler`'s, in the language that is asked for."""
        self.set_header("Content-Language", spoken())
        super().answer(status, code, message, **more)


def server_of(user: User, server_name: str) -> Any:
    """A server; None if there is none. JupyterHub's own mapping would make it."""
    if server_name and server_name not in user.orm_spawners:
        return None
    return user.get_spawner(server_name)


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [(r"/api/gpuspawner/offers", OffersHandler)]
