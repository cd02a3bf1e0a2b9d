"""NodeVolumeLimits: a CSI driver attaches only so many volumes to a node.

The limit is the driver's in the CSINode. Counted are the volumes of the pods there, and those that
a VolumeAttachment still holds there; a volume counts once, however many pods use it. A claim that
has no volume yet counts for the driver of its class. Disks of old kinds count for the driver that
took them over, which is one on every node that has a CSINode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    MIGRATED_TO,
    CSINode,
    PersistentVolumeClaim,
    PodRequest,
    VolumeAttachment,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import ClusterObjects, Key
from gpuspawner.fit.claims import LastOf, mounted, uncertain
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Hindrance, Reason, Reasons, unknown

_FULL = (Reason("node(s) exceed max volume count", Hindrance.FULL),)

Volume = tuple[str, str]
"""A driver, and what the volume is called by it."""


def prepare(
    request: PodRequest, snapshot: Snapshot
) -> Callable[[NodeState], Reasons] | Blocked | None:
    """Refuse nodes to which the volumes of the pod cannot be attached besides those there."""
    if not request.claims:
        return None
    objects = snapshot.objects
    claims = mounted(request, objects)
    if claims is None or isinstance(claims, Blocked):
        return uncertain("PersistentVolumeClaim") if claims is None else claims
    if objects.volumes is None or objects.storage_classes is None:
        return uncertain("PersistentVolume" if objects.volumes is None else "StorageClass")
    volumes = (_attached(found.claim, objects) for found in claims)
    new = {volume for volume in volumes if volume is not None}
    if new and objects.csi_nodes is None:
        return uncertain("CSINode")
    return _check(new, request.namespace, objects, objects.csi_nodes or {}) if new else None


def _check(
    new: set[Volume], namespace: str, objects: ClusterObjects, csi_nodes: Mapping[Key, CSINode]
) -> Callable[[NodeState], Reasons]:
    drivers = {driver for driver, _ in new}
    held_by_node = None if objects.attachments is None else _by_node(objects.attachments)

    def check(state: NodeState) -> Reasons:
        csi_node = csi_nodes.get(("", state.node.name))
        limits = csi_node.limits if csi_node is not None else None
        if not limits or drivers.isdisjoint(limits):
            return NO_REASONS
        held = (held_by_node or {}).get(state.node.name, ())
        if held_by_node is not None:
            most = len(new) + len(held) + len(state.claims)
            if most <= min(limits[driver] for driver in drivers if driver in limits):
                return NO_REASONS
        used, untold = _used(state, namespace, objects)
        counts = Counter(driver for driver, _ in used | _resolved(held, objects))
        more = Counter(driver for driver, _ in new - used)
        room = {
            driver: limits[driver] - counts[driver] - count
            for driver, count in more.items()
            if driver in limits
        }
        if any(left < 0 for left in room.values()):
            return _FULL
        if room and held_by_node is None:
            return unknown("VolumeAttachment")
        if any(left < untold for left in room.values()):
            return unknown("PersistentVolumeClaim of other namespaces")
        return NO_REASONS

    return check


def _used(state: NodeState, namespace: str, objects: ClusterObjects) -> tuple[set[Volume], int]:
    """The volumes of the pods on a node, and how many claims of theirs may not have been seen."""
    used: set[Volume] = set()
    untold = 0
    for key in state.claims:
        claim = (objects.claims or {}).get(key)
        if claim is not None:
            volume = _attached(claim, objects)
            if volume is not None:
                used.add(volume)
        elif key[0] != namespace:
            # Where only one namespace's claims are watched, this one may well be there.
            untold += 1
    return used, untold


def _attached(claim: PersistentVolumeClaim, objects: ClusterObjects) -> Volume | None:
    """What a driver attaches for a claim; None if no driver has to."""
    volume = (objects.volumes or {}).get(("", claim.volume))
    if claim.volume and volume is not None:
        return (volume.driver, volume.handle) if volume.driver and volume.handle else None
    cls = (objects.storage_classes or {}).get(("", claim.storage_class))
    if cls is None or not cls.provisioner:
        return None
    driver = MIGRATED_TO.get(cls.provisioner, cls.provisioner)
    return driver, f"claim {claim.namespace}/{claim.name}"


def _resolved(held: tuple[VolumeAttachment, ...], objects: ClusterObjects) -> set[Volume]:
    found = set()
    for attachment in held:
        volume = (objects.volumes or {}).get(("", attachment.volume))
        # The scheduler does not see through attachments of disks of old kinds.
        if volume is not None and volume.driver and not volume.in_tree and attachment.driver:
            found.add((attachment.driver, volume.handle))
    return found


def _grouped(
    attachments: Mapping[Key, VolumeAttachment],
) -> dict[str, tuple[VolumeAttachment, ...]]:
    found: dict[str, list[VolumeAttachment]] = {}
    for attachment in attachments.values():
        found.setdefault(attachment.node, []).append(attachment)
    return {node: tuple(held) for node, held in found.items()}


_by_node = LastOf(_grouped)
