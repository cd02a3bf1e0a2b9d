"""Readers of volumes, claims and what storage drivers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.resources import amounts_of
from gpuspawner.capacity.model.selecting import (
    Requirement,
    label_selector,
    node_selector_terms,
)
from gpuspawner.capacity.model.storage import (
    MIGRATED_TO,
    CSIDriver,
    CSINode,
    NewClaim,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeAttachment,
)
from gpuspawner.capacity.wire import storage as shapes
from gpuspawner.errors import MalformedObjectError

_MIGRATED_SOURCES = {
    "aws_elastic_block_store": "kubernetes.io/aws-ebs",
    "gce_persistent_disk": "kubernetes.io/gce-pd",
    "azure_disk": "kubernetes.io/azure-disk",
    "cinder": "kubernetes.io/cinder",
    "portworx_volume": "kubernetes.io/portworx-volume",
}


def read_volume(obj: bytes | Mapping[str, Any]) -> PersistentVolume:
    """A PersistentVolume from its JSON.

    Raises:
        MalformedObjectError: it is not one, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, shapes.PersistentVolume)
    metadata, spec = raw.metadata, raw.spec or shapes.VolumeSpec()
    name = _name(metadata, "PersistentVolume")
    required = spec.node_affinity.required if spec.node_affinity else None
    in_tree = next(
        (plugin for source, plugin in _MIGRATED_SOURCES.items() if getattr(spec, source)), ""
    )
    return PersistentVolume(
        name=name,
        uid=metadata.uid or "",
        labels=metadata.labels,
        affinity=None if required is None else node_selector_terms(required),
        capacity=_bytes(spec.capacity),
        access_modes=tuple(spec.access_modes or ()),
        storage_class=_class_of(metadata, spec.storage_class_name) or "",
        volume_mode=spec.volume_mode or "Filesystem",
        attributes_class=spec.volume_attributes_class_name or "",
        claim=None
        if spec.claim_ref is None
        else (spec.claim_ref.namespace or "", spec.claim_ref.name or "", spec.claim_ref.uid or ""),
        phase=raw.status.phase or "" if raw.status else "",
        terminating=metadata.deletion_timestamp is not None,
        driver=spec.csi.driver if spec.csi else MIGRATED_TO.get(in_tree, ""),
        # What a migrated disk is called by its driver is not read: its volume's name is as unique.
        handle=(spec.csi.volume_handle or "") if spec.csi else name,
        in_tree=in_tree,
    )


def read_claim(obj: bytes | Mapping[str, Any]) -> PersistentVolumeClaim:
    """A PersistentVolumeClaim from its JSON.

    Raises:
        MalformedObjectError: it is not one, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, shapes.PersistentVolumeClaim)
    phase = raw.status.phase or "" if raw.status else ""
    return _claim(raw.metadata, raw.spec, _name(raw.metadata, "PersistentVolumeClaim"), phase)


def read_new_claim(obj: bytes | Mapping[str, Any], name: str = "") -> NewClaim:
    """A claim that is yet to be made, from its manifest.

    Args:
        obj: a PersistentVolumeClaim, or the template of one.
        name: of a template's claim, which belongs to a generic ephemeral volume then.

    Raises:
        MalformedObjectError: it is not one, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, shapes.NewClaim)
    metadata = raw.metadata or shapes.StorageMetadata()
    claim = _claim(metadata, raw.spec, name or _name(metadata, "PersistentVolumeClaim"), "Pending")
    named = _class_of(metadata, raw.spec.storage_class_name if raw.spec else None)
    return NewClaim(claim, uses_default_class=named is None, is_ephemeral=bool(name))


def ephemeral_claims(volumes: list[wire.Volume] | None, pod: str) -> tuple[NewClaim, ...]:
    """The claims that will be made for the generic ephemeral volumes of a pod of that name.

    Raises:
        MalformedObjectError: a template does not read.
    """
    return tuple(
        read_new_claim(bytes(volume.ephemeral.volume_claim_template), f"{pod}-{volume.name}")
        for volume in volumes or ()
        if volume.ephemeral is not None
    )


