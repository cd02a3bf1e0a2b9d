"""A profile merged with the hub's configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from typing import Any

from gpuspawner.capacity.model import PodRequest, read_new_claim, read_request
from gpuspawner.catalog import (
    Accelerator,
    Amounts,
    Catalog,
    Chosen,
    ImageChoice,
    Profile,
    all_overrides,
    duration_seconds,
    is_label_value,
    overrides_of,
)
from gpuspawner.pod.conflicts import (
    DEADLINE,
    check_deadline,
    check_devices,
    check_mounts,
    check_placement,
)
from gpuspawner.pod.devices import DEVICE_SETTINGS, is_device
from gpuspawner.pod.manifest import ADMISSION_NAMES, Expand, admission_key, pod_manifest
from gpuspawner.pod.merging import (
    both_terms,
    camel_keys,
    copied,
    items_of,
    override,
    with_item,
)
from gpuspawner.pod.shapes import check_shapes, with_bytes
from gpuspawner.pod.volumes import volume_and_mount
from gpuspawner.quantity import parse_amount

Settings = Mapping[str, Any]
"""Names of KubeSpawner's traits and their values."""

PROFILE_LABEL = "gpuspawner/profile"
_HOME_SETTINGS = ("pvc_name", "storage_")
_LABEL_STEM = 54

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
        "pod_name",
        "port",
        "scheduler_name",
    }
)
HOME_CLAIM = "home_claim"
"""Not a trait: the manifest of the PersistentVolumeClaim that KubeSpawner makes for a person."""

HAS_HOOKS = "has_hooks"
"""Not a trait: whether the operator's hooks run before a pod is made, and may make claims."""

BASE_NAMES = CHANGED_NAMES | READ_NAMES | ADMISSION_NAMES
"""The traits whose configured values `plan` needs, whatever the catalog says."""


@dataclass(frozen=True, slots=True)
class PodPlan:
    """What to start for a profile.

    Attributes:
        settings: whole values, not differences, for the traits they name.
        request: what the scheduler will judge.
        manifest: the pod of which the request was read, in JSON.
        admission_key: the same for all whose pods are admitted alike.
    """

    settings: Settings
    request: PodRequest
    manifest: Mapping[str, Any]
    admission_key: str


def base_names(catalog: Catalog) -> frozenset[str]:
    """The traits whose configured values `plan` needs for this catalog."""
    changes = (change for profile in catalog.profiles for change in all_overrides(profile))
    return BASE_NAMES.union(*changes)


def plan(  # noqa: PLR0913 - a profile, what was chosen of it, and how its settings are read
    profile: Profile,
    catalog: Catalog,
    base: Settings,
    image: ImageChoice | None = None,
    *,
    options: Chosen | None = None,
    expand: Expand = lambda value: value,
    resolve: Expand = lambda value: value,
) -> PodPlan:
    """Merge a profile with the configured values of the traits in `base`, which stay as they are.

    Lists are added to, mappings are merged with the profile's value winning, and terms of a
    required node affinity are combined so that a node must satisfy both sides.
    ``kubespawner_override`` comes last, with the meaning it has in KubeSpawner, and after it those
    of the options. An entry of KubeSpawner's own list gets the pod that KubeSpawner makes of it.

    Args:
        profile: one of the catalog's.
        catalog: where its accelerator and volumes are.
        base: values of the traits that `base_names` names, and, if they are to be judged, of
            `HUB_LABELS`, `HOME_CLAIM` and `HAS_HOOKS`.
        image: one of the profile's images; None takes its default.
        options: what was chosen of the profile's options; the others take their default.
        expand: replaces ``{username}`` and the like, as KubeSpawner will.
        resolve: gives the value of a setting where an override has a function for it.

    Raises:
        ConflictError: the two sides contradict each other.
        SettingError: the result holds what KubeSpawner would refuse.
        MalformedObjectError: the result is not a pod that can be judged.
    """
    changes = [
        {name: resolve(value) for name, value in change.items()}
        for change in overrides_of(profile, options or {})
    ]
    settings = _merged(profile, catalog, base, changes)
    chosen = image.image if image is not None else profile.default_image
    if chosen is not None and "image" not in profile.kubespawner_override:
        settings["image"] = chosen
    overridden = set().union(*changes)
    changed = CHANGED_NAMES | overridden
    manifest = pod_manifest(with_bytes(settings), expand)
    request = _with_claims(read_request(manifest), settings, overridden)
    if profile.entry is None:
        check_devices(profile, catalog, request)
    check_deadline(profile, manifest)
    if profile.accelerator:
        check_placement(catalog.accelerators[profile.accelerator], manifest, request)
    return PodPlan(
        settings={name: settings[name] for name in sorted(changed) if name in settings},
        request=request,
        manifest=manifest,
        admission_key=admission_key(manifest, settings),
    )


def _with_claims(
    request: PodRequest, settings: Settings, overridden: Collection[str]
) -> PodRequest:
    """The home volume's claim is made just before the pod; hooks may make others.

    `HOME_CLAIM` is of the hub's settings, so an override of them makes a claim that is not known.
    """
    is_other = any(name.startswith(_HOME_SETTINGS) for name in overridden)
    home = None if is_other else settings.get(HOME_CLAIM)
    made = () if home is None else (read_new_claim(home),)
    return replace(
        request,
        claims_to_make=(*request.claims_to_make, *made),
        claims_may_appear=is_other or bool(settings.get(HAS_HOOKS)),
    )


def _merged(
    profile: Profile, catalog: Catalog, base: Settings, changes: Sequence[Settings]
) -> dict[str, Any]:
    settings: dict[str, Any] = copied(base)
    check_shapes(settings)
    if profile.entry is None:
        _drop_accelerators(settings, catalog)
    _set_amounts(settings, "cpu", profile.cpu, lambda text: parse_amount("cpu", text) / 1000)
    _set_amounts(settings, "mem", profile.memory, lambda text: parse_amount("memory", text))
    settings["environment"] = {**(settings.get("environment") or {}), **profile.env}
    settings["extra_labels"] = {
        **(settings.get("extra_labels") or {}),
        PROFILE_LABEL: _label_value(profile.slug),
    }
    if profile.accelerator:
        accelerator = catalog.accelerators[profile.accelerator]
        _place(settings, accelerator)
        settings["extra_resource_limits"][accelerator.resource] = str(profile.count)
    if profile.session_limit:
        settings["extra_pod_config"] = {
            **(settings.get("extra_pod_config") or {}),
            DEADLINE: duration_seconds(profile.session_limit),
        }
    for name in profile.volumes:
        volume, mount = volume_and_mount(name, catalog.volumes[name])
        settings["volumes"] = with_item(settings.get("volumes"), volume["name"], volume)
        settings["volume_mounts"] = with_item(settings.get("volume_mounts"), mount["name"], mount)
    for change in changes:
        override(settings, change)
    check_shapes(settings)
    check_mounts(settings)
    return settings


def _label_value(slug: str) -> str:
    """A slug as a label has it; that of an entry can be too long for one."""
    if is_label_value(slug):
        return slug
    return f"{slug[:_LABEL_STEM].rstrip('-_.')}-{sha256(slug.encode()).hexdigest()[:8]}"


def _drop_accelerators(settings: dict[str, Any], catalog: Catalog) -> None:
    """Only the profile says which accelerators a server gets, never the base."""
    for name in DEVICE_SETTINGS:
        settings[name] = {
            resource: amount
            for resource, amount in (settings.get(name) or {}).items()
            if not is_device(resource, catalog)
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
