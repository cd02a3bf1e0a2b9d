"""What becomes of a person's home directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuspawner.pod.merging import camel_keys, items_of

_HOMES = frozenset({"/home", "/home/jovyan"})
"""Where Jupyter's images have the home directory, and what is above it."""
_KEPT = ("persistentVolumeClaim", "nfs")


def keeps_home(settings: Mapping[str, Any]) -> bool:
    """Whether the home directory surely outlives the pod.

    False where that cannot be told: an image may have it elsewhere, and other volumes may be kept.

    Args:
        settings: of a plan, with KubeSpawner's ``volumes`` and ``volume_mounts``.
    """
    volumes, mounts = (
        [camel_keys(item) for item in items_of(settings.get(name))]
        for name in ("volumes", "volume_mounts")
    )
    kept = {volume.get("name") for volume in volumes if any(volume.get(source) for source in _KEPT)}
    return any(
        mount.get("name") in kept
        and not mount.get("readOnly")
        and str(mount.get("mountPath")).rstrip("/") in _HOMES
        for mount in mounts
    )
