"""The pods of a cluster's profiles, made by KubeSpawner with what the chart configures."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from kubespawner import KubeSpawner

from gpuspawner import GPUSpawner
from gpuspawner.catalog import Catalog, load_catalog
from gpuspawner.pod import HUB_LABELS, base_names, plan

from .chart import embedded_catalog, jupyterhub_config, values_of


async def pods_of(cluster: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The pod of each profile of a cluster, as it would be sent, by the profile's slug.

    Args:
        cluster: an overlay's name.
        folder: where the catalog is put meanwhile.
    """
    values = values_of(cluster)
    file = folder / "catalog.yaml"
    file.write_text(embedded_catalog(values))
    catalog = load_catalog(file)
    config = jupyterhub_config(values, file)
    return {
        profile.slug: await _pod(GPUSpawner(_mock=True, config=deepcopy(config)), catalog, profile)
        for profile in catalog.profiles
    }


async def _pod(spawner: KubeSpawner, catalog: Catalog, profile: Any) -> dict[str, Any]:
    base = {name: getattr(spawner, name) for name in base_names(catalog)}
    base[HUB_LABELS] = spawner._build_pod_labels({})
    planned = plan(profile, catalog, base, expand=spawner._expand_all)
    for name, value in planned.settings.items():
        setattr(spawner, name, deepcopy(value))
    spawner.environment = {}
    manifest = await spawner.get_pod_manifest()
    serialized: dict[str, Any] = spawner.api.api_client.sanitize_for_serialization(manifest)
    return serialized


def unrestricted(pod: Mapping[str, Any]) -> list[str]:
    """What the restricted pod security standard forbids in a pod; "Pod Security Standards"."""
    spec = pod["spec"]
    of_pod = spec.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes", []):
        found += sorted(volume.keys() - _VOLUMES)
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        both = {**of_pod, **container.get("securityContext", {})}
        found += [name for name, is_right in _RULES.items() if not is_right(both)]
    return found


_VOLUMES = {
    "name",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_RULES: Mapping[str, Any] = {
    "privileged": lambda its: not its.get("privileged"),
    "allowPrivilegeEscalation": lambda its: its.get("allowPrivilegeEscalation") is False,
    "runAsNonRoot": lambda its: its.get("runAsNonRoot") is True,
    "runAsUser": lambda its: its.get("runAsUser") != 0,
    "capabilities": lambda its: (
        "ALL" in its.get("capabilities", {}).get("drop", [])
        and set(its["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"}
    ),
    "seccompProfile": lambda its: (
        its.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"}
    ),
}
