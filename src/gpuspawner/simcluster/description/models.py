"""The parts of a cluster, and the cluster as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, PositiveFloat, ValidationError, model_validator

from gpuspawner.quantity import parse_amount, parse_quantity
from gpuspawner.simcluster.description.fields import (
    Model,
    NamespaceName,
    ObjectName,
    ResourceQuantities,
    dns_subdomain,
)
from gpuspawner.simcluster.description.problems import ClusterDescriptionError, problems_of
from gpuspawner.simcluster.scheduling.placing import GpuStrategy
from gpuspawner.simcluster.scheduling.queueing import INITIAL_BACKOFF, MAX_BACKOFF

NODE_RESOURCES = ("cpu", "memory", "pods")
"""What the capacity of every node must state."""

_INDEX = "{index}"


class Taint(Model):
    """A taint that every node of a pool carries."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Model):
    """Nodes that are alike.

    Attributes:
        node_name: the nodes' names; ``{index}`` stands for a number, counted from `first_index`.
        capacity: what a node has, as its status reports it.
        reserved: what its kubelet keeps for itself and the system; allocatable is the difference.
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

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of the pool's nodes, in order."""
        indices = range(self.first_index, self.first_index + self.count)
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
        if self.count > 1 and _INDEX not in self.node_name:
            raise ValueError(
                f"node_name {self.node_name!r} names {self.count} nodes alike; put {_INDEX} in it"
            )
        for name in self.node_names[:1]:
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


class StorageClass(Model):
    """A storage class; volumes are made for claims of one that does not wait."""

    name: ObjectName
    provisioner: str
    default: bool = False
    reclaim_policy: Literal["Delete", "Retain"] = "Delete"
    volume_binding_mode: Literal["Immediate", "WaitForFirstConsumer"] = "Immediate"


class Claim(Model):
    """A claim that is there from the start, such as people's data."""

    name: ObjectName
    namespace: NamespaceName
    storage_class: str
    size: str = "10Gi"


class RuntimeClass(Model):
    """A runtime class and the name its nodes' container runtime has for it."""

    name: ObjectName
    handler: str


class PriorityClass(Model):
    """A priority class."""

    name: ObjectName
    value: int
    default: bool = False
    description: str = ""


class SystemPods(Model):
    """One pod on each node, as a DaemonSet would have it.

    Attributes:
        node_pools: the pools it runs on; all of them if empty.
    """

    name: NamespaceName
    namespace: NamespaceName = "kube-system"
    image: str
    requests: ResourceQuantities = Field(default_factory=dict)
    node_pools: tuple[str, ...] = ()


class Running(Model):
    """How many pods of a kind there are at least and at most."""

    min: int = Field(ge=0)
    max: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


class BystanderJob(Model):
    """A kind of pod that other people run."""

    name: NamespaceName
    image: str
    requests: ResourceQuantities
    running: Running
    labels: dict[str, str] = Field(default_factory=dict)
    priority_class_name: str | None = None


class Bystanders(Model):
    """Other people's pods, which come and go.

    Attributes:
        seed: what happens is a function of this number.
        interval_seconds: the shortest and the longest time between two changes.
    """

    namespace: NamespaceName
    seed: int = 0
    interval_seconds: tuple[float, float] = (10.0, 40.0)
    jobs: tuple[BystanderJob, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _interval_is_a_range(self) -> Self:
        shortest, longest = self.interval_seconds
        if not 0 < shortest <= longest:
            raise ValueError(
                f"interval_seconds is [{shortest:g}, {longest:g}]; write the shortest, which is "
                "more than 0, and then the longest"
            )
        return self


class ClusterDescription(Model):
    """A whole cluster.

    Attributes:
        schedulers: the values of a pod's ``schedulerName`` that the cluster's scheduler serves.
        gpu_strategy: which node a pod that asks for devices gets.
        scheduler_backoff_seconds: how long a pod that did not fit rests before it is tried again:
            the first wait, which doubles each time, and the longest.
        image_pull_seconds: how long a node takes for an image it has not had before.
    """

    name: NamespaceName
    node_pools: tuple[NodePool, ...] = Field(min_length=1)
    namespaces: tuple[NamespaceName, ...] = ()
    schedulers: tuple[str, ...] = ("default-scheduler",)
    gpu_strategy: GpuStrategy = GpuStrategy.MOST_ALLOCATED
    scheduler_backoff_seconds: tuple[PositiveFloat, PositiveFloat] = (
        INITIAL_BACKOFF,
        MAX_BACKOFF,
    )
    image_pull_seconds: float = Field(default=0.0, ge=0)
    storage_classes: tuple[StorageClass, ...] = ()
    claims: tuple[Claim, ...] = ()
    runtime_classes: tuple[RuntimeClass, ...] = ()
    priority_classes: tuple[PriorityClass, ...] = ()
    system_pods: tuple[SystemPods, ...] = ()
    bystanders: Bystanders | None = None

    @classmethod
    def load(cls, path: Path | str) -> ClusterDescription:
        """Read a description from a YAML file.

        Raises:
            ClusterDescriptionError: the file cannot be read, is not YAML, or describes no cluster.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ClusterDescriptionError(str(path), (f"cannot be read: {error}",)) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "cluster.yaml") -> ClusterDescription:
        """Read a description from YAML text; `name` is what errors call it.

        Raises:
            ClusterDescriptionError: it is not YAML, or describes no cluster.
        """
        try:
            return cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ClusterDescriptionError(name, (f"is not YAML: {error}",)) from error
        except ValidationError as error:
            raise ClusterDescriptionError(name, problems_of(error)) from error

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [name for pool in self.node_pools for name in pool.node_names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"node_pools give two nodes the name {twice[0]}; set first_index")
        known = {*self.namespaces, "default", "kube-system"}
        used = {pods.namespace for pods in self.system_pods}
        used |= {claim.namespace for claim in self.claims}
        used |= {self.bystanders.namespace} if self.bystanders else set()
        for namespace in sorted(used - known):
            raise ValueError(f"namespace {namespace} is used but not listed under namespaces")
        pools = {pool.name for pool in self.node_pools}
        for pods in self.system_pods:
            for pool in sorted(set(pods.node_pools) - pools):
                raise ValueError(f"system_pods {pods.name}: no node pool is called {pool}")
        return self
