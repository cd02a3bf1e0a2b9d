"""Whether a profile reached its pod, whatever the hub's configuration put over it."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from gpuspawner.capacity.model import NodeSelectorTerm, PodRequest, read_request, read_toleration
from gpuspawner.catalog import Accelerator, Catalog, Profile, duration_seconds
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.pod.devices import DEVICE_SETTINGS, is_device
from gpuspawner.pod.manifest import pod_manifest
from gpuspawner.pod.merging import camel_keys, items_of

DEADLINE = "activeDeadlineSeconds"


class ConflictError(GPUSpawnerError):
    """A profile and the hub's configuration cannot be merged; the text is for the operator."""


def check_mounts(settings: Mapping[str, Any]) -> None:
    """No two volumes are mounted on one path."""
    by_path: dict[str, str] = {}
    for mount in map(camel_keys, items_of(settings.get("volume_mounts"))):
        path = normpath("/" + str(mount.get("mountPath", "")).lstrip("/"))
        name = str(mount.get("name"))
        if path in by_path:
            raise ConflictError(
                f"the volumes {by_path[path]!r} and {name!r} are both mounted on {path}; give one "
                "of them another path, in the catalog or in the hub's configuration"
            )
        by_path[path] = name


def check_devices(profile: Profile, catalog: Catalog, request: PodRequest) -> None:
    """What the pod asks for is what the profile says, whatever the base put over it."""
    accelerator = catalog.accelerators[profile.accelerator] if profile.accelerator else None
    wanted = {accelerator.resource: profile.count} if accelerator else {}
    overridden = {
        resource
        for name in DEVICE_SETTINGS
        for resource in (profile.kubespawner_override.get(name) or {})
    }
    asked = {
        resource: amount
        for resource, amount in request.requests.items()
        if amount and is_device(resource, catalog) and resource not in overridden
    }
    if asked != {resource: n for resource, n in wanted.items() if resource not in overridden}:
        raise ConflictError(
            f"the pod would ask for {_listed(asked)}, the profile for {_listed(wanted)}; look for "
            "resources in extra_container_config, init_containers and extra_containers of the "
            "hub's configuration"
        )


def check_deadline(profile: Profile, manifest: Mapping[str, Any]) -> None:
    """The pod ends when the profile says."""
    if profile.session_limit is None:
        return
    if manifest["spec"].get(DEADLINE) != duration_seconds(profile.session_limit):
        raise ConflictError(
            "the session_limit does not reach the pod; look for activeDeadlineSeconds in "
            "extra_pod_config of the hub's configuration and in the profile's kubespawner_override"
        )


def check_placement(
    accelerator: Accelerator, manifest: Mapping[str, Any], request: PodRequest
) -> None:
    """What the accelerator says of placement reached the pod, whatever was put over it."""
    terms = [term.manifest() for term in accelerator.affinity]
    wanted: tuple[NodeSelectorTerm, ...] = ()
    if terms:
        wanted = read_request(pod_manifest({"node_affinity_required": terms})).affinity or ()
    spec = manifest["spec"]
    reached = {
        "node_selector": accelerator.node_selector.items() <= request.node_selector.items(),
        "tolerations": {read_toleration(t.manifest()) for t in accelerator.tolerations}
        <= set(request.tolerations),
        "affinity": not wanted
        or all(
            any(
                set(own.labels) <= set(term.labels) and set(own.fields) <= set(term.fields)
                for own in wanted
            )
            for term in request.affinity or (NodeSelectorTerm(),)
        ),
        "runtime_class": accelerator.runtime_class in (None, spec.get("runtimeClassName")),
        "priority_class": accelerator.priority_class in (None, spec.get("priorityClassName")),
    }
    lost = ", ".join(name for name, is_there in reached.items() if not is_there)
    if lost:
        raise ConflictError(
            f"what the accelerator says of {lost} does not reach the pod; look for it in "
            "extra_pod_config of the hub's configuration and in the profile's kubespawner_override"
        )


def _listed(resources: Mapping[str, int]) -> str:
    return ", ".join(f"{amount} {resource}" for resource, amount in resources.items()) or "none"
