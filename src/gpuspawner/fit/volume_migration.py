"""Volumes of old kinds as the CSI driver that took them over would have them.

The rule is that of ``k8s.io/csi-translation-lib``: what ties such a volume to a zone, by its node
affinity or else by its label, ties it to the zone that the driver tells by a label of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gpuspawner.capacity.model import NodeSelectorTerm, PersistentVolume, Requirement

_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
_OLD_REGION = "failure-domain.beta.kubernetes.io/region"
_DELIMITER = "__"
_ZONE_OF_DRIVER = {
    "kubernetes.io/aws-ebs": "topology.ebs.csi.aws.com/zone",
    "kubernetes.io/gce-pd": "topology.gke.io/zone",
    "kubernetes.io/cinder": "topology.cinder.csi.openstack.org/zone",
}


def migrated(volume: PersistentVolume) -> PersistentVolume:
    """The volume with the node affinity that its driver's labels give it."""
    own_zone = _ZONE_OF_DRIVER.get(volume.in_tree)
    if own_zone is None:
        return volume
    affinity, labels = volume.affinity or (), volume.labels or {}
    zone = _zone_label(volume)
    if _has_values(affinity, zone):
        affinity = _renamed(affinity, zone, own_zone)
    elif zones := sorted({part.strip() for part in labels.get(zone, "").split(_DELIMITER)} - {""}):
        wanted = Requirement(own_zone, "In", tuple(zones))
        affinity = tuple(
            replace(term, labels=(*term.labels, wanted))
            for term in affinity or (NodeSelectorTerm(),)
        )
    if zone == _OLD_ZONE:
        affinity = _renamed(affinity, _OLD_REGION, _REGION)
    return volume if not affinity else replace(volume, affinity=affinity)


def _zone_label(volume: PersistentVolume) -> str:
    """Which of the two names of the label the volume uses; its affinity goes first."""
    places: tuple[Callable[[str], bool], ...] = (
        lambda name: any(
            name == want.key for term in volume.affinity or () for want in term.labels
        ),
        lambda name: name in (volume.labels or {}),
    )
    return next(
        (name for has in places for name in (_ZONE, _OLD_ZONE) if has(name)),
        _ZONE,
    )


def _has_values(affinity: tuple[NodeSelectorTerm, ...], key: str) -> bool:
    return any(want.key == key and want.values for term in affinity for want in term.labels)


def _renamed(
    affinity: tuple[NodeSelectorTerm, ...], old: str, new: str
) -> tuple[NodeSelectorTerm, ...]:
    return tuple(
        replace(
            term,
            labels=tuple(
                replace(want, key=new) if want.key == old and _has_values(affinity, old) else want
                for want in term.labels
            ),
        )
        for term in affinity
    )
