"""Objects besides nodes and pods that decide on a verdict, each kind None while it is not known.

A kind that nobody watches, that is not served or that RBAC hides is None; what depends on it is
unknown then, and never taken as "there are none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar, cast

from gpuspawner.capacity.model.autoscaler import AutoscalerStatus
from gpuspawner.capacity.model.devices import DeviceClass, ResourceClaim, ResourceSlice
from gpuspawner.capacity.model.quotas import ResourceQuota
from gpuspawner.capacity.model.resizing import ServerVersion
from gpuspawner.capacity.model.storage import (
    CSIDriver,
    CSINode,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)

Key = tuple[str, str]
"""Namespace and name; the namespace of what has none is empty."""


class _Named(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...


T = TypeVar("T", bound=_Named)
Objects = Mapping[Key, T] | None


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """All kinds, by namespace and name.

    Attributes:
        version: of the API server, which decides on some rules; None if it is not known.
        hides_quotas: whether there are quotas that cannot be read beside `quotas`.
    """

    quotas: Objects[ResourceQuota] = None
    volumes: Objects[PersistentVolume] = None
    claims: Objects[PersistentVolumeClaim] = None
    storage_classes: Objects[StorageClass] = None
    csi_nodes: Objects[CSINode] = None
    csi_drivers: Objects[CSIDriver] = None
    attachments: Objects[VolumeAttachment] = None
    slices: Objects[ResourceSlice] = None
    device_classes: Objects[DeviceClass] = None
    resource_claims: Objects[ResourceClaim] = None
    autoscaler: Objects[AutoscalerStatus] = None
    version: ServerVersion | None = None
    hides_quotas: bool = False


NO_OBJECTS = ClusterObjects()
KINDS = tuple(
    field.name
    for field in fields(ClusterObjects)
    if field.default is None and field.name != "version"
)


# The same each time: a kind that is not served is found to be so again every few seconds.
_NONE: Mapping[Key, Any] = MappingProxyType({})


class ObjectTable(Generic[T]):
    """One kind, kept up to date one object at a time."""

    def __init__(self) -> None:
        self._objects: dict[Key, T] | None = None
        self._unreadable: dict[Key, str] = {}
        self._given: Objects[T] = None

    def replace(self, objects: Iterable[T]) -> None:
        """Take a full list; whatever is not in it is gone."""
        self._unreadable.clear()
        held = self._objects or {}
        new = {(obj.namespace, obj.name): obj for obj in objects}
        if self._objects is None or new != held:
            self._objects, self._given = new, None

    def put(self, obj: T) -> None:
        """Take in `obj` in place of whatever had its name; nothing if the kind is not known."""
        key = (obj.namespace, obj.name)
        self._unreadable.pop(key, None)
        if self._objects is not None and self._objects.get(key) != obj:
            self._objects[key] = obj
            self._given = None

    def put_unreadable(self, namespace: str, name: str, uid: str) -> None:
        """Take note of an object that cannot be read: while it exists, the kind is not known."""
        self._unreadable[namespace, name] = uid

    def drop(self, namespace: str, name: str, uid: str) -> None:
        """Let go of an object, unless another of the same name has its place."""
        if self._unreadable.get((namespace, name)) == uid:
            del self._unreadable[namespace, name]
        held = (self._objects or {}).get((namespace, name))
        if self._objects is not None and held is not None and held.uid == uid:
            del self._objects[namespace, name]
            self._given = None

    def forget(self) -> None:
        """Nothing is known of the kind any more."""
        self._unreadable.clear()
        self._objects = self._given = None

    @property
    def hides_some(self) -> bool:
        """Whether there are objects that cannot be read."""
        return bool(self._unreadable)

    def snapshot(self) -> Objects[T]:
        """The objects that can be read: the same mapping as before if nothing has changed."""
        if self._objects is not None and self._given is None:
            self._given = MappingProxyType(self._objects.copy()) if self._objects else _NONE
        return self._given


class ObjectTables:
    """A table for each kind; `snapshot` is the same object as before if nothing has changed.

    Attributes:
        version: of the API server, once it is known.
    """

    def __init__(self) -> None:
        self._tables: dict[str, ObjectTable[Any]] = {kind: ObjectTable() for kind in KINDS}
        self._snapshot = NO_OBJECTS
        self.version: ServerVersion | None = None

    def table(self, kind: str) -> ObjectTable[Any]:
        """The table of a field of `ClusterObjects`."""
        return self._tables[kind]

    def snapshot(self) -> ClusterObjects:
        """All kinds now."""
        # One quota that cannot be read does not lift the others; of all else, any may decide.
        found = {
            kind: None if table.hides_some and kind != "quotas" else table.snapshot()
            for kind, table in self._tables.items()
        }
        hides_quotas = self._tables["quotas"].hides_some
        before = self._snapshot
        if (self.version, hides_quotas) != (before.version, before.hides_quotas) or any(
            found[kind] is not getattr(before, kind) for kind in KINDS
        ):
            self._snapshot = ClusterObjects(
                **cast("dict[str, Any]", found), version=self.version, hides_quotas=hides_quotas
            )
        return self._snapshot
