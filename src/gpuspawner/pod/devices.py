"""Which of the resources that a pod can ask for are accelerators."""

from __future__ import annotations

from gpuspawner.catalog import Catalog

DEVICE_SETTINGS = ("extra_resource_limits", "extra_resource_guarantees")
"""The settings in which an accelerator can be asked for."""

_DEVICE_PREFIXES = (
    "nvidia.com/",
    "amd.com/",
    "gpu.intel.com/",
    "habana.ai/",
    "google.com/tpu",
)


def is_device(resource: str, catalog: Catalog) -> bool:
    """Whether `resource` is an accelerator: one of the catalog's, or of a known vendor's."""
    ours = {accelerator.resource for accelerator in catalog.accelerators.values()}
    return resource in ours or is_known_device(resource)


def is_known_device(resource: str) -> bool:
    """Whether `resource` is an accelerator of a known vendor."""
    return resource.startswith(_DEVICE_PREFIXES)
