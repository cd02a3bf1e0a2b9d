"""What a verdict needs to know of nodes and pods; the only reader of the API server's JSON.

Objects are decoded by msgspec into just the fields named here, so that an object's size in
memory does not depend on its annotations, environment or images, and then become frozen values.
Whatever is malformed raises `MalformedObjectError` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.capacity import wire
from gpuspawner.errors import MalformedObjectError
from gpuspawner.quantity import parse_amount

Resources = Mapping[str, int]
"""Resource name to amount: thousandths of a core for ``cpu``, whole units for all else."""

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Toleration:
    """A toleration of a pod; an empty `key` or `effect` matches any, an empty operator is Equal."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a node selector term."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """Expressions over labels and fields, all of which must hold."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A node, as far as scheduling looks at it."""

    name: str
    uid: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    unschedulable: bool
    allocatable: Resources
    capacity: Resources


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that exists, as far as it takes room from others."""

    uid: str
    namespace: str
    name: str
    node: str | None
    requests: Resources
    terminating: bool
    phase: str
    priority: int
    labels: Mapping[str, str]

    @property
    def holds_capacity(self) -> bool:
        """Whether the scheduler counts it: bound, and its phase not terminal."""
        return self.node is not None and self.phase not in TERMINAL_PHASES


@dataclass(frozen=True, slots=True)
class PodRequest:
    """A pod that somebody would like to start.

    Attributes:
        affinity: the terms of the required node affinity, of which one must hold; None if there
            is no such affinity. An empty tuple matches no node.
        unchecked: features the pod uses that no check judges, in the API's words. A verdict on
            such a pod is never a plain yes.
    """

    namespace: str
    labels: Mapping[str, str]
    requests: Resources
    node_selector: Mapping[str, str]
    affinity: tuple[NodeSelectorTerm, ...] | None
    tolerations: tuple[Toleration, ...]
    node_name: str = ""
    scheduler_name: str = "default-scheduler"
    priority: int = 0
    unchecked: tuple[str, ...] = ()


def read_node(obj: bytes | Mapping[str, Any]) -> Node:
    """A node from its JSON, as text or as plain objects.

    Raises:
        MalformedObjectError: it is not a node.
    """
    raw = wire.decode(obj, wire.Node)
    spec, status = raw.spec or wire.NodeSpec(), raw.status or wire.NodeStatus()
    return Node(
        name=_name(raw.metadata, "node"),
        uid=raw.metadata.uid or "",
        labels=raw.metadata.labels or {},
        taints=tuple(
            Taint(taint.key, taint.value or "", taint.effect or "") for taint in spec.taints or ()
        ),
        unschedulable=bool(spec.unschedulable),
        allocatable=_amounts(status.allocatable),
        capacity=_amounts(status.capacity),
    )


def read_pod(obj: bytes | Mapping[str, Any]) -> Pod:
    """A pod that exists from its JSON.

    Raises:
        MalformedObjectError: it is not a pod, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, wire.Pod)
    status = raw.status or wire.PodStatus()
    return Pod(
        uid=raw.metadata.uid or "",
        namespace=raw.metadata.namespace or "",
        name=_name(raw.metadata, "pod"),
        node=raw.spec.node_name or None,
        requests=effective_requests(raw.spec),
        terminating=raw.metadata.deletion_timestamp is not None,
        phase=status.phase or "",
        priority=raw.spec.priority or 0,
        labels=raw.metadata.labels or {},
    )


