"""Which failures say that the API server is away."""

from __future__ import annotations

import json

import aiohttp
from kubernetes_asyncio.client import ApiException

from gpuspawner.errors import GPUSpawnerError

_INTERNAL_ERROR = 500
_PASSING = frozenset({401, 408, 429, 500, 502, 503, 504})
"""Answers that say nothing about the request; 401 comes while a token is being replaced."""


class ClusterUnreachableError(GPUSpawnerError):
    """The API server has not yet said what there is."""


def is_unreachable(error: BaseException) -> bool:
    """Whether `error` says that the API server is away, rather than what it thinks of a request.

    A 500 in its own words is an answer: so it says that an admission webhook has failed.
    """
    return is_passing(error) and not (
        isinstance(error, ApiException)
        and error.status == _INTERNAL_ERROR
        and _is_status(error.body)
    )


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ApiException):
        return error.status in _PASSING
    return isinstance(error, ClusterUnreachableError | aiohttp.ClientError | ConnectionError)


def _is_status(body: str | bytes | None) -> bool:
    try:
        status = json.loads(body or b"")
    except ValueError:
        return False
    return isinstance(status, dict) and status.get("kind") == "Status"
