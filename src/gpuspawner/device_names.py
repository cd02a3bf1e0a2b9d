"""Devices as people call them for which the catalog has no name."""

from __future__ import annotations

from gpuspawner.language import ngettext

_VENDORS = ("nvidia.com", "amd.com")
"""Those whose device plugins call a GPU that."""
_MIG = "mig-"


def devices(resource: str, count: int) -> str:
    """Devices for which the catalog has no name: ``"1 GPU"``, ``"2 MIG 1g.5gb slices"``.

    Args:
        resource: as the vendor's device plugin names it; what none is known by stays as it is.
        count: how many.
    """
    vendor, _slash, device = resource.partition("/")
    kind = device.removesuffix(".shared")
    is_shared = kind != device
    if kind == "gpu" and vendor in _VENDORS:
        words = (
            ngettext("{count} shared GPU", "{count} shared GPUs", count)
            if is_shared
            else ngettext("{count} GPU", "{count} GPUs", count)
        )
    elif vendor == "nvidia.com" and kind.startswith(_MIG):
        words = (
            ngettext("{count} shared MIG {size} slice", "{count} shared MIG {size} slices", count)
            if is_shared
            else ngettext("{count} MIG {size} slice", "{count} MIG {size} slices", count)
        )
    else:
        words = "{count} {resource}"
    return words.format(count=count, size=kind.removeprefix(_MIG), resource=resource)