def read_request(obj: bytes | Mapping[str, Any]) -> PodRequest:
    """A pod that is to be judged from its JSON, as the API server would admit it.

    Limits stand in for requests that are left out, as the API server's defaulting does.

    Raises:
        MalformedObjectError: it is not a pod, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, wire.Pod)
    spec = raw.spec
    return PodRequest(
        namespace=raw.metadata.namespace or "default",
        labels=raw.metadata.labels or {},
        requests=effective_requests(spec),
        node_selector=spec.node_selector or {},
        affinity=_required_affinity(spec),
        tolerations=tuple(_toleration(toleration) for toleration in spec.tolerations or ()),
        node_name=spec.node_name or "",
        scheduler_name=spec.scheduler_name or "default-scheduler",
        priority=spec.priority or 0,
        unchecked=_unchecked(spec),
    )


def read_toleration(obj: Mapping[str, Any]) -> Toleration:
    """A toleration from plain objects.

    Raises:
        MalformedObjectError: it is not a toleration.
    """
    return _toleration(wire.decode(obj, wire.Toleration))


def _toleration(raw: wire.Toleration) -> Toleration:
    return Toleration(raw.key or "", raw.operator or "", raw.value or "", raw.effect or "")


def effective_requests(spec: wire.PodSpec) -> Resources:
    """What the scheduler counts for a pod.

    The rule is that of ``k8s.io/component-helpers/resource``: containers and restartable init
    containers (sidecars) are summed; an ordinary init container counts with the sidecars started
    before it, and the largest of these moments wins; pod-level cpu, memory and hugepages replace
    that result; the runtime's overhead is added.
    """
    running: dict[str, int] = {}
    for container in spec.containers or ():
        _add(running, _requests(container.resources))
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.init_containers or ():
        needs = _requests(container.resources)
        if container.restart_policy == "Always":
            _add(running, needs)
            _add(sidecars, needs)
            needs = dict(sidecars)
        else:
            _add(needs, sidecars)
        _raise_to(peak, needs)
    _raise_to(running, peak)
    if spec.resources is not None:
        running.update(_pod_level(spec.resources, running))
    _add(running, _amounts(spec.overhead))
    return running


def _pod_level(resources: wire.Resources, containers: Resources) -> dict[str, int]:
    """What a pod asks as a whole; a limit stands in where neither it nor a container requests."""
    limits = _amounts(resources.limits).items()
    asked = {name: amount for name, amount in limits if name not in containers}
    asked.update(_amounts(resources.requests))
    return {
        name: amount
        for name, amount in asked.items()
        if name in ("cpu", "memory") or name.startswith("hugepages-")
    }


def _requests(resources: wire.Resources | None) -> dict[str, int]:
    if resources is None:
        return {}
    return {**_amounts(resources.limits), **_amounts(resources.requests)}


def _amounts(quantities: Mapping[str, str | float] | None) -> dict[str, int]:
    try:
        return {name: parse_amount(name, text) for name, text in (quantities or {}).items()}
    except ValueError as error:  # QuantityError, or an integer of thousands of digits
        raise MalformedObjectError(str(error)) from error


def _add(total: dict[str, int], more: Resources) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: dict[str, int], floor: Resources) -> None:
    for name, amount in floor.items():
        total[name] = max(total.get(name, 0), amount)


def _required_affinity(spec: wire.PodSpec) -> tuple[NodeSelectorTerm, ...] | None:
    node_affinity = spec.affinity.node_affinity if spec.affinity else None
    required = node_affinity.required if node_affinity else None
    if required is None:
        return None
    return tuple(
        NodeSelectorTerm(
            labels=_requirements(term.match_expressions), fields=_requirements(term.match_fields)
        )
        for term in required.node_selector_terms or ()
    )


def _requirements(expressions: list[wire.Requirement] | None) -> tuple[Requirement, ...]:
    return tuple(Requirement(e.key, e.operator, tuple(e.values or ())) for e in expressions or ())


def _unchecked(spec: wire.PodSpec) -> tuple[str, ...]:
    containers = [*(spec.containers or ()), *(spec.init_containers or ())]
    affinity = spec.affinity
    spreads = spec.topology_spread_constraints or ()
    uses = {
        "hostPort": any(
            port.host_port or (spec.host_network and port.container_port)
            for container in containers
            for port in container.ports or ()
        ),
        "podAffinity": bool(affinity and affinity.pod_affinity and affinity.pod_affinity.required),
        "podAntiAffinity": bool(
            affinity and affinity.pod_anti_affinity and affinity.pod_anti_affinity.required
        ),
        "topologySpreadConstraints": any(
            spread.when_unsatisfiable != "ScheduleAnyway" for spread in spreads
        ),
        "resourceClaims": bool(spec.resource_claims),
        "schedulingGates": bool(spec.scheduling_gates),
    }
    return tuple(name for name, used in uses.items() if used)


def _name(metadata: wire.Metadata, kind: str) -> str:
    if not metadata.name:
        raise MalformedObjectError(f"a {kind} without metadata.name")
    return metadata.name
