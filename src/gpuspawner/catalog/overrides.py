"""What may stand in a profile's ``kubespawner_override``.

The override is the way to KubeSpawner's traits that the catalog has no field for. It must not
say a second time what a field says, reach for what the hub itself decides, or hide a device.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from gpuspawner.catalog.problems import Finding, Path, did_you_mean, near_miss, shown
from gpuspawner.catalog.templates import template_faults
from gpuspawner.catalog.texts import grants_devices, is_extended_resource
from gpuspawner.errors import QuantityError
from gpuspawner.quantity import parse_quantity

if TYPE_CHECKING:
    from gpuspawner.catalog.accelerators import Accelerator
    from gpuspawner.catalog.profiles import Profile

MACHINERY: Final = frozenset(
    {
        "api_token",
        "apply_user_options",
        "authenticator",
        "config",
        "consecutive_failure_limit",
        "db",
        "dns_name_template",
        "enable_user_namespaces",
        "group_overrides",
        "handler",
        "hub",
        "k8s_api_host",
        "log",
        "namespace",
        "oauth_client_id",
        "options_form",
        "options_from_form",
        "orm_spawner",
        "parent",
        "pod_name_template",
        "profile_list",
        "proxy_spec",
        "secret_name_template",
        "slug_scheme",
        "user",
        "user_namespace_annotations",
        "user_namespace_labels",
        "user_namespace_template",
        "user_options",
    }
)
"""Traits that are the hub's: which profiles there are, whose server it is, where its pod goes."""

TEMPLATED: Final = frozenset(
    {
        "environment",
        "extra_annotations",
        "extra_containers",
        "extra_labels",
        "extra_pod_config",
        "init_containers",
        "pvc_name_template",
        "service_account",
        "storage_extra_annotations",
        "storage_extra_labels",
        "storage_selector",
        "volume_mounts",
        "volumes",
        "working_dir",
    }
)
"""Traits that KubeSpawner gives to ``str.format``."""

_PATHS: Final = frozenset({"volume_mounts", "volumes", "working_dir"})


def override_faults(
    profile: Profile, accelerator: Accelerator | None, known_traits: Collection[str] | None
) -> Iterator[Finding]:
    """The faults of a profile's override, at paths within it."""
    override = profile.kubespawner_override
    for trait, value in override.items():
        if trait in MACHINERY or trait.startswith("_"):
            yield Finding((trait,), f"{shown(trait)} is the hub's to set, not a profile's")
        elif known_traits is not None and trait not in known_traits:
            hint = did_you_mean(trait, sorted(known_traits))
            meant = hint if near_miss(trait, known_traits) else None
            yield Finding((trait,), f"KubeSpawner has no trait {shown(trait)}", meant)
        if trait in TEMPLATED:
            for fault in template_faults(value, is_path=trait in _PATHS):
                yield fault.beneath((trait,))
    variables = override.get("environment")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if grants_devices(name, value):
            message = f"{name} gives the server GPUs that it was not scheduled for"
            yield Finding(("environment", name), message, "name an accelerator instead")
    for path, owner in _owned(profile, accelerator):
        if _holds(override, path):
            yield Finding(path, f"{owner} says this already", "say it in one place")


def asked_devices(override: dict[str, Any]) -> Iterator[Path]:
    """Paths within an override at which a pod asks for an extended resource or a claim."""
    for path in (
        ("extra_resource_limits",),
        ("extra_resource_guarantees",),
        *(
            (trait, "resources", kind)
            for trait in ("extra_container_config", "extra_pod_config")
            for kind in ("limits", "requests")
        ),
    ):
        amounts = _found(override, path)
        if isinstance(amounts, dict):
            for name, amount in amounts.items():
                if is_extended_resource(name) and not _is_zero(amount):
                    yield (*path, name)
    claims: Path = ("extra_pod_config", "resourceClaims")
    if _found(override, claims):
        yield claims


def _owned(profile: Profile, accelerator: Accelerator | None) -> Iterator[tuple[Path, str]]:
    """What fields of the catalog set, as paths of an override, each with its field."""
    if profile.image is not None or profile.images:
        yield ("image",), "image" if profile.image is not None else "images"
    for field, trait in (("cpu", "cpu"), ("memory", "mem")):
        for bound in ("guarantee", "limit"):
            if getattr(getattr(profile, field), bound) is not None:
                yield (f"{trait}_{bound}",), f"{field}.{bound}"
    for name in profile.env:
        yield ("environment", name), f"env.{name}"
    if profile.session_limit is not None:
        yield ("extra_pod_config", "activeDeadlineSeconds"), "session_limit"
    if accelerator is not None:
        yield from _owned_by(accelerator, f"accelerators.{profile.accelerator}")


def _owned_by(accelerator: Accelerator, owner: str) -> Iterator[tuple[Path, str]]:
    yield ("extra_resource_limits", accelerator.resource), owner
    yield ("extra_resource_guarantees", accelerator.resource), owner
    for label in accelerator.node_selector:
        yield ("node_selector", label), f"{owner}.node_selector"
    if accelerator.runtime_class is not None:
        yield ("extra_pod_config", "runtimeClassName"), f"{owner}.runtime_class"
    if accelerator.priority_class is not None:
        yield ("priority_class_name",), f"{owner}.priority_class"


def _holds(tree: Any, path: Path) -> bool:
    for step in path:
        if not isinstance(tree, dict) or step not in tree:
            return False
        tree = tree[step]
    return True


def _found(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def _is_zero(amount: Any) -> bool:
    if amount is None or isinstance(amount, bool):
        return True
    try:
        return parse_quantity(str(amount)) == 0
    except QuantityError:
        return False
