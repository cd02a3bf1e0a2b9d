"""What cluster-autoscaler says of its node groups, in its ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gpuspawner.capacity import wire
from gpuspawner.capacity.wire.autoscaler import ConfigMap
from gpuspawner.errors import MalformedObjectError

STATUS_NAMESPACE = "kube-system"
STATUS_NAME = "cluster-autoscaler-status"


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """A node group.

    Attributes:
        max_size: how many nodes it may have; None if that is not said.
        is_healthy: whether its health is Healthy, and the whole cluster's: in one where too many
            nodes are not ready, nothing is scaled.
        is_backing_off: whether the last attempt to add a node failed a short while ago.
    """

    max_size: int | None = None
    is_healthy: bool = True
    is_backing_off: bool = False


@dataclass(frozen=True, slots=True)
class AutoscalerStatus:
    """All groups by name; none if the ConfigMap is in the old form, which is for people only."""

    namespace: str
    name: str
    uid: str
    groups: Mapping[str, NodeGroup]


def read_autoscaler_status(obj: bytes | Mapping[str, Any]) -> AutoscalerStatus:
    """The status, as cluster-autoscaler 1.30 and newer write it (YAML under ``data.status``).

    Raises:
        MalformedObjectError: it is not a ConfigMap, or its status is not YAML.
    """
    raw = wire.decode(obj, ConfigMap)
    try:
        status = yaml.safe_load((raw.data or {}).get("status", ""))
    except yaml.YAMLError as error:
        raise MalformedObjectError(f"{STATUS_NAME}: not YAML") from error
    said = status if isinstance(status, dict) else {}
    groups = said.get("nodeGroups")
    is_scaling = _is_healthy(_part(said, "clusterWide"))
    return AutoscalerStatus(
        namespace=raw.metadata.namespace or "",
        name=raw.metadata.name or "",
        uid=raw.metadata.uid or "",
        groups={
            str(group["name"]): _group(group, is_scaling=is_scaling)
            for group in (groups if isinstance(groups, list) else ())
            if isinstance(group, dict) and "name" in group
        },
    )


def _group(raw: Mapping[str, Any], *, is_scaling: bool) -> NodeGroup:
    health, scale_up = _part(raw, "health"), _part(raw, "scaleUp")
    size = health.get("maxSize")
    return NodeGroup(
        max_size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        is_healthy=is_scaling and _is_healthy(raw),
        is_backing_off=scale_up.get("status") == "Backoff",
    )


def _is_healthy(raw: Mapping[str, Any]) -> bool:
    return bool(_part(raw, "health").get("status", "Healthy") == "Healthy")


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else {}
