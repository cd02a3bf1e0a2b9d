"""How an object changes by being updated, bound and deleted: pure rules over API JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import (
    Object,
    read_timestamp,
    timestamp,
    with_metadata,
)
from gpuspawner.simcluster.apimachinery.resources import PODS, ResourceType
from gpuspawner.simcluster.apimachinery.status import bad_request, conflict

_KEPT_METADATA = (
    "uid",
    "name",
    "namespace",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must hold for a delete to be carried out; None is not checked."""

    uid: str | None = None
    resource_version: str | None = None

    def check(self, resource: ResourceType, obj: Object) -> None:
        """Raise ApiError 409 when the object is not the one that the client meant."""
        meta = obj["metadata"]
        for what, want, have in (
            ("UID", self.uid, meta["uid"]),
            ("ResourceVersion", self.resource_version, meta["resourceVersion"]),
        ):
            if want is not None and want != have:
                why = f"Precondition failed: {what} in precondition: {want}, {what} in object "
                raise conflict(resource, meta["name"], f"{why}meta: {have}")


def update(resource: ResourceType, old: Object, new: Object, subresource: str | None) -> Object:
    """Return the object that results from writing `new` over `old`.

    The parts that a write through this endpoint does not own are taken from `old`: the status
    unless it is written through `status`, everything but status and metadata otherwise.

    Raises:
        ApiError: 400 when `new` bears another name, 409 when it is not based on `old`.
    """
    before, after = old["metadata"], new.get("metadata") or {}
    name = before["name"]
    # Clients spell "whichever it is" by leaving a field out, by null or by an empty string.
    if (have := after.get("name") or name) != name:
        words = f"the name of the object ({have}) does not match the name on the URL ({name})"
        raise bad_request(words)
    if (uid := after.get("uid") or before["uid"]) != before["uid"]:
        have = before["uid"]
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {have}"
        raise conflict(resource, name, why)
    version: str = before["resourceVersion"]
    if (after.get("resourceVersion") or version) != version:
        raise conflict(resource, name)
    kept = {key: before[key] for key in _KEPT_METADATA if key in before}
    changed = {key: value for key, value in after.items() if key not in _KEPT_METADATA}
    body = {**old, "status": new.get("status") or {}} if subresource == "status" else dict(new)
    if subresource is None and resource.has_status:
        body.pop("status", None)
        if "status" in old:
            body["status"] = old["status"]
    result = {
        **body,
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {**kept, **changed, "resourceVersion": version},
    }
    return _without_empty_metadata(result)


def _without_empty_metadata(obj: Object) -> Object:
    """Drop what JSON clients spell as null and the API server does not store."""
    meta = {key: value for key, value in obj["metadata"].items() if value not in (None, [], {})}
    return {**obj, "metadata": meta}


def bound_to(pod: Object, node: str, now: datetime) -> Object:
    """Return `pod` as assigned to a node; ApiError 409 when it is already or is being deleted."""
    name = pod["metadata"]["name"]
    if have := pod["spec"].get("nodeName"):
        why = f'pod {name} is already assigned to node "{have}"'
        raise conflict(PODS, name, why)
    if "deletionTimestamp" in pod["metadata"]:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise conflict(PODS, name, why)
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(now),
    }
    bound = {**pod, "spec": {**pod["spec"], "nodeName": node}}
    return set_condition(bound, scheduled)


def grace_period(resource: ResourceType, obj: Object, asked: int | None) -> int:
    """Return how many seconds a deletion gives an object; only running pods get any.

    A pod that is not bound, or whose containers have ended, has nothing to wait for.
    """
    if resource is not PODS:
        return 0
    spec: Object = obj["spec"]
    phase = (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in TERMINAL_PHASES:
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def mark_deleted(obj: Object, grace: int, now: datetime) -> Object:
    """Return `obj` with a deletion under way; one already under way is only ever shortened."""
    meta = obj["metadata"]
    earlier: str | None = meta.get("deletionTimestamp")
    start = now
    if earlier is not None:
        had = int(meta.get("deletionGracePeriodSeconds", 0))
        if grace >= had:
            return obj
        start = read_timestamp(earlier) - timedelta(seconds=had)
    return with_metadata(
        obj,
        deletionTimestamp=timestamp(start + timedelta(seconds=grace)),
        deletionGracePeriodSeconds=grace,
    )


def is_finished(obj: Object) -> bool:
    """Say whether a deleted object waits neither for its grace period nor for a finalizer."""
    meta = obj["metadata"]
    return (
        "deletionTimestamp" in meta
        and not meta.get("deletionGracePeriodSeconds")
        and not meta.get("finalizers")
        and not _is_namespace_in_use(obj)
    )


def _is_namespace_in_use(obj: Object) -> bool:
    return obj["kind"] == "Namespace" and bool(obj.get("spec", {}).get("finalizers"))


def set_condition(obj: Object, condition: dict[str, Any]) -> Object:
    """Return `obj` with one of its status conditions added or replaced by type."""
    status = obj.get("status") or {}
    others = [
        item for item in status.get("conditions") or [] if item.get("type") != condition["type"]
    ]
    return {**obj, "status": {**status, "conditions": [*others, condition]}}
