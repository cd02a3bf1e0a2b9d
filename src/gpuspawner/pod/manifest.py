"""The pod that KubeSpawner makes of its settings, as far as scheduling looks at it.

This follows ``kubespawner.objects.make_pod``; a test holds it to that function's own output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gpuspawner.pod.merging import camel_keys, items_of

Expand = Callable[[Any], Any]

_EXPANDED = (
    "extra_annotations",
    "extra_containers",
    "extra_labels",
    "extra_pod_config",
    "init_containers",
    "service_account",
    "volumes",
)
HUB_LABELS = "hub_labels"
"""Not a trait: the labels that KubeSpawner itself gives to a pod."""

_DEFAULT_PORT = 8888
_RESOURCES = (("requests", "guarantee", "guarantees"), ("limits", "limit", "limits"))
_POD_SECURITY = {"fs_gid": "fsGroup", "supplemental_gids": "supplementalGroups"}
_CONTAINER_SECURITY = {
    "uid": "runAsUser",
    "gid": "runAsGroup",
    "privileged": "privileged",
    "allow_privilege_escalation": "allowPrivilegeEscalation",
}
ADMISSION_NAMES = frozenset(
    {
        *_POD_SECURITY,
        *_CONTAINER_SECURITY,
        "automount_service_account_token",
        "container_security_context",
        "extra_annotations",
        "image_pull_policy",
        "pod_security_context",
        "service_account",
    }
)
"""The traits that nothing but admission looks at."""


def pod_manifest(
    settings: Mapping[str, Any], expand: Expand = lambda value: value
) -> dict[str, Any]:
    """A core/v1 Pod with the fields that decide where it may run, and most that admit it.

    Args:
        settings: values of KubeSpawner's traits; those that are left out have their default.
        expand: replaces ``{username}`` and the like in what KubeSpawner expands.
    """
    expanded = {name: expand(settings[name]) for name in _EXPANDED if settings.get(name)}
    settings = {**settings, **expanded}
    spec: dict[str, Any] = {
        "containers": [_notebook(settings), *_parts(settings, "extra_containers")],
        "initContainers": _parts(settings, "init_containers"),
        "nodeSelector": settings.get("node_selector") or {},
        "tolerations": _parts(settings, "tolerations"),
        "affinity": _affinity(settings),
        "schedulerName": settings.get("scheduler_name"),
        "priorityClassName": settings.get("priority_class_name"),
        "volumes": _parts(settings, "volumes"),
        "securityContext": _security(settings, _POD_SECURITY, "pod_security_context"),
        "serviceAccountName": settings.get("service_account"),
        "automountServiceAccountToken": _mounts_token(settings),
    }
    spec.update(camel_keys(settings.get("extra_pod_config") or {}))
    return {
        "metadata": {
            "name": settings.get("pod_name") or "candidate",
            "namespace": settings.get("namespace") or "default",
            "labels": {**(settings.get("extra_labels") or {}), **settings.get(HUB_LABELS, {})},
            "annotations": settings.get("extra_annotations") or {},
        },
        "spec": spec,
    }


def admission_key(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What of a manifest admission looks at, less what is a person's own."""
    own = settings.get(HUB_LABELS, {})
    labels = {key: value for key, value in manifest["metadata"]["labels"].items() if key not in own}
    spec = {key: value for key, value in manifest["spec"].items() if key != "volumes"}
    annotations = manifest["metadata"]["annotations"]
    return json.dumps([labels, annotations, spec], sort_keys=True, default=str)


def admission_decides(manifest: Mapping[str, Any]) -> bool:
    """Whether admission may well make another pod of it, as far as scheduling looks at it.

    A RuntimeClass adds overhead and placement rules, a PriorityClass the priority, and a
    LimitRange the amounts of CPU and memory that a container does not name.
    """
    spec = manifest["spec"]
    if spec.get("runtimeClassName") or spec.get("priorityClassName"):
        return True
    return any(
        not (resources.get("requests") or {}).get(name)
        and not (resources.get("limits") or {}).get(name)
        for part in ("containers", "initContainers")
        for container in spec.get(part) or ()
        for resources in (container.get("resources") or {},)
        for name in ("cpu", "memory")
    )


def _notebook(settings: Mapping[str, Any]) -> dict[str, Any]:
    resources: dict[str, dict[str, Any]] = {}
    for kind, amount, extra in _RESOURCES:
        of_kind = {
            "cpu": settings.get(f"cpu_{amount}"),
            "memory": settings.get(f"mem_{amount}"),
        }
        resources[kind] = {name: value for name, value in of_kind.items() if value}
        resources[kind].update(settings.get(f"extra_resource_{extra}") or {})
    return {
        "name": "notebook",
        "image": settings.get("image"),
        "imagePullPolicy": settings.get("image_pull_policy"),
        "resources": resources,
        "ports": [{"containerPort": settings.get("port") or _DEFAULT_PORT}],
        "securityContext": _security(settings, _CONTAINER_SECURITY, "container_security_context"),
        **camel_keys(settings.get("extra_container_config") or {}),
    }


def _security(
    settings: Mapping[str, Any], names: Mapping[str, str], rest: str
) -> dict[str, Any] | None:
    """A security context, less what a function of the hub's configuration would give."""
    set_ones = {
        name: settings[name]
        for name in (*names, rest)
        if settings.get(name) not in (None, [], {}) and not callable(settings[name])
    }
    if not set_ones.get("privileged"):
        set_ones.pop("privileged", None)
    context = {names[name]: value for name, value in set_ones.items() if name in names}
    return {**context, **set_ones.get(rest, {})} or None


def _mounts_token(settings: Mapping[str, Any]) -> bool | None:
    """Not into a pod that is given no service account, unless the hub's configuration says so."""
    mounts: bool | None = settings.get("automount_service_account_token")
    return False if mounts is None and settings.get("service_account") is None else mounts


def _affinity(settings: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "podAffinity": "pod_affinity_required",
        "podAntiAffinity": "pod_anti_affinity_required",
    }
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity: dict[str, Any] = {
        key: {required: _parts(settings, name)} for key, name in names.items()
    }
    terms = _parts(settings, "node_affinity_required")
    if terms:
        affinity["nodeAffinity"] = {required: {"nodeSelectorTerms": terms}}
    return affinity


def _parts(settings: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [camel_keys(part) for part in items_of(settings.get(name))]
