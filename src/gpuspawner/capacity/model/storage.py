"""Volumes, the claims on them, and where they can be attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuspawner.capacity.model.selecting import LabelSelector, NodeSelectorTerm, Requirement

READ_WRITE_ONCE_POD = "ReadWriteOncePod"

MIGRATED_TO: Mapping[str, str] = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""CSI driver by the in-tree plugin that it stands in for ("migration"): those of
``k8s.io/csi-translation-lib`` for which the scheduler has the migration switched on."""


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """core/v1 PersistentVolume.

    Attributes:
        affinity: the terms of its node affinity, of which one must hold; None if it has none.
        capacity: bytes.
        claim: namespace, name and uid of the claim it is bound to or kept for.
        driver: the CSI driver that attaches it; empty if none does.
        handle: what the driver knows it by, unique with the driver.
        in_tree: the plugin it was made with, if a CSI driver may stand in for that; else empty.
    """

    name: str
    uid: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None
    affinity: tuple[NodeSelectorTerm, ...] | None = None
    capacity: int = 0
    access_modes: tuple[str, ...] = ()
    storage_class: str = ""
    volume_mode: str = "Filesystem"
    attributes_class: str = ""
    claim: tuple[str, str, str] | None = None
    phase: str = ""
    terminating: bool = False
    driver: str = ""
    handle: str = ""
    in_tree: str = ""


@dataclass(frozen=True, slots=True)
class PersistentVolumeClaim:
    """core/v1 PersistentVolumeClaim.

    Attributes:
        size: bytes asked for.
        volume: name of the volume it is bound to, or is to be bound to.
        is_bound: the binding is complete.
        selected_node: the node for which a volume is being made.
        controller: uid of the object that owns it.
    """

    namespace: str
    name: str
    uid: str
    access_modes: tuple[str, ...] = ()
    size: int = 0
    storage_class: str = ""
    volume: str = ""
    volume_mode: str = "Filesystem"
    attributes_class: str = ""
    selector: LabelSelector | None = None
    phase: str = ""
    is_bound: bool = False
    selected_node: str = ""
    terminating: bool = False
    controller: str = ""


@dataclass(frozen=True, slots=True)
class NewClaim:
    """A claim that will be made with the pod, if there is none of that name.

    Attributes:
        claim: as it will be.
        uses_default_class: it names no class; the API server fills in the default one.
        is_ephemeral: it belongs to a generic ephemeral volume of the pod.
    """

    claim: PersistentVolumeClaim
    uses_default_class: bool = False
    is_ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class StorageClass:
    """storage.k8s.io/v1 StorageClass.

    Attributes:
        waits: a volume is chosen or made only for the node of the first pod that uses it
            (``WaitForFirstConsumer``).
        topologies: terms over the labels of nodes, of which one must hold; empty: no limits.
        created: when, as the API writes it; the newest of several default classes is taken.
    """

    name: str
    uid: str
    namespace: str = ""
    provisioner: str = ""
    waits: bool = False
    topologies: tuple[tuple[Requirement, ...], ...] = ()
    is_default: bool = False
    created: str = ""


@dataclass(frozen=True, slots=True)
class CSINode:
    """storage.k8s.io/v1 CSINode, named after its node.

    Attributes:
        limits: how many volumes may be attached, by driver; a driver without a limit is left out.
        topology_keys: the labels by which each driver there tells places apart.
        migrated: in-tree plugins that a CSI driver stands in for.
    """

    name: str
    uid: str
    namespace: str = ""
    limits: Mapping[str, int] | None = None
    topology_keys: Mapping[str, tuple[str, ...]] | None = None
    migrated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CSIDriver:
    """storage.k8s.io/v1 CSIDriver; `tracks_capacity`: it publishes how much is left where."""

    name: str
    uid: str
    namespace: str = ""
    tracks_capacity: bool = False


@dataclass(frozen=True, slots=True)
class VolumeAttachment:
    """storage.k8s.io/v1 VolumeAttachment: `driver` has, or is to have, `volume` on `node`."""

    name: str
    uid: str
    namespace: str = ""
    node: str = ""
    driver: str = ""
    volume: str = ""
