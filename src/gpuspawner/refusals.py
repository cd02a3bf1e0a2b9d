"""A start that is refused, in the form JupyterHub shows to a person and does not count as a fault.

JupyterHub 6 has an exception for it. On 5 every exception out of a start counts toward
``consecutive_failure_limit``, after which the hub ends itself, so there the count is put right.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio.client import ApiException
from tornado import web

try:
    from jupyterhub.spawner import SpawnException
except ImportError:
    SpawnException = None

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner

SEE_THE_LOG = "The people who run this hub find the reason in its log."
_REFUSING = frozenset({400, 403, 422, 500})
"""500 is what comes of an admission webhook that fails."""
_Base: Any = SpawnException or web.HTTPError


class SpawnRefusedError(_Base):  # type: ignore[misc] # JupyterHub has no types
    """A refusal with words for the person.

    Attributes:
        code: a stable word for programs, such as ``"not-allowed"``.
        jupyterhub_message: what JupyterHub's pages and API show.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        if SpawnException is not None:
            super().__init__(message, reason=code, status_code=status)
        else:
            super().__init__(status, message, reason=code)
        self.code = code
        self.jupyterhub_message = message


def refusal_of(error: ApiException) -> SpawnRefusedError | None:
    """The refusal that an answer of the API server to a create comes to; None if it is a fault.

    A quota that is used up is nobody's mistake, and Kubernetes tells it from other reasons to
    forbid by its words alone.
    """
    if error.status not in _REFUSING:
        return None
    message = _message(error)
    if "exceeded quota" in message:
        return SpawnRefusedError(503, "quota", f"The cluster's quota is used up: {message}")
    return SpawnRefusedError(
        503, "misconfigured", f"The cluster did not accept the server. {SEE_THE_LOG}"
    )


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or b"")["message"])
    except (KeyError, TypeError, ValueError):
        return ""


def keep_out_of_failure_count(spawner: Spawner) -> None:
    """See to it that the start under way does not count when it is refused."""
    if SpawnException is not None:
        return
    future: asyncio.Future[Any] | None = spawner._spawn_future
    if future is None or future.done() or spawner.handler is None:
        return
    settings = spawner.handler.settings
    limit = spawner.consecutive_failure_limit
    spawner.consecutive_failure_limit = 0

    def put_right(_: asyncio.Future[Any]) -> None:
        """Run right after the hub's own callback on the same future, which counted."""
        spawner.consecutive_failure_limit = limit
        settings["failure_count"] = max(0, settings.get("failure_count", 0) - 1)

    future.add_done_callback(put_right)
