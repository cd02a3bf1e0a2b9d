"""Devices of Dynamic Resource Allocation: what drivers publish, and what pods claim of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from gpuspawner.capacity.model.requests import Toleration
from gpuspawner.capacity.model.selecting import NodeSelectorTerm


@dataclass(frozen=True, slots=True)
class Version:
    """An attribute that is a semantic version."""

    text: str


Attribute = str | int | bool | Version | None
"""The value of an attribute; None for one of a type that the scheduler cannot read either."""


class DeviceID(NamedTuple):
    """What tells a device from all others."""

    driver: str
    pool: str
    device: str


@dataclass(frozen=True, slots=True)
class Reach:
    """The nodes from which devices can be used; none of them if nothing is set.

    Attributes:
        terms: the terms of a node selector, of which one must match; None if there is none.
    """

    node: str = ""
    all_nodes: bool = False
    terms: tuple[NodeSelectorTerm, ...] | None = None


@dataclass(frozen=True, slots=True)
class DeviceTaint:
    """A taint of a device."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device in a slice.

    Attributes:
        attributes: by name with its domain, which is the driver's if none was written.
        capacity: the same.
        reach: its own, for a slice that leaves this to its devices; else None.
        is_plain: it is used whole and by one claim, and binding does not wait for it.
    """

    id: DeviceID
    attributes: Mapping[str, Attribute]
    capacity: Mapping[str, Fraction]
    taints: tuple[DeviceTaint, ...] = ()
    reach: Reach | None = None
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class ResourceSlice:
    """resource.k8s.io ResourceSlice: a part of a pool of devices.

    Attributes:
        generation: of the pool; older ones do not count.
        slices: how many slices the pool has in this generation.
        reach: None if each device has its own.
        has_counters: it holds counters that devices of the pool share.
    """

    name: str
    uid: str
    driver: str
    pool: str
    generation: int
    slices: int
    reach: Reach | None
    devices: tuple[Device, ...]
    has_counters: bool = False
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """resource.k8s.io DeviceClass.

    Attributes:
        selectors: CEL expressions that all must hold; None for a selector of another kind.
        extended_resource: which extended resource it stands for as well; empty if none.
        created: when, as the API server writes it.
    """

    name: str
    uid: str
    selectors: tuple[str | None, ...] = ()
    extended_resource: str = ""
    created: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """One request of a claim.

    Attributes:
        classes: the device class by the name under which it is asked for; several for a list of
            alternatives.
        selectors: CEL expressions that all must hold; None for a selector of another kind.
        count: how many devices; None for all that match.
        is_plain: it asks for whole devices, without alternatives and without admin access.
    """

    name: str
    classes: tuple[tuple[str, str], ...]
    selectors: tuple[str | None, ...] = ()
    count: int | None = 1
    tolerations: tuple[Toleration, ...] = ()
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class MatchConstraint:
    """Devices that must agree in an attribute.

    Attributes:
        requests: names of the requests it is about; all of the claim's if empty.
        attribute: with its domain; empty for a constraint of another kind.
    """

    requests: tuple[str, ...]
    attribute: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """The devices that a claim has got.

    Attributes:
        devices: those that nobody else can have.
        terms: the terms of a node selector, of which one must match; None for all nodes.
        is_conditional: the devices must report themselves ready before a pod is bound.
    """

    devices: tuple[DeviceID, ...]
    terms: tuple[NodeSelectorTerm, ...] | None = None
    is_conditional: bool = False


@dataclass(frozen=True, slots=True)
class ResourceClaim:
    """resource.k8s.io ResourceClaim.

    Attributes:
        allocation: None while it has not got its devices.
        reserved_for: uids of those that use it.
    """

    namespace: str
    name: str
    uid: str
    requests: tuple[DeviceRequest, ...] = ()
    constraints: tuple[MatchConstraint, ...] = ()
    allocation: Allocation | None = None
    reserved_for: tuple[str, ...] = ()
    terminating: bool = False
