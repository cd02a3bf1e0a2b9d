"""Whether the sign-in service still says of somebody what it said when they signed in.

JupyterHub asks again at requests, now and then, and before each start where ``refresh_pre_spawn``
is set. What it does with no answer differs: of OAuthenticator's exception it makes somebody who is
not signed in, which also closes running servers; of a sign-in that has ended JupyterHub 6 makes
nothing where a token asks, and old groups count. Here both are kept on the user, and nothing is
started until the groups are known again; with no answer, what runs stays open. Where the hub itself
keeps the groups they are known, and no answer keeps nobody from a start.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from functools import cache
from typing import Any

from tornado import web
from tornado.log import app_log

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.refusals import SIGN_IN_ENDED, SIGN_IN_UNANSWERED, SpawnRefusedError

_ENDED = gettext_noop(
    "The sign-in of this account has ended, so it cannot be told which profiles are open to it. "
    "Sign in again, then start the server."
)
_UNANSWERED = gettext_noop(
    "The sign-in service does not answer at the moment, so it cannot be told which profiles are "
    "open to this account. Servers that run go on. Try again in a minute."
)
_NOTE = "_gpuspawner_unconfirmed"
_is_asking: ContextVar[bool] = ContextVar("is_asking", default=False)


async def refresh_user(authenticator: Any, user: Any, auth_state: Any) -> Any:
    """OAuthenticator's own refresh, for its ``refresh_user_hook``; what fails is noted on the user.

    Returns:
        What the refresh returned. True where it failed before a start, which `confirm` refuses
        with words, where JupyterHub has none; and where the provider does not answer, so that
        pages go on. False where a page is asked for by somebody who has to sign in again.

    Raises:
        HTTPError: 503 if it does not answer, at a page of an admin of the hub by a group. That
            request is then, to JupyterHub, of somebody who is not signed in.
    """
    del auth_state
    if _is_asking.get():
        return None  # asked by ourselves: now it is the authenticator's turn
    is_before_a_start = not _is_due(authenticator, user)
    token = _is_asking.set(True)
    try:
        refreshed = await authenticator.refresh_user(user)
    except Exception as error:
        app_log.warning("The sign-in of %s cannot be refreshed: %r", user.name, error)
        if authenticator.manage_groups:
            _note(user, SIGN_IN_UNANSWERED)
        if not is_before_a_start and _is_admin_by_groups(authenticator, user):
            raise web.HTTPError(503, _(_UNANSWERED)) from error
        return True
    finally:
        _is_asking.reset(token)
    if refreshed:
        setattr(user, _NOTE, None)
        return refreshed
    _note(user, SIGN_IN_ENDED)
    return is_before_a_start


def confirm(user: Any) -> None:
    """Refuse a start for whom the last refresh has failed, and who did not sign in since.

    Raises:
        SpawnRefusedError: 503 if the provider did not answer, 403 if they have to sign in again.
    """
    code, when = getattr(user, _NOTE, None) or ("", 0.0)
    if not code or (user._auth_refreshed or 0.0) > when:
        return
    if code == SIGN_IN_ENDED:
        user._auth_refreshed = None  # the next page leads to the sign-in
        raise SpawnRefusedError(403, code, _(_ENDED))
    raise SpawnRefusedError(503, code, _(_UNANSWERED))


@cache
def warn_of_old_groups(log: logging.Logger, authenticator: Any) -> None:
    """Say, once, that a group taken away at the provider stays until the next sign-in."""
    if not hasattr(authenticator, "refresh_user_hook") or not authenticator.manage_groups:
        return
    needed = {
        "enable_auth_state": "True",
        "refresh_pre_spawn": "True",
        "auth_refresh_age": "a number of seconds above 0",
    }
    missing = [name for name in needed if not getattr(authenticator, name)]
    if not authenticator.userdata_from_id_token and not missing:
        return
    changes = [f"c.Authenticator.{name} = {needed[name]}" for name in missing]
    if authenticator.userdata_from_id_token:
        changes.append("userdata_url in place of userdata_from_id_token")
    log.warning(
        "Groups are read when somebody signs in, and not again before a start: a group that is "
        "taken away at the provider stays in force until then. Set %s (docs/sign-in.md)",
        ", ".join(changes),
    )


def _is_due(authenticator: Any, user: Any) -> bool:
    """Whether JupyterHub refreshes for its own sake; before a start it does so at any time."""
    last: float | None = user._auth_refreshed
    return not last or time.monotonic() - last >= authenticator.auth_refresh_age


def _note(user: Any, code: str) -> None:
    setattr(user, _NOTE, (code, time.monotonic()))


def _is_admin_by_groups(authenticator: Any, user: Any) -> bool:
    by_groups = getattr(authenticator, "admin_groups", None)
    return bool(user.admin and by_groups and user.name not in authenticator.admin_users)
