"""What a verdict needs to know of the cluster; the only reader of the API server's JSON.

Objects are decoded by msgspec into just the fields named in `gpuspawner.capacity.wire`, so that an
object's size in memory does not depend on its annotations, environment or images, and then become
frozen values. Whatever is malformed raises `MalformedObjectError` and nothing else.
"""

from __future__ import annotations

from gpuspawner.capacity.model.autoscaler import (
    AutoscalerStatus,
    NodeGroup,
    read_autoscaler_status,
)
from gpuspawner.capacity.model.classes import (
    PriorityClass,
    RuntimeClass,
    read_priority_class,
    read_runtime_class,
)
from gpuspawner.capacity.model.device_readers import (
    read_device_class,
    read_resource_claim,
    read_slice,
)
from gpuspawner.capacity.model.devices import (
    Device,
    DeviceClass,
    DeviceID,
    DeviceRequest,
    DeviceTaint,
    MatchConstraint,
    Reach,
    ResourceClaim,
    ResourceSlice,
    Version,
)
from gpuspawner.capacity.model.host_ports import ALL_ADDRESSES, HostPort
from gpuspawner.capacity.model.nodes import Node, Taint, read_node
from gpuspawner.capacity.model.packed_labels import pack, packed_matcher
from gpuspawner.capacity.model.pods import TERMINAL_PHASES, Pod, read_pod
from gpuspawner.capacity.model.quotas import Charge, ResourceQuota, Scope, read_quota
from gpuspawner.capacity.model.requests import (
    PodRequest,
    ResourceClaimRef,
    Toleration,
    read_request,
    read_toleration,
)
from gpuspawner.capacity.model.resizing import ResizeRule, ServerVersion, read_server_version
from gpuspawner.capacity.model.resources import NOTHING, Resources
from gpuspawner.capacity.model.selecting import (
    LabelSelector,
    NodeSelectorTerm,
    PodAffinityTerm,
    Requirement,
    SpreadConstraint,
    matches,
    with_label_keys,
)
from gpuspawner.capacity.model.storage import (
    MIGRATED_TO,
    READ_WRITE_ONCE_POD,
    CSIDriver,
    CSINode,
    NewClaim,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from gpuspawner.capacity.model.storage_reading import (
    read_claim,
    read_csi_driver,
    read_csi_node,
    read_new_claim,
    read_storage_class,
    read_volume,
    read_volume_attachment,
)

__all__ = [
    "ALL_ADDRESSES",
    "MIGRATED_TO",
    "NOTHING",
    "READ_WRITE_ONCE_POD",
    "TERMINAL_PHASES",
    "AutoscalerStatus",
    "CSIDriver",
    "CSINode",
    "Charge",
    "Device",
    "DeviceClass",
    "DeviceID",
    "DeviceRequest",
    "DeviceTaint",
    "HostPort",
    "LabelSelector",
    "MatchConstraint",
    "NewClaim",
    "Node",
    "NodeGroup",
    "NodeSelectorTerm",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodAffinityTerm",
    "PodRequest",
    "PriorityClass",
    "Reach",
    "Requirement",
    "ResizeRule",
    "ResourceClaim",
    "ResourceClaimRef",
    "ResourceQuota",
    "ResourceSlice",
    "Resources",
    "RuntimeClass",
    "Scope",
    "ServerVersion",
    "SpreadConstraint",
    "StorageClass",
    "Taint",
    "Toleration",
    "Version",
    "VolumeAttachment",
    "matches",
    "pack",
    "packed_matcher",
    "read_autoscaler_status",
    "read_claim",
    "read_csi_driver",
    "read_csi_node",
    "read_device_class",
    "read_new_claim",
    "read_node",
    "read_pod",
    "read_priority_class",
    "read_quota",
    "read_request",
    "read_resource_claim",
    "read_runtime_class",
    "read_server_version",
    "read_slice",
    "read_storage_class",
    "read_toleration",
    "read_volume",
    "read_volume_attachment",
    "with_label_keys",
]
