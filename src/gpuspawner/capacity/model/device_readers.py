"""Readers of resource.k8s.io/v1 objects."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from gpuspawner.capacity.model.devices import (
    Allocation,
    Attribute,
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
from gpuspawner.capacity.model.requests import Toleration
from gpuspawner.capacity.model.selecting import NodeSelectorTerm, node_selector_terms
from gpuspawner.capacity.wire import Selector, decode
from gpuspawner.capacity.wire import devices as wire
from gpuspawner.errors import MalformedObjectError
from gpuspawner.quantity import parse_quantity


def read_slice(obj: bytes | Mapping[str, Any]) -> ResourceSlice:
    """A slice from its JSON.

    Raises:
        MalformedObjectError: it is not a slice.
    """
    raw = decode(obj, wire.ResourceSlice)
    spec = raw.spec
    own = bool(spec.per_device_node_selection)
    return ResourceSlice(
        name=_name(raw.metadata.name, "ResourceSlice"),
        uid=raw.metadata.uid or "",
        driver=spec.driver,
        pool=spec.pool.name,
        generation=spec.pool.generation,
        slices=spec.pool.resource_slice_count,
        reach=None if own else _reach(spec),
        devices=tuple(_device(device, spec, own) for device in spec.devices or ()),
        has_counters=bool(spec.shared_counters),
    )


def read_device_class(obj: bytes | Mapping[str, Any]) -> DeviceClass:
    """A device class from its JSON.

    Raises:
        MalformedObjectError: it is not a device class.
    """
    raw = decode(obj, wire.DeviceClass)
    spec = raw.spec or wire.DeviceClassSpec()
    return DeviceClass(
        name=_name(raw.metadata.name, "DeviceClass"),
        uid=raw.metadata.uid or "",
        selectors=_selectors(spec.selectors),
        extended_resource=spec.extended_resource_name or "",
        created=raw.metadata.creation_timestamp or "",
    )


def read_resource_claim(obj: bytes | Mapping[str, Any]) -> ResourceClaim:
    """A claim from its JSON.

    Raises:
        MalformedObjectError: it is not a claim.
    """
    raw = decode(obj, wire.ResourceClaim)
    metadata, status = raw.metadata, raw.status or wire.ResourceClaimStatus()
    asked = (raw.spec.devices if raw.spec else None) or wire.ClaimedDevices()
    return ResourceClaim(
        namespace=metadata.namespace or "default",
        name=_name(metadata.name, "ResourceClaim"),
        uid=metadata.uid or "",
        requests=tuple(_request(request) for request in asked.requests or ()),
        constraints=tuple(
            MatchConstraint(tuple(constraint.requests or ()), constraint.match_attribute or "")
            for constraint in asked.constraints or ()
        ),
        allocation=_allocation(status.allocation) if status.allocation else None,
        reserved_for=tuple(consumer.uid or "" for consumer in status.reserved_for or ()),
        terminating=metadata.deletion_timestamp is not None,
    )


def _name(name: str | None, kind: str) -> str:
    if not name:
        raise MalformedObjectError(f"a {kind} without metadata.name")
    return name


def _device(raw: wire.Device, spec: wire.ResourceSliceSpec, has_reach: bool) -> Device:  # noqa: FBT001
    capacity = raw.capacity or {}
    return Device(
        id=DeviceID(spec.driver, spec.pool.name, raw.name),
        attributes={
            _qualified(name, spec.driver): _value(attribute)
            for name, attribute in (raw.attributes or {}).items()
        },
        capacity={
            _qualified(name, spec.driver): _quantity(amount.value)
            for name, amount in capacity.items()
        },
        taints=tuple(
            DeviceTaint(taint.key, taint.value or "", taint.effect or "")
            for taint in raw.taints or ()
        ),
        reach=_reach(raw) if has_reach else None,
        is_plain=not (
            raw.consumes_counters
            or raw.allow_multiple_allocations
            or raw.binding_conditions
            or raw.node_allocatable_resource_mappings
            or any(amount.request_policy for amount in capacity.values())
        ),
    )


def _reach(raw: wire.ResourceSliceSpec | wire.Device) -> Reach:
    return Reach(raw.node_name or "", bool(raw.all_nodes), _terms(raw.node_selector))


def _terms(selector: Selector | None) -> tuple[NodeSelectorTerm, ...] | None:
    return None if selector is None else node_selector_terms(selector)


def _qualified(name: str, driver: str) -> str:
    return name if "/" in name else f"{driver}/{name}"


def _value(raw: wire.Attribute) -> Attribute:
    if raw.version_value is not None:
        return Version(raw.version_value)
    for value in (raw.int_value, raw.bool_value, raw.string_value):
        if value is not None:
            return value
    return None


def _quantity(text: str | float) -> Fraction:
    try:
        return parse_quantity(text)
    except ValueError as error:
        raise MalformedObjectError(str(error)) from error


def _selectors(raw: list[wire.DeviceSelector] | None) -> tuple[str | None, ...]:
    return tuple(selector.cel.expression if selector.cel else None for selector in raw or ())


def _request(raw: wire.DeviceRequest) -> DeviceRequest:
    asked = raw.exactly
    if asked is None:
        alternatives = raw.first_available or ()
        classes = tuple((f"{raw.name}/{sub.name}", sub.device_class_name) for sub in alternatives)
        return DeviceRequest(raw.name, classes, is_plain=False)
    mode = asked.allocation_mode or "ExactCount"
    return DeviceRequest(
        name=raw.name,
        classes=((raw.name, asked.device_class_name),),
        selectors=_selectors(asked.selectors),
        count=None if mode == "All" else 1 if asked.count is None else asked.count,
        tolerations=tuple(
            Toleration(one.key or "", one.operator or "", one.value or "", one.effect or "")
            for one in asked.tolerations or ()
        ),
        is_plain=not (asked.admin_access or asked.capacity) and mode in ("ExactCount", "All"),
    )


def _allocation(raw: wire.Allocation) -> Allocation:
    results = (raw.devices.results if raw.devices else None) or ()
    return Allocation(
        devices=tuple(
            DeviceID(result.driver, result.pool, result.device)
            for result in results
            if not result.admin_access and result.share_id is None
        ),
        terms=_terms(raw.node_selector),
        is_conditional=any(result.binding_conditions for result in results),
    )
