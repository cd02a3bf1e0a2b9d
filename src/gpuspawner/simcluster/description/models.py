"""The parts of a cluster, and the cluster as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, PositiveFloat, ValidationError, model_validator

from gpuspawner.simcluster.description.fields import (
    Model,
    NamespaceName,
    ObjectName,
    ResourceQuantities,
)
from gpuspawner.simcluster.description.node_pools import NodePool
from gpuspawner.simcluster.description.problems import ClusterDescriptionError, problems_of
from gpuspawner.simcluster.scheduling.placing import GpuStrategy
from gpuspawner.simcluster.scheduling.queueing import INITIAL_BACKOFF, MAX_BACKOFF

ENFORCE = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")


class Namespace(Model):
    """A namespace; its name alone will do."""

    name: NamespaceName
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _may_be_a_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _enforces_what_there_is(self) -> Self:
        level = self.labels.get(ENFORCE, LEVELS[0])
        if level not in LEVELS:
            raise ValueError(f"{ENFORCE} is {level!r}; write one of {', '.join(LEVELS)}")
        return self


class ResourceQuota(Model):
    """How much the pods of a namespace may have together, by the names that quotas use."""

    name: ObjectName
    namespace: NamespaceName
    hard: ResourceQuantities = Field(min_length=1)


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
    access_modes: tuple[
        Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"], ...
    ] = Field(default=("ReadWriteOnce",), min_length=1)


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
    preemption_policy: Literal["PreemptLowerPriority", "Never"] = "PreemptLowerPriority"


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


class Toleration(Model):
    """A taint that a bystander's pods tolerate."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""


class BystanderJob(Model):
    """A kind of pod that other people run."""

    name: NamespaceName
    image: str
    requests: ResourceQuantities
    running: Running
    labels: dict[str, str] = Field(default_factory=dict)
    priority_class_name: str | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


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
    namespaces: tuple[Namespace, ...] = ()
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
    resource_quotas: tuple[ResourceQuota, ...] = ()
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
        names = [name for pool in self.node_pools for name in pool.possible_node_names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"node_pools give two nodes the name {twice[0]}; set first_index")
        known = {*(each.name for each in self.namespaces), "default", "kube-system"}
        used = {pods.namespace for pods in self.system_pods}
        used |= {claim.namespace for claim in self.claims}
        used |= {quota.namespace for quota in self.resource_quotas}
        used |= {self.bystanders.namespace} if self.bystanders else set()
        for namespace in sorted(used - known):
            raise ValueError(f"namespace {namespace} is used but not listed under namespaces")
        pools = {pool.name for pool in self.node_pools}
        for pods in self.system_pods:
            for pool in sorted(set(pods.node_pools) - pools):
                raise ValueError(f"system_pods {pods.name}: no node pool is called {pool}")
        return self
