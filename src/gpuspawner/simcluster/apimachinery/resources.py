"""The resource types that the simulated API server serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource of one API group and version, such as pods in v1.

    Args:
        plural: the name in URLs, such as `pods`.
        kind: the name in objects, such as `Pod`.
        group: the API group; empty for the core group.
        version: the version within the group.
        namespaced: whether objects live in namespaces.
        short_names: what kubectl accepts instead of the plural.
        subresources: names served below an object, such as `status`.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """The `apiVersion` of objects: `v1`, or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in error messages: `pods`, or `storageclasses.storage.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind in error messages: `Pod`, or `StorageClass.storage.k8s.io`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def has_status(self) -> bool:
        """Whether `status` is written through a subresource of its own."""
        return "status" in self.subresources


NODES = ResourceType(
    "nodes", "Node", namespaced=False, short_names=("no",), subresources=("status",)
)
PODS = ResourceType(
    "pods",
    "Pod",
    short_names=("po",),
    subresources=("status", "binding", "eviction", "log"),
)
EVENTS = ResourceType("events", "Event", short_names=("ev",))
NAMESPACES = ResourceType(
    "namespaces", "Namespace", namespaced=False, short_names=("ns",), subresources=("status",)
)
SECRETS = ResourceType("secrets", "Secret")
SERVICES = ResourceType("services", "Service", short_names=("svc",), subresources=("status",))
CONFIGMAPS = ResourceType("configmaps", "ConfigMap", short_names=("cm",))
PERSISTENTVOLUMECLAIMS = ResourceType(
    "persistentvolumeclaims",
    "PersistentVolumeClaim",
    short_names=("pvc",),
    subresources=("status",),
)
PERSISTENTVOLUMES = ResourceType(
    "persistentvolumes",
    "PersistentVolume",
    namespaced=False,
    short_names=("pv",),
    subresources=("status",),
)
SERVICEACCOUNTS = ResourceType("serviceaccounts", "ServiceAccount", short_names=("sa",))
RESOURCEQUOTAS = ResourceType(
    "resourcequotas", "ResourceQuota", short_names=("quota",), subresources=("status",)
)
LIMITRANGES = ResourceType("limitranges", "LimitRange", short_names=("limits",))
STORAGECLASSES = ResourceType(
    "storageclasses", "StorageClass", "storage.k8s.io", namespaced=False, short_names=("sc",)
)
RUNTIMECLASSES = ResourceType("runtimeclasses", "RuntimeClass", "node.k8s.io", namespaced=False)
PRIORITYCLASSES = ResourceType(
    "priorityclasses",
    "PriorityClass",
    "scheduling.k8s.io",
    namespaced=False,
    short_names=("pc",),
)

RESOURCES: tuple[ResourceType, ...] = (
    NODES,
    PODS,
    EVENTS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    CONFIGMAPS,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    SERVICEACCOUNTS,
    RESOURCEQUOTAS,
    LIMITRANGES,
    STORAGECLASSES,
    RUNTIMECLASSES,
    PRIORITYCLASSES,
)

BY_PATH: Mapping[tuple[str, str, str], ResourceType] = MappingProxyType(
    {(item.group, item.version, item.plural): item for item in RESOURCES}
)
"""Resource types by group, version and plural."""
