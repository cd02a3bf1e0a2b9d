"""VolumeBinding: every claim of a pod is bound to a volume that the node can use, or can be.

A claim that is bound holds the pod to the node affinity of its volume. One whose class waits for
its first consumer takes the smallest available volume that fits it on the node, else a new one is
made there, where the class's topologies allow. One that does not wait should have been bound
already; until it is, the pod goes nowhere. Where a provisioner is at work on that, it takes
seconds, and what comes of it is unknown. How much room a driver has left for new volumes
(CSIStorageCapacity), and where the volume of a new claim that does not wait will be made, is
unknown, unless the driver knows no places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    PodRequest,
    Requirement,
    StorageClass,
)
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import ClusterObjects, Key
from gpuspawner.fit.claims import Mounted, mounted, uncertain
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Hindrance, Reason, Reasons, unknown
from gpuspawner.fit.volume_matching import Candidates, candidates, suits
from gpuspawner.fit.volume_migration import migrated
from gpuspawner.fit.volume_zone import topologies

_NO_PROVISIONER = ("", "kubernetes.io/no-provisioner")
_ELSEWHERE = Reason("node(s) didn't match PersistentVolume's node affinity", Hindrance.NOT_FOR_POD)
_NO_VOLUME = Reason("node(s) didn't find available persistent volumes to bind", Hindrance.CLOSED)
_VOLUME_GONE = Reason(
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", Hindrance.CLOSED
)
_UNBOUND = Blocked("pod has unbound immediate PersistentVolumeClaims")
_IMMEDIATE = unknown("volumeBindingMode Immediate")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A claim that waits for the node of its pod.

    Attributes:
        existing: what it could be bound to; None if it is not known which volumes there are.
        provisioning: `unknown` if it cannot be told whether a new volume can be made anywhere.
    """

    claim: PersistentVolumeClaim
    cls: StorageClass
    existing: Candidates | None
    provisioning: Reasons


@dataclass(frozen=True, slots=True)
class _Bound:
    """A volume that a claim is bound to, and as it is on nodes where a driver took it over.

    Both are None if the volume is gone.
    """

    volume: PersistentVolume | None
    migrated: PersistentVolume | None


@dataclass(frozen=True, slots=True)
class WantedVolume:
    """A claim that is not bound and needs a volume that is there.

    Attributes:
        claim: its namespace and name.
        volumes: names of those that it could be bound to.
        anywhere: how many of them can be used from every node.
    """

    claim: Key
    volumes: frozenset[str]
    anywhere: int


def wanted_volumes(request: PodRequest, objects: ClusterObjects) -> Iterator[WantedVolume]:
    """What a pod's claims may take that others' may take as well."""
    claims = mounted(request, objects) if request.claims else ()
    classes, volumes = objects.storage_classes, objects.volumes
    if claims is None or isinstance(claims, Blocked) or classes is None or volumes is None:
        # The verdict on the pod says so.
        return
    for claim in (found.claim for found in claims):
        cls = classes.get(("", claim.storage_class))
        if claim.is_bound or claim.volume or claim.selected_node or _can_do_without(cls, objects):
            continue
        existing = candidates(claim, volumes)
        if not existing.kept:
            yield WantedVolume(
                (claim.namespace, claim.name),
                frozenset(volume.name for volume in existing.free),
                sum(not _is_placed(volume) for volume in existing.free),
            )


def _can_do_without(cls: StorageClass | None, objects: ClusterObjects) -> bool:
    """Whether a new volume can be made on whichever node."""
    return (
        cls is not None
        and cls.waits
        and cls.provisioner not in _NO_PROVISIONER
        and not cls.topologies
        and not _provisioning(cls, objects)
    )


def prepare(
    request: PodRequest, snapshot: Snapshot
) -> Callable[[NodeState], Reasons] | Blocked | None:
    """Refuse nodes that cannot use, or get, the volumes of the pod's claims."""
    if not request.claims:
        return None
    objects = snapshot.objects
    claims = mounted(request, objects)
    if claims is None:
        return uncertain("PersistentVolumeClaim")
    if isinstance(claims, Blocked):
        return claims
    if not request.uid and any(found.is_ephemeral and not found.is_new for found in claims):
        # That of an earlier pod of the same name, which goes away with it.
        return uncertain("ephemeral volumes")
    unbound = [_unbound(found, objects) for found in claims if not found.claim.is_bound]
    for verdict in (*(_refusal(found, request) for found in claims), *unbound):
        if isinstance(verdict, Blocked):
            return verdict
    bound = [found.claim for found in claims if found.claim.is_bound]
    doubts = [reason for verdict in unbound if isinstance(verdict, tuple) for reason in verdict]
    if bound and objects.volumes is None:
        doubts += unknown("PersistentVolume")
    waiting = [verdict for verdict in unbound if isinstance(verdict, _Waiting)]
    return _check(_volumes(bound, objects), waiting, tuple(doubts), objects)


def _refusal(found: Mounted, request: PodRequest) -> Blocked | None:
    claim = found.claim
    if claim.phase == "Lost":
        return Blocked(
            f'persistentvolumeclaim "{claim.name}" bound to non-existent '
            f'persistentvolume "{claim.volume}"'
        )
    if claim.terminating:
        return Blocked(f'persistentvolumeclaim "{claim.name}" is being deleted')
    if found.is_ephemeral and not found.is_new and claim.controller != request.uid:
        return Blocked(
            f"PVC {claim.namespace}/{claim.name} was not created for pod "
            f"{request.namespace}/{request.name} (pod is not owner)"
        )
    return None


