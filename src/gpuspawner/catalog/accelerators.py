"""Kinds of devices, and how those who have them share them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from gpuspawner.catalog.amounts import Bytes
from gpuspawner.catalog.base import Model
from gpuspawner.catalog.placement import NodeSelectorTerm, Toleration
from gpuspawner.catalog.problems import Finding, sound
from gpuspawner.catalog.texts import LabelPairs, ObjectName, ResourceName, Text

Sharing = Literal["exclusive", "mig", "time-slicing", "mps"]


class Accelerator(Model):
    """A kind of device, by the extended resource that its device plugin advertises."""

    title: Text
    """What people read, such as "NVIDIA A100 40 GB"."""

    resource: ResourceName
    """The extended resource, such as nvidia.com/gpu or nvidia.com/mig-1g.5gb."""

    memory: Bytes | None = None
    """Device memory of one unit, for people to compare; nothing enforces it."""

    sharing: Sharing = "exclusive"
    """exclusive: a device of one's own. mig: an isolated slice. time-slicing and mps: shared."""

    shared_by: Annotated[StrictInt, Field(ge=1)] | None = None
    """How many servers share one device."""

    fail_requests_greater_than_one: StrictBool | None = None
    """The device plugin's own setting; with time-slicing, only false permits counts above 1."""

    runtime_class: ObjectName | None = None
    """The RuntimeClass that gives containers the device; left out, the node's default."""

    node_selector: LabelPairs = Field(default_factory=dict)
    """Labels that a node must have."""

    tolerations: tuple[Toleration, ...] = ()
    """Taints that the servers tolerate, in addition to the hub's own."""

    affinity: tuple[NodeSelectorTerm, ...] = ()
    """Required node affinity: a node must meet one of these terms."""

    priority_class: ObjectName | None = None
    """The PriorityClass of the servers' pods."""

    @model_validator(mode="after")
    def _shares_as_its_resource_does(self) -> Self:
        return sound(self, _sharing_faults(self))

    @property
    def serves_one_at_a_time(self) -> bool:
        """Whether the device plugin refuses, after scheduling, a container that asks for two."""
        if self.sharing == "time-slicing":
            return self.fail_requests_greater_than_one is not False
        return self.sharing == "mps"


def _sharing_faults(accelerator: Accelerator) -> Iterator[Finding]:
    sharing = accelerator.sharing
    name = accelerator.resource.rpartition("/")[2]
    unless = (("sharing",),)
    if sharing == "exclusive" and name.startswith("mig-"):
        message = f"{accelerator.resource} is a slice of a device, not a device of one's own"
        yield Finding(("sharing",), message, "write sharing: mig", unless)
    if sharing == "exclusive" and name.endswith(".shared"):
        message = f"{accelerator.resource} is shared, as its device plugin's name for it says"
        yield Finding(("sharing",), message, "write sharing: time-slicing or sharing: mps", unless)
    if sharing == "exclusive" and (accelerator.shared_by or 1) > 1:
        message = "an exclusive device is shared by nobody"
        yield Finding(("shared_by",), message, "write how under sharing", unless)
    fails = accelerator.fail_requests_greater_than_one
    if sharing == "mps" and fails is False:
        message = "with MPS the device plugin refuses every request greater than one"
        yield Finding(("fail_requests_greater_than_one",), message, "leave it out", unless)
    if sharing in ("exclusive", "mig") and fails is not None:
        message = "this setting is for time-slicing"
        yield Finding(("fail_requests_greater_than_one",), message, "leave it out", unless)
