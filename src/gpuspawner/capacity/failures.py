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
=========================================== ==================================================

A line that is no event may have been a deletion, which is why it is not just skipped: resuming
brings it again.
"""

from __future__ import annotations

from enum import Enum, auto

from gpuspawner.capacity.backoff import parse_retry_after
from gpuspawner.capacity.transport import Response, TransportError
from gpuspawner.errors import GPUSpawnerError, MalformedObjectError

OK = 200
INTERNAL_ERROR = 500


class Remedy(Enum):
    """What follows a failure."""

    RESUME = auto()
    RESUME_ONCE = auto()
    RELIST = auto()
    RELOAD_CREDENTIALS = auto()
    AWAIT_PERMISSION = auto()


BY_STATUS: dict[int | None, Remedy] = {
    400: Remedy.RELIST,
    401: Remedy.RELOAD_CREDENTIALS,
    403: Remedy.AWAIT_PERMISSION,
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
    """

    def __init__(
        self, status: int | None, *, in_stream: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"ERROR {status} in the stream" if in_stream else f"HTTP {status}")
        self.status = status
        self.in_stream = in_stream
        self.retry_after = retry_after


def check(response: Response) -> None:
    """Let pass what can hold a list or a stream.

    Raises:
        StatusError: the status is not 200.
        TransportError: it is not JSON, so it is not the API server that answers.
    """
    if response.status != OK:
        retry_after = parse_retry_after(
            response.headers.get("Retry-After"), date=response.headers.get("Date")
        )
        raise StatusError(response.status, retry_after=retry_after)
    content_type = response.headers.get("Content-Type", "")
    if not content_type.lower().startswith("application/json"):
        raise TransportError(f"answered with {content_type[:40]!r}, so not by an API server")


def remedy_for(failure: Exception) -> Remedy:
    """What is to be done about `failure` of a list or a watch."""
    if isinstance(failure, MalformedObjectError):
        return Remedy.RESUME_ONCE
    if not isinstance(failure, StatusError):
        return Remedy.RESUME
    remedy = BY_STATUS.get(failure.status)
    if remedy is not None:
        return remedy
    is_passing = not failure.in_stream and (failure.status or 0) >= INTERNAL_ERROR
    return Remedy.RESUME if is_passing else Remedy.RESUME_ONCE


def words_for(failure: Exception) -> str:
    """The failure in words that are safe to show."""
    if isinstance(failure, TimeoutError):
        return "not finished in time"
    if isinstance(failure, MalformedObjectError):
        return "an answer that is not the API server's"
    return str(failure)
