"""What the Zero to JupyterHub chart 4.4.0 makes of values, as far as helm-values/ uses it.

The chart itself is no package of any registry that the tests reach. Its schema of values stands
beside this file (draft 7, data of the chart, BSD-3-Clause, without its descriptions); how values
become JupyterHub's configuration is written here as the chart documents it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from traitlets.config import Config

CHART_VERSION = "4.4.0"
ROOT = Path(__file__).parents[2]
HELM_VALUES = ROOT / "helm-values"
BASE = HELM_VALUES / "base.yaml"
MANIFESTS = HELM_VALUES / "manifests"
CLUSTERS = ("campus-a100", "cloud-pool", "homelab-3090", "observatory-a4000", "regulated-rke2")
CATALOG_FILE = "gpuspawner-catalog.yaml"
_SCHEMA = Path(__file__).with_name(f"values.schema-{CHART_VERSION}.json")

# Values of the chart that become a trait of the same meaning.
_HUB_TRAITS = {
    "concurrentSpawnLimit": "concurrent_spawn_limit",
    "activeServerLimit": "active_server_limit",
    "allowNamedServers": "allow_named_servers",
    "namedServerLimitPerUser": "named_server_limit_per_user",
    "authenticatePrometheus": "authenticate_prometheus",
}
_SPAWNER_TRAITS = {
    "startTimeout": "start_timeout",
    "events": "events_enabled",
    "extraLabels": "extra_labels",
    "extraAnnotations": "extra_annotations",
    "uid": "uid",
    "fsGid": "fs_gid",
    "allowPrivilegeEscalation": "allow_privilege_escalation",
    "serviceAccountName": "service_account",
    "extraTolerations": "tolerations",
    "nodeSelector": "node_selector",
    "initContainers": "init_containers",
    "extraEnv": "environment",
    "profileList": "profile_list",
    "extraPodConfig": "extra_pod_config",
    "defaultUrl": "default_url",
}
# What the chart's own values.yaml says where ours say nothing, of what is read below.
_DEFAULTS: dict[str, Any] = {
    "hub": {
        "baseUrl": "/",
        "templatePaths": [],
        "templateVars": {},
        "db": {"type": "sqlite-pvc"},
    },
    "singleuser": {
        "uid": 1000,
        "fsGid": 100,
        "cloudMetadata": {"blockWithIptables": True},
        "storage": {
            "type": "dynamic",
            "homeMountPath": "/home/jovyan",
            "capacity": "10Gi",
            "dynamic": {
                "pvcNameTemplate": "claim-{escaped_user_server}",
                "volumeNameTemplate": "volume-{escaped_user_server}",
                "storageAccessModes": ["ReadWriteOnce"],
            },
        },
    },
    "scheduling": {"userScheduler": {"enabled": True}},
}


def merged(below: Any, above: Any) -> Any:
    """Values of two files as Helm 3 merges them: mappings key by key, all else replaced.

    A null stays: it removes nothing but what the chart itself sets.
    """
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return deepcopy(above)
    keys = dict.fromkeys([*below, *above])
    return {
        key: merged(below.get(key), above[key]) if key in above else deepcopy(below[key])
        for key in keys
    }


def values_of(cluster: str) -> dict[str, Any]:
    """What ``-f base.yaml -f CLUSTER.yaml`` gives the chart, without its own defaults."""
    base = yaml.safe_load(BASE.read_text())
    overlay = yaml.safe_load((HELM_VALUES / f"{cluster}.yaml").read_text())
    values: dict[str, Any] = merged(base, overlay)
    return values


def embedded_catalog(values: Mapping[str, Any]) -> str:
    """The catalog's text, as it is mounted into the hub's pod."""
    text: str = values["hub"]["extraFiles"][CATALOG_FILE]["stringData"]
    return text


def schema() -> dict[str, Any]:
    """The chart's schema, for values without the chart's own: those fill what is required.

    What is required of entries that an operator makes (patternProperties) stays so.
    """
    loaded: dict[str, Any] = json.loads(_SCHEMA.read_text())
    _drop_required(loaded)
    return loaded


def _drop_required(part: dict[str, Any]) -> None:
    part.pop("required", None)
    for below in part.get("properties", {}).values():
        _drop_required(below)


def jupyterhub_config(values: Mapping[str, Any], catalog: Path) -> Config:
    """The configuration of the hub that the chart would start with these values.

    Args:
        values: base and overlay.
        catalog: where the catalog is that the chart would mount.
    """
    values = merged(_DEFAULTS, values)
    hub = values["hub"]
    c = Config()
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    c.JupyterHub.template_paths = hub["templatePaths"]
    c.JupyterHub.template_vars = hub["templateVars"]
    _set(c.JupyterHub, hub, _HUB_TRAITS)
    _set_database(c, hub["db"])
    c.KubeSpawner.namespace = "jupyterhub"
    _set_spawner(c, values)
    c.JupyterHub.services = [{"name": name, **it} for name, it in hub.get("services", {}).items()]
    for name, role in hub.get("loadRoles", {}).items():
        c.JupyterHub.load_roles.append({"name": name, **role})
    for section, settings in hub.get("config", {}).items():
        c[section].update(settings)
    for _, program in sorted(hub.get("extraConfig", {}).items()):
        moved = program.replace(hub["extraFiles"][CATALOG_FILE]["mountPath"], str(catalog))
        exec(compile(moved, "extraConfig", "exec"), {"c": c})  # what the chart does
    return c


def _set(section: Any, values: Mapping[str, Any], traits: Mapping[str, str]) -> None:
    for key, trait in traits.items():
        if values.get(key) is not None:
            setattr(section, trait, values[key])


def _set_database(c: Any, db: Mapping[str, Any]) -> None:
    is_file = db["type"] == "sqlite-pvc"
    c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite" if is_file else db["url"]


def _set_spawner(c: Any, values: Mapping[str, Any]) -> None:
    user = values["singleuser"]
    _set(c.KubeSpawner, user, _SPAWNER_TRAITS)
    image = user["image"]
    c.KubeSpawner.image = f"{image['name']}:{image['tag']}"
    if values["scheduling"]["userScheduler"]["enabled"]:
        c.KubeSpawner.scheduler_name = "jupyterhub-user-scheduler"
    if user["cloudMetadata"]["blockWithIptables"]:
        c.KubeSpawner.init_containers.append(_block_metadata())
    storage = user["storage"]
    if storage["type"] == "dynamic":
        _set_home(c, storage)


def _block_metadata() -> dict[str, Any]:
    security = {"privileged": True, "runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}}
    image = f"jupyterhub/k8s-network-tools:{CHART_VERSION}"
    return {"name": "block-cloud-metadata", "image": image, "securityContext": security}


def _set_home(c: Any, storage: Mapping[str, Any]) -> None:
    dynamic = storage["dynamic"]
    claim, volume = dynamic["pvcNameTemplate"], dynamic["volumeNameTemplate"]
    c.KubeSpawner.pvc_name_template = claim
    c.KubeSpawner.storage_pvc_ensure = True
    c.KubeSpawner.storage_capacity = storage["capacity"]
    c.KubeSpawner.storage_access_modes = dynamic["storageAccessModes"]
    if dynamic.get("storageClass"):
        c.KubeSpawner.storage_class = dynamic["storageClass"]
    c.KubeSpawner.volumes = [{"name": volume, "persistentVolumeClaim": {"claimName": claim}}]
    c.KubeSpawner.volume_mounts = [{"name": volume, "mountPath": storage["homeMountPath"]}]
