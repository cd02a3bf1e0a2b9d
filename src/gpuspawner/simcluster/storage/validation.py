"""The checks of the API machinery that clients can run into."""

from __future__ import annotations

import re
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import NAMESPACES, PODS, SERVICES, ResourceType
from gpuspawner.simcluster.apimachinery.status import bad_request, invalid
from gpuspawner.simcluster.storage.defaults import containers
from gpuspawner.simcluster.storage.pod_security import level_problems

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DNS_LABEL = re.compile(_LABEL)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?")
_MAX_NAME = 253
_MAX_LABEL = 63

_NAME_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character"
)
_POD_CHANGES = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.terminationGracePeriodSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations)"
)


def check_shape(resource: ResourceType, obj: Any) -> None:
    """Raise ApiError 400 unless `obj` is an object of `resource`'s kind with metadata."""
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata", {}), dict):
        raise bad_request("the request's body is not an API object")
    have = (obj.get("apiVersion", resource.api_version), obj.get("kind", resource.kind))
    if have != (resource.api_version, resource.kind):
        raise bad_request(
            f"{have[0]}, Kind={have[1]} was sent where {resource.api_version}, "
            f"Kind={resource.kind} is expected"
        )


def check_object(resource: ResourceType, obj: Object) -> None:
    """Raise ApiError 422 when a name, a label or a pod's spec is not acceptable."""
    meta = obj["metadata"]
    name = meta["name"]
    problems = [*_name_problems(resource, name), *_label_problems(meta.get("labels") or {})]
    if resource is PODS:
        problems += _pod_problems(obj)
    if resource is NAMESPACES and not problems:
        # As an admission plugin of the real one does, which comes after these checks.
        problems += level_problems(meta.get("labels") or {})
    if problems:
        raise invalid(resource.qualified_kind, name, *problems)


def _name_problems(resource: ResourceType, name: str) -> list[tuple[str, str, str]]:
    pattern, limit = (_DNS_LABEL, _MAX_LABEL) if resource is SERVICES else (_SUBDOMAIN, _MAX_NAME)
    if len(name) <= limit and pattern.fullmatch(name):
        return []
    return [("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {_NAME_WORDS}')]


def _label_problems(labels: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("metadata.labels", "FieldValueInvalid", f'Invalid value: "{value}": {_VALUE_WORDS}')
        for value in labels.values()
        if not isinstance(value, str)
        or len(value) > _MAX_LABEL
        or not _LABEL_VALUE.fullmatch(value)
    ]


def _pod_problems(pod: Object) -> list[tuple[str, str, str]]:
    spec = pod.get("spec")
    if not isinstance(spec, dict) or not spec.get("containers"):
        return [("spec.containers", "FieldValueRequired", "Required value")]
    names = [item.get("name") or "" for item in containers(spec)]
    problems = [
        ("spec.containers.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
        for name in {name for name in names if names.count(name) > 1}
    ]
    volumes = {item.get("name") for item in spec.get("volumes") or []}
    for item in containers(spec):
        if not item.get("name"):
            problems.append(("spec.containers.name", "FieldValueRequired", "Required value"))
        problems += [
            ("spec.containers.volumeMounts.name", "FieldValueNotFound", f'Not found: "{name}"')
            for name in (mount.get("name") for mount in item.get("volumeMounts") or [])
            if name not in volumes
        ]
    return problems


def check_update(resource: ResourceType, new: Object, old: Object) -> None:
    """Raise ApiError 422 when an update changes what may not change."""
    if resource is PODS and _fixed_spec(new) != _fixed_spec(old):
        cause = ("spec", "FieldValueForbidden", f"Forbidden: {_POD_CHANGES}")
        raise invalid(resource.qualified_kind, new["metadata"]["name"], cause)


_MUTABLE_SPEC = frozenset(
    {
        "activeDeadlineSeconds",
        "schedulingGates",
        "terminationGracePeriodSeconds",
        "tolerations",
    }
)


def _fixed_spec(pod: Object) -> Object:
    spec = {
        key: value for key, value in (pod.get("spec") or {}).items() if key not in _MUTABLE_SPEC
    }
    for key in ("containers", "initContainers"):
        spec[key] = [
            {field: value for field, value in item.items() if field != "image"}
            for item in spec.get(key) or []
        ]
    return spec
