"""The catalog's volumes as Kubernetes' volumes and mounts."""

from __future__ import annotations

from typing import Any

from gpuspawner.catalog import Volume


def volume_and_mount(name: str, volume: Volume) -> tuple[dict[str, Any], dict[str, Any]]:
    """A core/v1 Volume and VolumeMount, named after the volume's name in the catalog."""
    pod_name = f"profile-{name}"
    mount: dict[str, Any] = {"name": pod_name, "mountPath": volume.mount_path}
    if volume.read_only:
        mount["readOnly"] = True
    if volume.sub_path:
        mount["subPath"] = volume.sub_path
    return {"name": pod_name, **_source(volume)}, mount


def _source(volume: Volume) -> dict[str, Any]:
    if volume.ephemeral is not None:
        spec: dict[str, Any] = {
            "accessModes": [volume.ephemeral.access_mode],
            "resources": {"requests": {"storage": volume.ephemeral.size}},
        }
        if volume.ephemeral.storage_class is not None:
            spec["storageClassName"] = volume.ephemeral.storage_class
        return {"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
    if volume.empty_dir is not None:
        return {"emptyDir": _given(sizeLimit=volume.empty_dir.size_limit)}
    if volume.shared_memory is not None:
        return {"emptyDir": {"medium": "Memory", **_given(sizeLimit=volume.shared_memory.size)}}
    if volume.host_path is not None:
        return {"hostPath": _given(path=volume.host_path.path, type=volume.host_path.type)}
    if volume.nfs is not None:
        source: dict[str, Any] = {"server": volume.nfs.server, "path": volume.nfs.path}
        return {"nfs": {**source, **({"readOnly": True} if volume.read_only else {})}}
    if volume.claim is not None:
        claim: dict[str, Any] = {"claimName": volume.claim.name}
        claim.update({"readOnly": True} if volume.read_only else {})
        return {"persistentVolumeClaim": claim}
    raise AssertionError("the catalog checks that a volume has one source")


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
