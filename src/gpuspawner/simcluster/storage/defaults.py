"""What the API server fills in when an object is created: defaulting and admission.

Pods are treated as the built-in admission plugins treat them (DefaultTolerationSeconds, Priority,
RuntimeClass, LimitRanger's container defaults, PodSecurity); other kinds get only what clients read
back.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeAlias

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    LIMITRANGES,
    NAMESPACES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    PRIORITYCLASSES,
    RUNTIMECLASSES,
    SECRETS,
    SERVICES,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.status import forbidden
from gpuspawner.simcluster.storage.pod_security import check_pod_security

Lookup: TypeAlias = Callable[[ResourceType, str], list[Object]]
"""Returns the objects of a resource in a namespace (ignored for cluster-wide resources)."""

SYSTEM_PRIORITIES = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
"""The PriorityClasses that every cluster has."""


def admit(resource: ResourceType, obj: Object, lookup: Lookup) -> None:
    """Fill in a new object in place.

    Raises:
        ApiError: 403 when an admission plugin refuses it.
    """
    if resource is PODS:
        _admit_pod(obj, lookup)
    elif resource is NAMESPACES:
        name = obj["metadata"]["name"]
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj["status"] = {"phase": "Active"}
    elif resource is SECRETS:
        obj.setdefault("type", "Opaque")
        merge_string_data(obj)
    elif resource is SERVICES:
        obj.setdefault("spec", {}).setdefault("type", "ClusterIP")
        obj["status"] = {"loadBalancer": {}}
    elif resource is PERSISTENTVOLUMECLAIMS:
        obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        obj["status"] = {"phase": "Pending"}


def merge_string_data(secret: Object) -> None:
    """Move a Secret's write-only `stringData` into `data`, in place."""
    plain = secret.pop("stringData", None) or {}
    encoded = {key: b64encode(text.encode()).decode() for key, text in plain.items()}
    if encoded:
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def containers(spec: Object) -> list[Object]:
    """Return a pod's init containers and containers."""
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _admit_pod(pod: Object, lookup: Lookup) -> None:
    spec: Object = pod["spec"]
    _apply_runtime_class(pod, lookup)
    for limits in lookup(LIMITRANGES, pod["metadata"]["namespace"]):
        _apply_limit_range(spec, limits)
    for container in containers(spec):
        _default_container(container)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("securityContext", {})
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec.get("serviceAccount") or "default"
    _apply_priority(pod, lookup)
    _tolerate_unreachable_nodes(spec)
    pod["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}
    place = _named(lookup(NAMESPACES, ""), pod["metadata"]["namespace"])
    check_pod_security(
        pod, containers(spec), (place or {"metadata": {}})["metadata"].get("labels", {})
    )


def _default_container(container: Object) -> None:
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.get("resources")
    if not resources:
        container["resources"] = {}
    elif resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")


def _apply_limit_range(spec: Object, limit_range: Object) -> None:
    for item in (limit_range.get("spec") or {}).get("limits") or []:
        if item.get("type") != "Container":
            continue
        for container in containers(spec):
            resources: dict[str, Any] = container.get("resources") or {}
            own_limits = resources.get("limits") or {}
            # A request that follows from the container's own limit wins over defaultRequest.
            requests = {**own_limits, **(resources.get("requests") or {})}
            container["resources"] = {
                **resources,
                "limits": {**(item.get("default") or {}), **own_limits},
                "requests": {**(item.get("defaultRequest") or {}), **requests},
            }


def _apply_runtime_class(pod: Object, lookup: Lookup) -> None:
    spec: Object = pod["spec"]
    name = spec.get("runtimeClassName")
    if not name:
        return
    found = _named(lookup(RUNTIMECLASSES, ""), name)
    if found is None:
        why = f'pod rejected: RuntimeClass "{name}" not found'
        raise forbidden(PODS, pod["metadata"]["name"], why)
    if overhead := (found.get("overhead") or {}).get("podFixed"):
        spec["overhead"] = dict(overhead)
    scheduling = found.get("scheduling") or {}
    own, extra = spec.get("nodeSelector") or {}, scheduling.get("nodeSelector") or {}
    for key in own.keys() & extra.keys():
        if own[key] != extra[key]:
            why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {extra[key]};"
            why += f" pod.spec.nodeSelector[{key}] = {own[key]}"
            raise forbidden(PODS, pod["metadata"]["name"], why)
    if extra:
        spec["nodeSelector"] = {**own, **extra}
    if tolerations := scheduling.get("tolerations"):
        have = spec.get("tolerations") or []
        spec["tolerations"] = [*have, *(item for item in tolerations if item not in have)]


def _apply_priority(pod: Object, lookup: Lookup) -> None:
    spec: Object = pod["spec"]
    classes = lookup(PRIORITYCLASSES, "")
    name = spec.get("priorityClassName")
    if name:
        chosen = _named(classes, name)
        if chosen is None:
            why = f"no PriorityClass with name {name} was found"
            raise forbidden(PODS, pod["metadata"]["name"], why)
    else:
        chosen = next((item for item in classes if item.get("globalDefault")), None)
        if chosen is not None:
            spec["priorityClassName"] = chosen["metadata"]["name"]
    spec["priority"] = chosen["value"] if chosen else 0
    policy = chosen.get("preemptionPolicy") if chosen else None
    spec["preemptionPolicy"] = policy or "PreemptLowerPriority"


def _named(objects: list[Object], name: str) -> Object | None:
    return next((item for item in objects if item["metadata"]["name"] == name), None)


def _tolerate_unreachable_nodes(spec: Object) -> None:
    tolerations = list(spec.get("tolerations") or [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            item.get("key") in (key, None, "") and item.get("effect") in ("NoExecute", None, "")
            for item in tolerations
        ):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            )
    spec["tolerations"] = tolerations


def _qos_class(spec: Object) -> str:
    """Classify by cpu and memory; equal spellings count as equal amounts."""
    vectors = [
        {kind: _compute(item["resources"].get(kind) or {}) for kind in ("requests", "limits")}
        for item in containers(spec)
    ]
    if not any(vector["requests"] or vector["limits"] for vector in vectors):
        return "BestEffort"
    guaranteed = all(
        len(vector["limits"]) == 2 and vector["limits"] == vector["requests"]  # noqa: PLR2004
        for vector in vectors
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _compute(amounts: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in amounts.items() if key in ("cpu", "memory")}
