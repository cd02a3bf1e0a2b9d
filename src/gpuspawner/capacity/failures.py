"""What a watch does about a failure, as a pure rule.

=========================================== ==================================================
what happened                               what follows
=========================================== ==================================================
refused, reset, silent, slow, 429, 5xx      back off and resume; no new list
410, or 400 to a version                    back off and list again
an ERROR, 504, other 4xx, a line that is    back off and resume; at the second time without
no event                                    a good line between them, list again
401                                         reload the credentials, back off
403                                         name the permission, back off slowly
404 to a resource a cluster may not have,   back off slowly: there is nothing of it
in the words of an API server
=========================================== ==================================================

A line that is no event may have been a deletion, which is why it is not just skipped: resuming
brings it again.

Every cluster serves the core's kinds (``/api/v1``), and what stands before an API server says 404,
too: neither of these 404s says that there are none. An API server's own is a Status, or, where it
does not know the whole group, plain text; its filter ``WithAuditInit`` puts an ``Audit-Id`` on
every answer.

A list is asked for as a stream first. If the API server does not stream it, or the stream breaks
off before its end, pages are asked for at once (`asks_for_pages`); what would not answer those
either is treated as above.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from gpuspawner.capacity.backoff import parse_retry_after
from gpuspawner.capacity.transport import Response, TransportError
from gpuspawner.errors import GPUSpawnerError, MalformedObjectError

OK = 200
FORBIDDEN = 403
NOT_FOUND = 404
INTERNAL_ERROR = 500


_GROUPED = "/apis/"


class _Status(msgspec.Struct):
    kind: str
    reason: str


class Remedy(Enum):
    """What follows a failure."""

    RESUME = auto()
    RESUME_ONCE = auto()
    RELIST = auto()
    RELOAD_CREDENTIALS = auto()
    AWAIT_PERMISSION = auto()
    AWAIT_RESOURCE = auto()


BY_STATUS: dict[int | None, Remedy] = {
    400: Remedy.RELIST,
    401: Remedy.RELOAD_CREDENTIALS,
    FORBIDDEN: Remedy.AWAIT_PERMISSION,
    410: Remedy.RELIST,
    429: Remedy.RESUME,
    504: Remedy.RESUME_ONCE,  # a gateway's, or "Too large resource version"
}


class StatusError(GPUSpawnerError):
    """The API server answered with an error: as its HTTP status, or in the stream of a watch.

    Attributes:
        status: the code; None for an ERROR event without one.
        in_stream: whether it came as an ERROR event.
        retry_after: the seconds the answer asks to wait, if it does.
        is_unserved: whether an API server says by it that it serves no such resource.
    """

    def __init__(
        self,
        status: int | None,
        *,
        in_stream: bool = False,
        retry_after: float | None = None,
        is_unserved: bool = False,
    ) -> None:
        super().__init__(f"ERROR {status} in the stream" if in_stream else f"HTTP {status}")
        self.status = status
        self.in_stream = in_stream
        self.retry_after = retry_after
        self.is_unserved = is_unserved


FAILURES = (StatusError, TransportError, MalformedObjectError, TimeoutError)
"""What a request may come to instead of an answer."""


async def check(response: Response, path: str) -> None:
    """Let pass what can hold a list or a stream, as the answer to `path`.

    Raises:
        StatusError: the status is not 200.
        TransportError: it is not JSON, so it is not the API server that answers.
    """
    if response.status != OK:
        retry_after = parse_retry_after(
            response.headers.get("Retry-After"), date=response.headers.get("Date")
        )
        is_unserved = (
            response.status == NOT_FOUND
            and path.startswith(_GROUPED)
            and ("Audit-Id" in response.headers or _is_not_found(await response.body()))
        )
        raise StatusError(response.status, retry_after=retry_after, is_unserved=is_unserved)
    content_type = response.headers.get("Content-Type", "")
    if not content_type.lower().startswith("application/json"):
        raise TransportError(f"answered with {content_type[:40]!r}, so not by an API server")


def _is_not_found(body: bytes) -> bool:
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.DecodeError:
        return False
    return (status.kind, status.reason) == ("Status", "NotFound")


def remedy_for(failure: Exception, *, optional: bool = False) -> Remedy:
    """What is to be done about a failure of a list or a watch.

    Args:
        failure: what it ended with.
        optional: whether a cluster may not have the resource, or not show it.
    """
    if isinstance(failure, MalformedObjectError):
        return Remedy.RESUME_ONCE
    if not isinstance(failure, StatusError):
        return Remedy.RESUME
    if optional and failure.is_unserved:
        return Remedy.AWAIT_RESOURCE
    remedy = BY_STATUS.get(failure.status)
    if remedy is not None:
        return remedy
    is_passing = not failure.in_stream and (failure.status or 0) >= INTERNAL_ERROR
    return Remedy.RESUME if is_passing else Remedy.RESUME_ONCE


def asks_for_pages(failure: Exception, *, accepted: bool, optional: bool = False) -> bool:
    """Whether a list in pages may succeed where one as a stream has failed.

    Args:
        failure: what the stream ended with.
        accepted: whether the API server had begun to answer with a stream.
        optional: as in `remedy_for`; without permission for both nothing is worth asking for.
    """
    if not isinstance(failure, StatusError):
        return accepted
    if optional and (failure.status == FORBIDDEN or failure.is_unserved):
        return False
    return remedy_for(failure) not in (Remedy.RESUME, Remedy.RELOAD_CREDENTIALS)


def words_for(failure: Exception) -> str:
    """The failure in words that are safe to show."""
    if isinstance(failure, TimeoutError):
        return "not finished in time"
    if isinstance(failure, MalformedObjectError):
        return "an answer that is not the API server's"
    return str(failure)
