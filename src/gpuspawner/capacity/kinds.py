"""Which kinds of objects decide on a verdict, besides nodes and pods, and where they are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from gpuspawner.capacity import model
from gpuspawner.capacity.model.autoscaler import STATUS_NAME, STATUS_NAMESPACE
from gpuspawner.capacity.wire import autoscaler, classes, devices, quotas, storage


class Purpose(Enum):
    """What a kind is looked at for; without such pods the right to it is not needed."""

    QUOTAS = "quotas"
    VOLUMES = "volumes"
    DEVICES = "devices of Dynamic Resource Allocation"
    POOLS = "pools that an autoscaler grows"
    ADMISSION = "what admission makes of a pod"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is optional to know.

    Attributes:
        purpose: what it is looked at for.
        name: as in the API: ``PersistentVolume``.
        table: the field of `gpuspawner.capacity.objects.ClusterObjects` it fills.
        group: such as ``resource.k8s.io``; empty for the core.
        version: of the group.
        plural: the resource's name, as in RBAC.
        shape: what is decoded of an object.
        read: makes a value of an object.
        of_the_pods: only the objects in the namespace of the pods to be judged matter.
        namespace: the only namespace to look in; empty for all.
        parameters: what selects the objects, such as a ``fieldSelector``.
    """

    purpose: Purpose
    name: str
    table: str
    group: str
    version: str
    plural: str
    shape: type[msgspec.Struct]
    read: Callable[[bytes | Mapping[str, Any]], Any]
    of_the_pods: bool = False
    namespace: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def path(self, namespace: str) -> str:
        """Where it is listed and watched.

        Args:
            namespace: of the pods to be judged; empty if they are in many.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        only = namespace if self.of_the_pods else self.namespace
        return f"{root}/namespaces/{only}/{self.plural}" if only else f"{root}/{self.plural}"


_STORAGE, _RESOURCE = "storage.k8s.io", "resource.k8s.io"

KINDS: tuple[Kind, ...] = (
    Kind(
        Purpose.QUOTAS,
        "ResourceQuota",
        "quotas",
        "",
        "v1",
        "resourcequotas",
        quotas.ResourceQuota,
        model.read_quota,
        of_the_pods=True,
    ),
    Kind(
        Purpose.VOLUMES,
        "PersistentVolume",
        "volumes",
        "",
        "v1",
        "persistentvolumes",
        storage.PersistentVolume,
        model.read_volume,
    ),
    Kind(
        Purpose.VOLUMES,
        "PersistentVolumeClaim",
        "claims",
        "",
        "v1",
        "persistentvolumeclaims",
        storage.PersistentVolumeClaim,
        model.read_claim,
        of_the_pods=True,
    ),
    Kind(
        Purpose.VOLUMES,
        "StorageClass",
        "storage_classes",
        _STORAGE,
        "v1",
        "storageclasses",
        storage.StorageClass,
        model.read_storage_class,
    ),
    Kind(
        Purpose.VOLUMES,
        "CSINode",
        "csi_nodes",
        _STORAGE,
        "v1",
        "csinodes",
        storage.CSINode,
        model.read_csi_node,
    ),
    Kind(
        Purpose.VOLUMES,
        "CSIDriver",
        "csi_drivers",
        _STORAGE,
        "v1",
        "csidrivers",
        storage.CSIDriver,
        model.read_csi_driver,
    ),
    Kind(
        Purpose.VOLUMES,
        "VolumeAttachment",
        "attachments",
        _STORAGE,
        "v1",
        "volumeattachments",
        storage.VolumeAttachment,
        model.read_volume_attachment,
    ),
    Kind(
        Purpose.DEVICES,
        "ResourceSlice",
        "slices",
        _RESOURCE,
        "v1",
        "resourceslices",
        devices.ResourceSlice,
        model.read_slice,
    ),
    Kind(
        Purpose.DEVICES,
        "DeviceClass",
        "device_classes",
        _RESOURCE,
        "v1",
        "deviceclasses",
        devices.DeviceClass,
        model.read_device_class,
    ),
    Kind(
        Purpose.DEVICES,
        "ResourceClaim",
        "resource_claims",
        _RESOURCE,
        "v1",
        "resourceclaims",
        devices.ResourceClaim,
        model.read_resource_claim,
    ),
    Kind(
        Purpose.POOLS,
        "ConfigMap",
        "autoscaler",
        "",
        "v1",
        "configmaps",
        autoscaler.ConfigMap,
        model.read_autoscaler_status,
        namespace=STATUS_NAMESPACE,
        parameters={"fieldSelector": f"metadata.name={STATUS_NAME}"},
    ),
)
"""All of them. Without the right to one, what depends on it is unknown."""

CLASSES: tuple[Kind, ...] = (
    Kind(
        Purpose.ADMISSION,
        "RuntimeClass",
        "runtime",
        "node.k8s.io",
        "v1",
        "runtimeclasses",
        classes.RuntimeClass,
        model.read_runtime_class,
    ),
    Kind(
        Purpose.ADMISSION,
        "PriorityClass",
        "priority",
        "scheduling.k8s.io",
        "v1",
        "priorityclasses",
        classes.PriorityClass,
        model.read_priority_class,
    ),
)
"""What a recording holds besides, since no admission can be asked there. A hub asks for a dry run
instead, and needs no right to them. The table is a field of `gpuspawner.recording.Classes`."""
