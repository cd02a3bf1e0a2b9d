"""The shapes in which the API server sends volumes, claims and what storage drivers say."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.wire.base import Present, Quantities, Wire
from gpuspawner.capacity.wire.placement import LabelSelector, Requirement, Selector

__all__ = [
    "Annotations",
    "CSIDriver",
    "CSINode",
    "ClaimSpec",
    "NewClaim",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Requirement",
    "StorageClass",
    "StorageMetadata",
    "VolumeAttachment",
]


class Annotations(msgspec.Struct):
    """The annotations that decide where a volume can be used; all others are passed over."""

    bind_completed: str | None = msgspec.field(default=None, name="pv.kubernetes.io/bind-completed")
    selected_node: str | None = msgspec.field(
        default=None, name="volume.kubernetes.io/selected-node"
    )
    storage_class: str | None = msgspec.field(
        default=None, name="volume.beta.kubernetes.io/storage-class"
    )
    is_default: str | None = msgspec.field(
        default=None, name="storageclass.kubernetes.io/is-default-class"
    )
    is_default_beta: str | None = msgspec.field(
        default=None, name="storageclass.beta.kubernetes.io/is-default-class"
    )
    migrated_plugins: str | None = msgspec.field(
        default=None, name="storage.alpha.kubernetes.io/migrated-plugins"
    )


class OwnerReference(Wire):
    """meta/v1 OwnerReference."""

    uid: str | None = None
    controller: bool | None = None


class StorageMetadata(Wire):
    """ObjectMeta with the annotations that decide on volumes."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    owner_references: list[OwnerReference] | None = None


class VolumeResources(Wire):
    """core/v1 VolumeResourceRequirements."""

    requests: Quantities | None = None


class ClaimSpec(Wire):
    """core/v1 PersistentVolumeClaimSpec."""

    access_modes: list[str] | None = None
    resources: VolumeResources | None = None
    storage_class_name: str | None = None
    volume_name: str | None = None
    volume_mode: str | None = None
    volume_attributes_class_name: str | None = None
    selector: LabelSelector | None = None


class ClaimStatus(Wire):
    """core/v1 PersistentVolumeClaimStatus."""

    phase: str | None = None


class PersistentVolumeClaim(Wire):
    """core/v1 PersistentVolumeClaim."""

    metadata: StorageMetadata
    spec: ClaimSpec | None = None
    status: ClaimStatus | None = None


class NewClaim(Wire):
    """core/v1 PersistentVolumeClaim or PersistentVolumeClaimTemplate, before it is made."""

    metadata: StorageMetadata | None = None
    spec: ClaimSpec | None = None


class ClaimReference(Wire):
    """core/v1 ObjectReference to a claim."""

    namespace: str | None = None
    name: str | None = None
    uid: str | None = None


class CSISource(Wire):
    """core/v1 CSIPersistentVolumeSource."""

    driver: str
    volume_handle: str | None = None


class VolumeNodeAffinity(Wire):
    """core/v1 VolumeNodeAffinity."""

    required: Selector | None = None


class VolumeSpec(Wire):
    """core/v1 PersistentVolumeSpec; of disks that drivers took over only that they are."""

    capacity: Quantities | None = None
    access_modes: list[str] | None = None
    storage_class_name: str | None = None
    volume_mode: str | None = None
    volume_attributes_class_name: str | None = None
    claim_ref: ClaimReference | None = None
    node_affinity: VolumeNodeAffinity | None = None
    csi: CSISource | None = None
    aws_elastic_block_store: Present | None = None
    gce_persistent_disk: Present | None = None
    azure_disk: Present | None = None
    cinder: Present | None = None
    portworx_volume: Present | None = None


class VolumeStatus(Wire):
    """core/v1 PersistentVolumeStatus."""

    phase: str | None = None


class PersistentVolume(Wire):
    """core/v1 PersistentVolume."""

    metadata: StorageMetadata
    spec: VolumeSpec | None = None
    status: VolumeStatus | None = None


class TopologyRequirement(Wire):
    """core/v1 TopologySelectorLabelRequirement."""

    key: str
    values: list[str] | None = None


class TopologyTerm(Wire):
    """core/v1 TopologySelectorTerm."""

    match_label_expressions: list[TopologyRequirement] | None = None


class StorageClass(Wire):
    """storage.k8s.io/v1 StorageClass."""

    metadata: StorageMetadata
    provisioner: str | None = None
    volume_binding_mode: str | None = None
    allowed_topologies: list[TopologyTerm] | None = None


class DriverAllocatable(Wire):
    """storage.k8s.io/v1 VolumeNodeResources."""

    count: int | None = None


class DriverOnNode(Wire):
    """storage.k8s.io/v1 CSINodeDriver."""

    name: str
    topology_keys: list[str] | None = None
    allocatable: DriverAllocatable | None = None


class CSINodeSpec(Wire):
    """storage.k8s.io/v1 CSINodeSpec."""

    drivers: list[DriverOnNode] | None = None


class CSINode(Wire):
    """storage.k8s.io/v1 CSINode."""

    metadata: StorageMetadata
    spec: CSINodeSpec | None = None


class CSIDriverSpec(Wire):
    """storage.k8s.io/v1 CSIDriverSpec."""

    storage_capacity: bool | None = None


class CSIDriver(Wire):
    """storage.k8s.io/v1 CSIDriver."""

    metadata: StorageMetadata
    spec: CSIDriverSpec | None = None


class AttachmentSource(Wire):
    """storage.k8s.io/v1 VolumeAttachmentSource."""

    persistent_volume_name: str | None = None


class AttachmentSpec(Wire):
    """storage.k8s.io/v1 VolumeAttachmentSpec."""

    attacher: str | None = None
    node_name: str | None = None
    source: AttachmentSource | None = None


class VolumeAttachment(Wire):
    """storage.k8s.io/v1 VolumeAttachment."""

    metadata: StorageMetadata
    spec: AttachmentSpec | None = None
