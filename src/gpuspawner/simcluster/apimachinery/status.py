"""Errors as the API server reports them: a `Status` object with Kubernetes' own words."""

from __future__ import annotations

from typing import Any

from gpuspawner.errors import GPUSpawnerError
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import ResourceType


class ApiError(GPUSpawnerError):
    """A request that the API server refuses.

    Args:
        code: the HTTP status.
        reason: Kubernetes' machine-readable word, such as `NotFound`.
        message: the words for people.
        details: the Status object's `details`.
    """

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        """Return the Status object that goes into the answer's body."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(resource: ResourceType, name: str, uid: str) -> Object:
    """Return the Status object that says that an object is gone."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": _details(resource, name, uid=uid),
    }


def _details(resource: ResourceType, name: str, **more: Any) -> Object:
    details: Object = {"name": name, "kind": resource.plural}
    if resource.group:
        details["group"] = resource.group
    return details | more


def not_found(resource: ResourceType, name: str) -> ApiError:
    """Return the error for an object that does not exist (404)."""
    return ApiError(
        404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name)
    )


def unknown_path() -> ApiError:
    """Return the error for a path that nothing serves (404)."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: ResourceType, name: str) -> ApiError:
    """Return the error for creating an object whose name is taken (409)."""
    return ApiError(
        409,
        "AlreadyExists",
        f'{resource.qualified} "{name}" already exists',
        _details(resource, name),
    )


STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(resource: ResourceType, name: str, why: str = STALE) -> ApiError:
    """Return the error for a write that another one has overtaken (409)."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
        _details(resource, name),
    )


def forbidden(resource: ResourceType, name: str, why: str) -> ApiError:
    """Return the error of an admission plugin or of authorization (403)."""
    named = f' "{name}"' if name else ""
    details = _details(resource, name) if name else {"kind": resource.plural}
    return ApiError(403, "Forbidden", f"{resource.qualified}{named} is forbidden: {why}", details)


def invalid(kind: str, name: str, *causes: tuple[str, str, str]) -> ApiError:
    """Return the error for an object that fails validation (422).

    Args:
        kind: the object's kind, qualified with its group.
        name: the object's name; may be empty.
        causes: for each problem the field, the machine-readable reason and the words.
    """
    words = [f"{field}: {message}" for field, _, message in causes]
    text = words[0] if len(words) == 1 else "[" + ", ".join(words) + "]"
    details: Object = {
        "name": name,
        "kind": kind.partition(".")[0],
        "causes": [
            {"reason": reason, "message": message, "field": field}
            for field, reason, message in causes
        ],
    }
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details)


def bad_request(message: str) -> ApiError:
    """Return the error for a request that cannot be understood (400)."""
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    """Return the error for a resourceVersion that was compacted away (410)."""
    return ApiError(410, "Expired", message)


def too_old(asked: int, oldest: int) -> ApiError:
    """Return the error for a watch that starts before what the history still holds (410)."""
    return expired(f"too old resource version: {asked} ({oldest})")


def too_large(asked: int, current: int) -> ApiError:
    """Return the error for a resourceVersion that the server has not reached (504)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )


def method_not_allowed() -> ApiError:
    """Return the error for a verb that a resource does not have (405)."""
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )
