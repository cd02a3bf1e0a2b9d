"""Where an object goes when it is created, and what it is called there."""

from __future__ import annotations

import secrets

from gpuspawner.simcluster.apimachinery import status
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import ResourceType

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_MAX_GENERATED_PREFIX = 58


def set_namespace(resource: ResourceType, namespace: str | None, meta: Object) -> None:
    """Fill in the namespace of a request, in place; 400 when the object names another."""
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    if not namespace:
        raise status.bad_request("an empty namespace may not be set during creation")
    if meta.setdefault("namespace", namespace) != namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def require_active(namespace: Object, resource: ResourceType, meta: Object) -> None:
    """Raise ApiError 403 when the namespace is being deleted."""
    if "deletionTimestamp" in namespace["metadata"]:
        why = f"unable to create new content in namespace {meta['namespace']} because it is being "
        raise status.forbidden(resource, meta.get("name", ""), f"{why}terminated")


def set_name(resource: ResourceType, meta: Object) -> None:
    """Generate a name if the object has only a prefix for it, in place; 422 without either."""
    if meta.get("name"):
        return
    prefix: str = meta.get("generateName") or ""
    if not prefix:
        words = "Required value: name or generateName is required"
        cause = ("metadata.name", "FieldValueRequired", words)
        raise status.invalid(resource.qualified_kind, "", cause)
    suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
    meta["name"] = prefix[:_MAX_GENERATED_PREFIX] + suffix
