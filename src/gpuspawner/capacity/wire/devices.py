"""Dynamic Resource Allocation: what of resource.k8s.io/v1 decides on an allocation.

v1beta2 has the same shape. Of features that no check judges, only that they are used is kept.
"""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.wire.base import Metadata, Present, Wire
from gpuspawner.capacity.wire.placement import Selector, Toleration


class Attribute(Wire):
    """DeviceAttribute: one of the values is set; one of a type unknown here leaves all empty."""

    string_value: str | None = msgspec.field(default=None, name="string")
    int_value: int | None = msgspec.field(default=None, name="int")
    bool_value: bool | None = msgspec.field(default=None, name="bool")
    version_value: str | None = msgspec.field(default=None, name="version")


class Capacity(Wire):
    """DeviceCapacity."""

    value: str | int | float
    request_policy: Present | None = None


class DeviceTaint(Wire):
    """DeviceTaint."""

    key: str
    value: str | None = None
    effect: str | None = None


class Device(Wire):
    """Device."""

    name: str
    attributes: dict[str, Attribute] | None = None
    capacity: dict[str, Capacity] | None = None
    taints: list[DeviceTaint] | None = None
    node_name: str | None = None
    node_selector: Selector | None = None
    all_nodes: bool | None = None
    consumes_counters: list[Present] | None = None
    allow_multiple_allocations: bool | None = None
    binding_conditions: list[str] | None = None
    node_allocatable_resource_mappings: dict[str, Present] | None = None


class ResourcePool(Wire):
    """ResourcePool."""

    name: str
    generation: int
    resource_slice_count: int


class ResourceSliceSpec(Wire):
    """ResourceSliceSpec."""

    driver: str
    pool: ResourcePool
    node_name: str | None = None
    node_selector: Selector | None = None
    all_nodes: bool | None = None
    per_device_node_selection: bool | None = None
    devices: list[Device] | None = None
    shared_counters: list[Present] | None = None


class ResourceSlice(Wire):
    """ResourceSlice."""

    metadata: Metadata
    spec: ResourceSliceSpec


class Expression(Wire):
    """CELDeviceSelector."""

    expression: str


class DeviceSelector(Wire):
    """DeviceSelector."""

    cel: Expression | None = None


class DatedMetadata(Metadata):
    """ObjectMeta of what is told apart by age."""

    creation_timestamp: str | None = None


class DeviceClassSpec(Wire):
    """DeviceClassSpec."""

    selectors: list[DeviceSelector] | None = None
    extended_resource_name: str | None = None


class DeviceClass(Wire):
    """DeviceClass."""

    metadata: DatedMetadata
    spec: DeviceClassSpec | None = None


class ExactRequest(Wire):
    """ExactDeviceRequest."""

    device_class_name: str
    selectors: list[DeviceSelector] | None = None
    allocation_mode: str | None = None
    count: int | None = None
    admin_access: bool | None = None
    tolerations: list[Toleration] | None = None
    capacity: Present | None = None


class SubRequest(Wire):
    """DeviceSubRequest."""

    name: str
    device_class_name: str


class DeviceRequest(Wire):
    """DeviceRequest."""

    name: str
    exactly: ExactRequest | None = None
    first_available: list[SubRequest] | None = None


class Constraint(Wire):
    """DeviceConstraint."""

    requests: list[str] | None = None
    match_attribute: str | None = None


class ClaimedDevices(Wire):
    """DeviceClaim."""

    requests: list[DeviceRequest] | None = None
    constraints: list[Constraint] | None = None


class ResourceClaimSpec(Wire):
    """ResourceClaimSpec."""

    devices: ClaimedDevices | None = None


class Allocated(Wire):
    """DeviceRequestAllocationResult."""

    driver: str
    pool: str
    device: str
    admin_access: bool | None = None
    share_id: str | None = msgspec.field(default=None, name="shareID")
    binding_conditions: list[str] | None = None


class AllocatedDevices(Wire):
    """DeviceAllocationResult."""

    results: list[Allocated] | None = None


class Allocation(Wire):
    """AllocationResult."""

    devices: AllocatedDevices | None = None
    node_selector: Selector | None = None


class Consumer(Wire):
    """ResourceClaimConsumerReference."""

    uid: str | None = None


class ResourceClaimStatus(Wire):
    """ResourceClaimStatus."""

    allocation: Allocation | None = None
    reserved_for: list[Consumer] | None = None


class ResourceClaim(Wire):
    """ResourceClaim."""

    metadata: Metadata
    spec: ResourceClaimSpec | None = None
    status: ResourceClaimStatus | None = None