def read_storage_class(obj: bytes | Mapping[str, Any]) -> StorageClass:
    """A StorageClass from its JSON.

    Raises:
        MalformedObjectError: it is not one.
    """
    raw = wire.decode(obj, shapes.StorageClass)
    annotations = raw.metadata.annotations or shapes.Annotations()
    return StorageClass(
        name=_name(raw.metadata, "StorageClass"),
        uid=raw.metadata.uid or "",
        provisioner=raw.provisioner or "",
        waits=raw.volume_binding_mode == "WaitForFirstConsumer",
        topologies=tuple(
            tuple(
                Requirement(wanted.key, "In", tuple(wanted.values or ()))
                for wanted in term.match_label_expressions or ()
            )
            for term in raw.allowed_topologies or ()
        ),
        is_default="true" in (annotations.is_default, annotations.is_default_beta),
        created=raw.metadata.creation_timestamp or "",
    )


def read_csi_node(obj: bytes | Mapping[str, Any]) -> CSINode:
    """A CSINode from its JSON.

    Raises:
        MalformedObjectError: it is not one.
    """
    raw = wire.decode(obj, shapes.CSINode)
    drivers = raw.spec.drivers or [] if raw.spec else []
    annotations = raw.metadata.annotations or shapes.Annotations()
    return CSINode(
        name=_name(raw.metadata, "CSINode"),
        uid=raw.metadata.uid or "",
        limits={
            driver.name: driver.allocatable.count
            for driver in drivers
            if driver.allocatable is not None and driver.allocatable.count is not None
        },
        topology_keys={driver.name: tuple(driver.topology_keys or ()) for driver in drivers},
        migrated=frozenset(filter(None, (annotations.migrated_plugins or "").split(","))),
    )


def read_csi_driver(obj: bytes | Mapping[str, Any]) -> CSIDriver:
    """A CSIDriver from its JSON.

    Raises:
        MalformedObjectError: it is not one.
    """
    raw = wire.decode(obj, shapes.CSIDriver)
    return CSIDriver(
        name=_name(raw.metadata, "CSIDriver"),
        uid=raw.metadata.uid or "",
        tracks_capacity=bool(raw.spec and raw.spec.storage_capacity),
    )


def read_volume_attachment(obj: bytes | Mapping[str, Any]) -> VolumeAttachment:
    """A VolumeAttachment from its JSON.

    Raises:
        MalformedObjectError: it is not one.
    """
    raw = wire.decode(obj, shapes.VolumeAttachment)
    spec = raw.spec or shapes.AttachmentSpec()
    return VolumeAttachment(
        name=_name(raw.metadata, "VolumeAttachment"),
        uid=raw.metadata.uid or "",
        node=spec.node_name or "",
        driver=spec.attacher or "",
        volume=spec.source.persistent_volume_name or "" if spec.source else "",
    )


def _claim(
    metadata: shapes.StorageMetadata, spec: shapes.ClaimSpec | None, name: str, phase: str
) -> PersistentVolumeClaim:
    spec = spec or shapes.ClaimSpec()
    annotations = metadata.annotations or shapes.Annotations()
    owners = metadata.owner_references or ()
    return PersistentVolumeClaim(
        namespace=metadata.namespace or "",
        name=name,
        uid=metadata.uid or "",
        access_modes=tuple(spec.access_modes or ()),
        size=_bytes(spec.resources.requests if spec.resources else None),
        storage_class=_class_of(metadata, spec.storage_class_name) or "",
        volume=spec.volume_name or "",
        volume_mode=spec.volume_mode or "Filesystem",
        attributes_class=spec.volume_attributes_class_name or "",
        selector=label_selector(spec.selector),
        phase=phase,
        is_bound=bool(spec.volume_name) and annotations.bind_completed is not None,
        selected_node=annotations.selected_node or "",
        terminating=metadata.deletion_timestamp is not None,
        controller=next((owner.uid or "" for owner in owners if owner.controller), ""),
    )


def _class_of(metadata: shapes.StorageMetadata, named: str | None) -> str | None:
    """The storage class; an annotation of old goes before the field."""
    annotated = metadata.annotations.storage_class if metadata.annotations else None
    return annotated if annotated is not None else named


def _bytes(quantities: wire.Quantities | None) -> int:
    return amounts_of(quantities).get("storage", 0)


def _name(metadata: shapes.StorageMetadata, kind: str) -> str:
    if not metadata.name:
        raise MalformedObjectError(f"a {kind} without metadata.name")
    return metadata.name