def _unbound(found: Mounted, objects: ClusterObjects) -> _Waiting | Blocked | Reasons:
    """A claim that waits, or why the pod goes nowhere, or whether that cannot be told."""
    claim = found.claim
    if claim.volume:
        return _UNBOUND
    if objects.storage_classes is None:
        return unknown("StorageClass")
    cls = objects.storage_classes.get(("", claim.storage_class))
    if cls is not None and cls.waits:
        existing = None if objects.volumes is None else candidates(claim, objects.volumes)
        return _Waiting(claim, cls, existing, _provisioning(cls, objects))
    if found.is_new:
        return _bound_at_once(claim, cls, objects)
    is_provisioned = cls is not None and cls.provisioner not in _NO_PROVISIONER
    return _IMMEDIATE if is_provisioned and claim.phase == "Pending" else _UNBOUND


def _provisioning(cls: StorageClass, objects: ClusterObjects) -> Reasons:
    if objects.csi_drivers is None:
        return unknown("CSIDriver")
    driver = objects.csi_drivers.get(("", cls.provisioner))
    return unknown("CSIStorageCapacity") if driver and driver.tracks_capacity else NO_REASONS


def _bound_at_once(
    claim: PersistentVolumeClaim, cls: StorageClass | None, objects: ClusterObjects
) -> Blocked | Reasons:
    """What becomes of a new claim that does not wait: to which places it ties the pod."""
    if objects.volumes is None:
        return unknown("PersistentVolume")
    existing = candidates(claim, objects.volumes)
    if found := existing.kept or existing.free:
        return _IMMEDIATE if any(_is_placed(volume) for volume in found) else NO_REASONS
    if cls is None or cls.provisioner in _NO_PROVISIONER:
        return _UNBOUND
    if objects.csi_nodes is None:
        return unknown("CSINode")
    keys = [
        node.topology_keys[cls.provisioner]
        for node in objects.csi_nodes.values()
        if node.topology_keys and cls.provisioner in node.topology_keys
    ]
    if not keys:
        # Not a CSI driver, or one that runs on no node: what it has made tells.
        made = [volume for volume in objects.volumes.values() if volume.storage_class == cls.name]
        return NO_REASONS if made and not any(map(_is_placed, made)) else _IMMEDIATE
    return _IMMEDIATE if any(keys) or cls.topologies else NO_REASONS


def _is_placed(volume: PersistentVolume) -> bool:
    return migrated(volume).affinity is not None or bool(topologies(volume))


def _volumes(bound: Iterable[PersistentVolumeClaim], objects: ClusterObjects) -> list[_Bound]:
    """The volumes of the claims, less those that may be used anywhere."""
    if objects.volumes is None:
        return []
    found = []
    for claim in bound:
        volume = objects.volumes.get(("", claim.volume))
        taken_over = migrated(volume) if volume is not None else None
        if volume is None or taken_over is not volume or volume.affinity is not None:
            found.append(_Bound(volume, taken_over))
    return found


def _check(
    volumes: list[_Bound], waiting: list[_Waiting], doubts: Reasons, objects: ClusterObjects
) -> Callable[[NodeState], Reasons] | None:
    if not (volumes or waiting or doubts):
        return None
    finding = sorted(
        (found for found in waiting if not found.claim.selected_node),
        key=lambda found: found.claim.size,
    )
    provisioning = [found for found in waiting if found.claim.selected_node]

    def check(state: NodeState) -> Reasons:
        found = [
            *_of_bound(volumes, state.node, objects),
            *_of_waiting(finding, provisioning, state.node),
        ]
        certain = tuple(reason for reason in found if reason.hindrance is not Hindrance.UNKNOWN)
        return certain or (*found, *doubts)

    return check


def _of_bound(volumes: list[_Bound], node: Node, objects: ClusterObjects) -> Reasons:
    """The first volume that refuses decides; one that cannot be told about may not."""
    doubts = NO_REASONS
    for bound in volumes:
        if bound.volume is None or bound.migrated is None:
            return (_VOLUME_GONE,)
        if bound.migrated is bound.volume:
            volume = bound.volume
        elif objects.csi_nodes is None:
            doubts = unknown("CSINode")
            continue
        else:
            csi_node = objects.csi_nodes.get(("", node.name))
            is_migrated = csi_node is not None and bound.volume.in_tree in csi_node.migrated
            volume = bound.migrated if is_migrated else bound.volume
        if not suits(volume, node):
            return (_ELSEWHERE,)
    return doubts


def _of_waiting(finding: list[_Waiting], provisioning: list[_Waiting], node: Node) -> Reasons:
    if any(found.claim.selected_node != node.name for found in provisioning):
        return (_NO_VOLUME,)
    taken: set[str] = set()
    to_make = list(provisioning)
    doubts = NO_REASONS
    for found in finding:
        volume = found.existing.on(node, taken) if found.existing is not None else None
        if volume is not None:
            taken.add(volume.name)
        else:
            to_make.append(found)
    for found in to_make:
        if not _can_be_made(found.cls, node):
            if found.existing is not None or found.claim.selected_node:
                return (_NO_VOLUME,)
            doubts += unknown("PersistentVolume")
        else:
            doubts += found.provisioning
    return doubts


def _can_be_made(cls: StorageClass, node: Node) -> bool:
    if cls.provisioner in _NO_PROVISIONER:
        return False
    return not cls.topologies or any(_holds(term, node) for term in cls.topologies)


def _holds(term: tuple[Requirement, ...], node: Node) -> bool:
    return bool(term) and all(node.labels.get(want.key) in want.values for want in term)
