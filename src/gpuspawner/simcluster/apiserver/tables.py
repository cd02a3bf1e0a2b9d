"""Objects as rows of a `meta.k8s.io/v1` Table, which is how kubectl asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import Object, read_timestamp
from gpuspawner.simcluster.apimachinery.resources import EVENTS, NODES, PODS, ResourceType

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def is_wanted(accept: str) -> bool:
    """Say whether an Accept header prefers a Table in the version that is served."""
    first = accept.split(",", maxsplit=1)[0].replace(" ", "")
    return "as=Table" in first and "v=v1;" in f"{first};" and "application/json" in first


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its cell for an object, and whether only `-o wide` shows it."""

    name: str
    cell: Callable[[Object, datetime], Any]
    wide: bool = False


def _duration(start: str | None, now: datetime) -> str:
    if not start:
        return "<unknown>"
    seconds = max(int((now - read_timestamp(start)).total_seconds()), 0)
    for size, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        # kubectl changes to a coarser unit only when there are some of them.
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def _status(obj: Object) -> Object:
    status: Object = obj.get("status") or {}
    return status


def _containers(obj: Object) -> list[Object]:
    return _status(obj).get("containerStatuses") or []


def _pod_ready(pod: Object, _: datetime) -> str:
    ready = sum(bool(item.get("ready")) for item in _containers(pod))
    return f"{ready}/{len(pod['spec'].get('containers') or [])}"


def _pod_status(pod: Object, _: datetime) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for item in _containers(pod):
        for state in (item.get("state") or {}).values():
            if isinstance(state, dict) and state.get("reason"):
                return str(state["reason"])
    return str(_status(pod).get("reason") or _status(pod).get("phase", "Unknown"))


def _pod_restarts(pod: Object, _: datetime) -> int:
    return sum(int(item.get("restartCount", 0)) for item in _containers(pod))


def _node_status(node: Object, _: datetime) -> str:
    conditions = {
        item.get("type"): item.get("status") for item in _status(node).get("conditions") or []
    }
    words = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if (node.get("spec") or {}).get("unschedulable"):
        words += ",SchedulingDisabled"
    return words


def _node_roles(node: Object, _: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    return ",".join(roles) or "<none>"


def _involved(event: Object, _: datetime) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


NAME = Column("Name", lambda obj, _: obj["metadata"]["name"])
AGE = Column("Age", lambda obj, now: _duration(obj["metadata"].get("creationTimestamp"), now))
_COLUMNS: Mapping[ResourceType, Sequence[Column]] = {
    PODS: (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        AGE,
        Column("IP", lambda obj, _: _status(obj).get("podIP") or "<none>", wide=True),
        Column("Node", lambda obj, _: obj["spec"].get("nodeName") or "<none>", wide=True),
    ),
    NODES: (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", lambda obj, _: _status(obj).get("nodeInfo", {}).get("kubeletVersion")),
    ),
    EVENTS: (
        Column("Last Seen", lambda obj, now: _duration(obj.get("lastTimestamp"), now)),
        Column("Type", lambda obj, _: obj.get("type")),
        Column("Reason", lambda obj, _: obj.get("reason")),
        Column("Object", _involved),
        Column("Message", lambda obj, _: obj.get("message")),
    ),
}


def table(
    resource: ResourceType,
    objects: Sequence[Object],
    metadata: Object,
    now: datetime,
    *,
    include: str = "",
) -> Object:
    """Return objects as a Table.

    Args:
        resource: the objects' resource.
        objects: one for each row.
        metadata: the list's, or the object's.
        now: the time against which ages are computed.
        include: the `includeObject` parameter: `Object`, `None`, or by default the metadata.
    """
    columns = _COLUMNS.get(resource, (NAME, AGE))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": column.name,
                "type": "string",
                "format": "name" if column is NAME else "",
                "description": column.name,
                "priority": int(column.wide),
            }
            for column in columns
        ],
        "rows": [
            {"cells": [column.cell(obj, now) for column in columns], "object": _row(obj, include)}
            for obj in objects
        ],
    }


def _row(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
