"""From a profile to a pod: one builder for the request that is judged and for the spawner.

`plan` merges a profile with what the hub's configuration says of KubeSpawner and gives the
settings to start with; the request in it is read from the pod which those settings make, so that
the verdict and the pod cannot disagree.
"""

from __future__ import annotations

from gpuspawner.pod.avoiding import avoiding, keeping_off
from gpuspawner.pod.conflicts import ConflictError
from gpuspawner.pod.devices import is_device, is_known_device
from gpuspawner.pod.home import keeps_home
from gpuspawner.pod.manifest import HUB_LABELS, admission_decides, pod_manifest
from gpuspawner.pod.merging import copied
from gpuspawner.pod.plan import (
    HAS_HOOKS,
    HOME_CLAIM,
    PodPlan,
    Settings,
    base_names,
    plan,
)
from gpuspawner.pod.shapes import SettingError
from gpuspawner.pod.showing import as_planned, extended_resources

__all__ = [
    "HAS_HOOKS",
    "HOME_CLAIM",
    "HUB_LABELS",
    "ConflictError",
    "PodPlan",
    "SettingError",
    "Settings",
    "admission_decides",
    "as_planned",
    "avoiding",
    "base_names",
    "copied",
    "extended_resources",
    "is_device",
    "is_known_device",
    "keeping_off",
    "keeps_home",
    "plan",
    "pod_manifest",
]
