"""Nodes that are alike, and how many there are of them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gpuspawner.quantity import parse_amount, parse_quantity
from gpuspawner.simcluster.description.fields import (
    Model,
    NamespaceName,
    ObjectName,
    ResourceQuantities,
    dns_subdomain,
)

NODE_RESOURCES = ("cpu", "memory", "pods")
"""What the capacity of every node must state."""

_INDEX = "{index}"


class Taint(Model):
    """A taint that every node of a pool carries."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Autoscaling(Model):
    """How a pool's nodes come and go, as cluster-autoscaler would have it.

    Attributes:
        group: the node group's name in cluster-autoscaler-status.
        max: how many nodes the pool may have; its `count` is how many there are at the start, and
            stay.
        ready_after_seconds: how long a new node takes.
        idle_seconds: how long a node has nothing to do before it goes.
    """

    group: ObjectName
    max: int = Field(ge=1)
    ready_after_seconds: float = Field(default=10.0, ge=0)
    idle_seconds: float = Field(default=60.0, ge=0)


class NodePool(Model):
    """Nodes that are alike.

    Attributes:
        node_name: the nodes' names; ``{index}`` stands for a number, counted from `first_index`.
        capacity: what a node has, as its status reports it.
        reserved: what its kubelet keeps for itself and the system; allocatable is the difference.
        autoscaling: how it grows and shrinks; left out, it does not.
    """

    name: NamespaceName
    node_name: str
    first_index: int = Field(default=1, ge=0)
    count: int = Field(ge=0)
    roles: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    capacity: ResourceQuantities
    reserved: ResourceQuantities = Field(default_factory=dict)
    autoscaling: Autoscaling | None = None

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of the nodes that there are at the start, in order."""
        return self.possible_node_names[: self.count]

    @property
    def possible_node_names(self) -> tuple[str, ...]:
        """The names of all nodes that there may ever be, in order."""
        most = self.autoscaling.max if self.autoscaling else self.count
        indices = range(self.first_index, self.first_index + most)
        return tuple(self.node_name.replace(_INDEX, str(index)) for index in indices)

    @property
    def allocatable(self) -> dict[str, int]:
        """What pods may use of one node, in the units of `gpuspawner.quantity`."""
        return {
            resource: parse_amount(resource, text)
            - parse_amount(resource, self.reserved.get(resource, "0"))
            for resource, text in self.capacity.items()
        }

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        if self.autoscaling and self.autoscaling.max < self.count:
            raise ValueError(f"max is {self.autoscaling.max}, less than the count of {self.count}")
        most = len(self.possible_node_names)
        if most > 1 and _INDEX not in self.node_name:
            raise ValueError(
                f"node_name {self.node_name!r} names {most} nodes alike; put {_INDEX} in it"
            )
        for name in self.possible_node_names[:1]:
            dns_subdomain(name)
        return self

    @model_validator(mode="after")
    def _reserves_what_it_has(self) -> Self:
        missing = [resource for resource in NODE_RESOURCES if resource not in self.capacity]
        if missing:
            raise ValueError(f"capacity lacks {', '.join(missing)}")
        for resource, text in self.reserved.items():
            if resource not in self.capacity:
                raise ValueError(f"reserved names {resource}, which capacity does not have")
            if parse_quantity(text) > parse_quantity(self.capacity[resource]):
                raise ValueError(
                    f"reserved {resource} is {text}, more than the capacity of "
                    f"{self.capacity[resource]}"
                )
        return self
