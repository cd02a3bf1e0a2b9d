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

from gpuspawner import wording
from gpuspawner.capacity.denials import read_denial
from gpuspawner.language import as_sentence, gettext_noop
from gpuspawner.language import gettext as _
from gpuspawner.offers import Offer, Standing

try:
    from jupyterhub.spawner import SpawnException
except ImportError:
    SpawnException = None

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner

CODE_HEADER = "X-GPUSpawner-Refusal"
QUOTA = "quota"
NOT_ALLOWED = "not-allowed"
SIGN_IN_ENDED = "sign-in-ended"
SIGN_IN_UNANSWERED = "sign-in-unanswered"
SEE_THE_LOG = gettext_noop("The people who run this hub find the reason in its log.")
_REFUSING = frozenset({400, 403, 422, 500})
"""500 is what comes of an admission webhook that fails."""
_Base: Any = SpawnException or web.HTTPError


class SpawnRefusedError(_Base):  # type: ignore[misc] # JupyterHub has no types
    """A refusal with words for the person.

    Attributes:
        code: a stable word for programs, such as ``"not-allowed"``.
        headers: what JupyterHub adds to the answer; the code, under `CODE_HEADER`, and that the
            words are in the language that was asked for.
        jupyterhub_message: what JupyterHub's pages and API show.
        leads_on: whether the words say what can be started instead.
    """

    leads_on = False

    def __init__(self, status: int, code: str, message: str) -> None:
        if SpawnException is not None:
            super().__init__(message, reason=code, status_code=status)
        else:
            super().__init__(status, message, reason=code)
        self.code = code
        self.headers = {CODE_HEADER: code, "Vary": "Accept-Language"}
        self.jupyterhub_message = message

    def about(self, title: str) -> SpawnRefusedError:
        """The same with the profile's title in front, where the words do not have it yet.

        Args:
            title: of the profile that was asked for; empty if it is not known.
        """
        if not title or title in self.jupyterhub_message:
            return self
        return self._saying(f"{title}: {self.jupyterhub_message}")

    def leading_on(self, instead: str) -> SpawnRefusedError:
        """The same with what can be started instead; as it is if that is empty."""
        if not instead:
            return self
        refusal = self._saying(f"{self.jupyterhub_message} {instead}")
        refusal.leads_on = True
        return refusal

    def with_code(self) -> SpawnRefusedError:
        """The same for a program: JupyterHub's JSON of an error has its words and no more."""
        return self._saying(f"{self.jupyterhub_message} [{self.code}]")

    def _saying(self, words: str) -> SpawnRefusedError:
        refusal = SpawnRefusedError(self.status_code, self.code, words)
        refusal.leads_on = self.leads_on
        return refusal


def refusal_of_offer(offer: Offer) -> SpawnRefusedError:
    """The refusal of a profile that the person may have, and cannot start now."""
    status, code = 422, "never-fits"
    why = wording.availability(offer)
    is_lasting = offer.standing is Standing.NEVER
    message = (
        _("{title} cannot be started. {why}.")
        if is_lasting
        else _("{title} cannot be started now. {why}.")
    )
    words = message.format(title=offer.profile.title, why=as_sentence(why))
    if offer.contenders or offer.standing is Standing.BUSY:
        status, code = 503, QUOTA if _is_by_quota(offer) else "busy"
    elif offer.fault or offer.denial is not None:
        status, code = 503, "misconfigured"
        words = f"{words} {_(SEE_THE_LOG)}"
    return SpawnRefusedError(status, code, words)


def _is_by_quota(offer: Offer) -> bool:
    if offer.denial is not None:
        return offer.denial.quota
    return offer.verdict is not None and bool(offer.verdict.refusal)


def refusal_of(error: ApiException) -> SpawnRefusedError | None:
    """The refusal that an answer of the API server to a create comes to; None if it is a fault.

    A quota that is used up is nobody's mistake, and Kubernetes tells it from other reasons to
    forbid by its words alone.
    """
    if error.status not in _REFUSING:
        return None
    denial = read_denial(_message(error))
    if denial is not None and denial.quota:
        words = _("{why}. Try again later.").format(why=as_sentence(denial.words))
        return SpawnRefusedError(503, QUOTA, words)
    words = _("The cluster did not accept the server.")
    return SpawnRefusedError(503, "misconfigured", f"{words} {_(SEE_THE_LOG)}")


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

    def put_right(_done: asyncio.Future[Any]) -> None:
        """Run right after the hub's own callback on the same future, which counted."""
        spawner.consecutive_failure_limit = limit
        settings["failure_count"] = max(0, settings.get("failure_count", 0) - 1)

    future.add_done_callback(put_right)
