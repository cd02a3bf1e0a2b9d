"""Classes that a pod names, and what admission makes of the pod for their sake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.wire import classes
from gpuspawner.errors import MalformedObjectError


@dataclass(frozen=True, slots=True)
class RuntimeClass:
    """node.k8s.io/v1 RuntimeClass.

    Attributes:
        overhead: what it adds to the requests of a pod, as Kubernetes writes it.
        node_selector: labels that it adds to those of a pod.
        tolerations: the same, in JSON.
    """

    name: str
    overhead: Mapping[str, Any]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """scheduling.k8s.io/v1 PriorityClass.

    Attributes:
        is_default: it is for the pods that name none.
        preemption_policy: ``Never``, or else others may be evicted.
    """

    name: str
    value: int
    is_default: bool
    preemption_policy: str


def read_runtime_class(obj: bytes | Mapping[str, Any]) -> RuntimeClass:
    """A RuntimeClass from its JSON.

    Raises:
        MalformedObjectError: it is none.
    """
    raw = wire.decode(obj, classes.RuntimeClass)
    scheduling = raw.scheduling or classes.Scheduling()
    return RuntimeClass(
        name=_name(raw.metadata.name),
        overhead=(raw.overhead and raw.overhead.pod_fixed) or {},
        node_selector=scheduling.node_selector or {},
        tolerations=tuple(map(msgspec.to_builtins, scheduling.tolerations or ())),
    )


def read_priority_class(obj: bytes | Mapping[str, Any]) -> PriorityClass:
    """A PriorityClass from its JSON.

    Raises:
        MalformedObjectError: it is none.
    """
    raw = wire.decode(obj, classes.PriorityClass)
    return PriorityClass(
        name=_name(raw.metadata.name),
        value=raw.value,
        is_default=bool(raw.global_default),
        preemption_policy=raw.preemption_policy or "",
    )


def _name(name: str | None) -> str:
    if not name:
        raise MalformedObjectError("a class without metadata.name")
    return name
