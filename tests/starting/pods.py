"""Pods and events in JSON, as KubeSpawner's reflectors hold them.

The words are those that real clusters sent, taken from Kubernetes 1.36's source and from public
issues of kubespawner, zero-to-jupyterhub, 2i2c, PlanetaryComputer, Pangeo, Karpenter and
cluster-autoscaler. Names of people, clusters and projects in them are made up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
IMAGE = "quay.io/jupyter/pytorch-notebook:cuda12-2026-06-29"
KUBELET = "kubelet"


def a_time(before_now: float = 0) -> str:
    """A moment so many seconds before `NOW`, as Kubernetes writes it."""
    return (NOW - timedelta(seconds=before_now)).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_pod(
    *,
    node: str = "",
    conditions: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    requests: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Ada's pod; `conditions` is type to status, or to a dictionary of more fields."""
    status: dict[str, Any] = {
        "phase": "Pending",
        "conditions": [
            {"type": kind, **(given if isinstance(given, dict) else {"status": given})}
            for kind, given in (conditions or {}).items()
        ],
    }
    if state is not None:
        status["containerStatuses"] = [{"name": "notebook", "state": state}]
    container: dict[str, Any] = {"name": "notebook", "image": IMAGE}
    if requests:
        container["resources"] = {"requests": requests, "limits": requests}
    metadata: dict[str, Any] = {"name": "jupyter-ada", "namespace": "prod", "uid": "u-1"}
    spec: dict[str, Any] = {"containers": [container]}
    if node:
        spec["nodeName"] = node
    metadata |= more.pop("metadata", {})
    status |= more.pop("status", {})
    spec |= more.pop("spec", {})
    return {"metadata": metadata, "spec": spec, "status": status}


def unscheduled(text: str, reason: str = "Unschedulable", **more: Any) -> dict[str, Any]:
    """A pod of which the scheduler says `text`."""
    return a_pod(
        conditions={"PodScheduled": {"status": "False", "reason": reason, "message": text}}, **more
    )


def an_event(
    reason: str,
    text: str = "",
    *,
    ago: float = 0,
    source: str = KUBELET,
    path: str = "",
    uid: str | None = "u-1",
) -> dict[str, Any]:
    """An event about the pod, which last happened so many seconds ago."""
    regarding: dict[str, Any] = {"kind": "Pod", "name": "jupyter-ada", "namespace": "prod"}
    if uid is not None:
        regarding["uid"] = uid
    if path:
        regarding["fieldPath"] = path
    return {
        "metadata": {"name": "jupyter-ada.1", "namespace": "prod", "uid": f"{reason}-{ago}"},
        "involvedObject": regarding,
        "reason": reason,
        "message": text,
        "type": "Normal",
        "source": {"component": source},
        "firstTimestamp": a_time(ago),
        "lastTimestamp": a_time(ago),
        "eventTime": None,
    }


def of_notebook(reason: str, text: str = "", **more: Any) -> dict[str, Any]:
    """An event about the notebook's container."""
    return an_event(reason, text, path="spec.containers{notebook}", **more)


def of_init(reason: str, text: str = "", **more: Any) -> dict[str, Any]:
    """An event about an init container."""
    return an_event(reason, text, path="spec.initContainers{block-cloud-metadata}", **more)
