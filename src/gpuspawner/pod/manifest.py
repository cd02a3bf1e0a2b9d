"""The pod that KubeSpawner makes of its settings, as far as scheduling looks at it.

This follows ``kubespawner.objects.make_pod``; a test holds it to that function's own output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gpuspawner.pod.merging import camel_keys, items_of

Expand = Callable[[Any], Any]

_EXPANDED = ("extra_containers", "extra_pod_config", "init_containers")
_DEFAULT_PORT = 8888
_RESOURCES = (("requests", "guarantee", "guarantees"), ("limits", "limit", "limits"))


def pod_manifest(
    settings: Mapping[str, Any], expand: Expand = lambda value: value
) -> dict[str, Any]:
    """A core/v1 Pod with the fields that decide where it may run.

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
    }
    spec.update(camel_keys(settings.get("extra_pod_config") or {}))
    return {
        "metadata": {
            "name": "candidate",
            "namespace": settings.get("namespace") or "default",
            "labels": settings.get("extra_labels") or {},
        },
        "spec": spec,
    }


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
        "resources": resources,
        "ports": [{"containerPort": settings.get("port") or _DEFAULT_PORT}],
        **camel_keys(settings.get("extra_container_config") or {}),
    }


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
