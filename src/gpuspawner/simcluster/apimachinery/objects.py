"""API objects as plain JSON: the alias, the copy and the time format that all parts share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""One API object in full, as the API server would send it."""


def copy_json(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    if type(value) is dict:
        return {key: copy_json(item) for key, item in value.items()}
    if type(value) is list:
        return [copy_json(item) for item in value]
    return value


def copy_object(obj: Object) -> Object:
    """Return a deep copy of an API object."""
    return {key: copy_json(item) for key, item in obj.items()}


def with_metadata(obj: Object, **fields: Any) -> Object:
    """Return `obj` with metadata fields replaced; everything else is shared with `obj`."""
    return {**obj, "metadata": {**obj["metadata"], **fields}}


def utc_now() -> datetime:
    """Return the wall clock's time; it is used for timestamps in objects and for nothing else."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Write a moment as Kubernetes' `metav1.Time` does: whole seconds, UTC, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_timestamp(text: str) -> datetime:
    """Read what `timestamp` writes."""
    return datetime.fromisoformat(text)
