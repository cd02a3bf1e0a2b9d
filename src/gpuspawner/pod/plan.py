"""A profile merged with the hub's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.catalog import Accelerator, Amounts, Catalog, ImageChoice, Profile
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.pod.manifest import pod_manifest
from gpuspawner.pod.merging import both_terms, camel_keys, items_of, override, with_item
from gpuspawner.pod.volumes import volume_and_mount
from gpuspawner.quantity import parse_amount

Settings = Mapping[str, Any]
"""Names of KubeSpawner's traits and their values."""

PROFILE_LABEL = "gpuspawner/profile"
_ACCELERATOR_PREFIXES = (
    "nvidia.com/",
    "amd.com/",
    "gpu.intel.com/",
    "habana.ai/",
    "google.com/tpu",
)

CHANGED_NAMES = frozenset(
    {
        "cpu_guarantee",
        "cpu_limit",
        "environment",
        "extra_labels",
        "extra_pod_config",
        "extra_resource_guarantees",
        "extra_resource_limits",
        "image",
        "mem_guarantee",
        "mem_limit",
        "node_affinity_required",
        "node_selector",
        "priority_class_name",
        "tolerations",
        "volume_mounts",
        "volumes",
    }
)
READ_NAMES = frozenset(
    {
        "extra_container_config",
        "extra_containers",
        "init_containers",
        "namespace",
        "pod_affinity_required",
        "pod_anti_affinity_required",
        "scheduler_name",
    }
)
BASE_NAMES = CHANGED_NAMES | READ_NAMES
"""The traits whose configured values `plan` needs, whatever the catalog says."""


class ConflictError(GPUSpawnerError):
    """A profile and the hub's configuration cannot be merged; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class PodPlan:
    """What to start for a profile.

    Attributes:
        settings: whole values, not differences, for the traits they name.
        request: what the scheduler will judge.
    """

    settings: Settings
    request: PodRequest


def base_names(catalog: Catalog) -> frozenset[str]:
    """The traits whose configured values `plan` needs for this catalog."""
    return BASE_NAMES.union(*(profile.kubespawner_override for profile in catalog.profiles))


def plan(
    profile: Profile, catalog: Catalog, base: Settings, image: ImageChoice | None = None
) -> PodPlan:
    """Merge a profile with the configured values of the traits in `base`, which stay as they are.

    Lists are added to, mappings are merged with the profile's value winning, and terms of a
    required node affinity are combined so that a node must satisfy both sides.
    ``kubespawner_override`` comes last, with the meaning it has in KubeSpawner.

    Raises:
        ConflictError: both mount a volume on the same path.
        MalformedObjectError: the result is not a pod that can be judged.
    """
    settings = {name: deepcopy(value) for name, value in base.items()}
    accelerator = catalog.accelerators[profile.accelerator] if profile.accelerator else None
    _drop_accelerators(settings, catalog)
    _set_amounts(settings, "cpu", profile.cpu, lambda text: parse_amount("cpu", text) / 1000)
    _set_amounts(settings, "mem", profile.memory, lambda text: parse_amount("memory", text))
    chosen = image.image if image is not None else profile.default_image
    if chosen is not None:
        settings["image"] = chosen
    settings["environment"] = {**(settings.get("environment") or {}), **profile.env}
    settings["extra_labels"] = {
        **(settings.get("extra_labels") or {}),
        PROFILE_LABEL: profile.slug,
    }
    if accelerator is not None:
        _place(settings, accelerator)
        settings["extra_resource_limits"][accelerator.resource] = str(profile.count)
    for name in profile.volumes:
        _mount(settings, *volume_and_mount(name, catalog.volumes[name]))
    override(settings, profile.kubespawner_override)
    changed = CHANGED_NAMES.union(profile.kubespawner_override)
    return PodPlan(
        settings={name: settings[name] for name in sorted(changed) if name in settings},
        request=read_request(pod_manifest(settings)),
    )


def _drop_accelerators(settings: dict[str, Any], catalog: Catalog) -> None:
    """Only the profile says which accelerators a server gets, never the base."""
    ours = {accelerator.resource for accelerator in catalog.accelerators.values()}
    for name in ("extra_resource_limits", "extra_resource_guarantees"):
        settings[name] = {
            resource: amount
            for resource, amount in (settings.get(name) or {}).items()
            if resource not in ours and not resource.startswith(_ACCELERATOR_PREFIXES)
        }


def _set_amounts(
    settings: dict[str, Any], prefix: str, amounts: Amounts, convert: Callable[[str], float]
) -> None:
    """A profile that says anything of a resource says all of it."""
    if amounts == Amounts():
        return
    for kind, text in (("guarantee", amounts.guarantee), ("limit", amounts.limit)):
        settings[f"{prefix}_{kind}"] = None if text is None else convert(text)


def _place(settings: dict[str, Any], accelerator: Accelerator) -> None:
    """Say where pods with this accelerator may run."""
    settings["node_selector"] = {
        **(settings.get("node_selector") or {}),
        **accelerator.node_selector,
    }
    for number, toleration in enumerate(accelerator.tolerations):
        wanted = toleration.manifest()
        if wanted not in items_of(settings.get("tolerations")):
            settings["tolerations"] = with_item(
                settings.get("tolerations"), f"profile-{number}", wanted
            )
    terms = [term.manifest() for term in accelerator.affinity]
    if terms:
        base_terms = [camel_keys(term) for term in items_of(settings.get("node_affinity_required"))]
        settings["node_affinity_required"] = (
            [both_terms(one, other) for one, other in product(base_terms, terms)]
            if base_terms
            else terms
        )
    if accelerator.priority_class:
        settings["priority_class_name"] = accelerator.priority_class
    if accelerator.runtime_class:
        settings["extra_pod_config"] = {
            **(settings.get("extra_pod_config") or {}),
            "runtimeClassName": accelerator.runtime_class,
        }


def _mount(settings: dict[str, Any], volume: dict[str, Any], mount: dict[str, Any]) -> None:
    path = mount["mountPath"].rstrip("/")
    for existing in map(camel_keys, items_of(settings.get("volume_mounts"))):
        if str(existing.get("mountPath", "")).rstrip("/") == path:
            raise ConflictError(
                f"the volume {volume['name']!r} of the catalog and the volume "
                f"{existing.get('name')!r} of the hub's configuration are both mounted on "
                f"{mount['mountPath']}; give one of them another mount path"
            )
    settings["volumes"] = with_item(settings.get("volumes"), volume["name"], volume)
    settings["volume_mounts"] = with_item(settings.get("volume_mounts"), volume["name"], mount)
