"""Whether settings have the shapes that KubeSpawner's traits take.

``kubespawner_override`` can hold anything. What KubeSpawner would refuse at the start is found
here, while it is still the fault of one profile and of nobody's server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from gpuspawner.errors import GPUSpawnerError

_MAPPINGS = frozenset(
    {
        "environment",
        "extra_container_config",
        "extra_labels",
        "extra_pod_config",
        "extra_resource_guarantees",
        "extra_resource_limits",
        "node_selector",
    }
)
_ITEMS = frozenset(
    {
        "extra_containers",
        "init_containers",
        "node_affinity_required",
        "pod_affinity_required",
        "pod_anti_affinity_required",
        "tolerations",
        "volume_mounts",
        "volumes",
    }
)
_NUMBERS = frozenset({"cpu_guarantee", "cpu_limit"})
_BYTES = frozenset({"mem_guarantee", "mem_limit"})
_HUB_BYTES = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?)(?P<unit>[KMGT])|(?P<plain>[0-9]+)")
_HUB_UNITS = {unit: 2 ** (10 * power) for power, unit in enumerate("KMGT", start=1)}


class SettingError(GPUSpawnerError, ValueError):
    """A setting has a shape that KubeSpawner does not take; the text is for the operator."""


def check_shapes(settings: Mapping[str, Any]) -> None:
    """Raise SettingError for the first setting that KubeSpawner would refuse."""
    for name, value in settings.items():
        if name in _MAPPINGS and not _has_names(value):
            raise SettingError(f"{name} must be a mapping with text for its keys, not {value!r}")
        if name in _ITEMS and not _is_list_of_mappings(value):
            raise SettingError(f"{name} must be a list of mappings, not {value!r}")
        if name == "environment" and not all(map(_is_env_value, value.values())):
            raise SettingError(f"the values of {name} must be text, not as in {value!r}")
        if name in _NUMBERS and not _is_number(value):
            raise SettingError(f"{name} must be a number, not {value!r}")


def with_bytes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with amounts of memory as JupyterHub's ``ByteSpecification`` reads them.

    There the suffixes K, M, G and T are powers of 1024, and Ki, Mi and Gi do not exist.
    """
    return {
        name: _hub_bytes(name, value) if name in _BYTES and isinstance(value, str) else value
        for name, value in settings.items()
    }


def _has_names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_list_of_mappings(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list | tuple) and all(_has_names(item) for item in value)


def _is_env_value(value: Any) -> bool:
    return isinstance(value, str | Mapping) or callable(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int | float) and isfinite(value))


def _hub_bytes(name: str, text: str) -> int:
    match = _HUB_BYTES.fullmatch(text)
    if match is None:
        raise SettingError(
            f"{name} is {text!r}, which JupyterHub cannot read; it takes a number of bytes, or one "
            "with a suffix K, M, G or T"
        )
    if match["plain"]:
        return int(match["plain"])
    return int(float(match["number"]) * _HUB_UNITS[match["unit"]])
