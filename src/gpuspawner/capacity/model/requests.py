"""Pods that somebody would like to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.host_ports import HostPort, host_ports_of
from gpuspawner.capacity.model.pods import claim_names
from gpuspawner.capacity.model.quotas import Charge, charge_of
from gpuspawner.capacity.model.resources import Resources, asked_by, effective_requests
from gpuspawner.capacity.model.selecting import (
    NodeSelectorTerm,
    PodAffinityTerm,
    SpreadConstraint,
    node_selector_terms,
    pod_affinity_terms,
    spread_constraints,
)
from gpuspawner.capacity.model.storage import NewClaim
from gpuspawner.capacity.model.storage_reading import ephemeral_claims

_INLINE_DISKS = ("gce_persistent_disk", "aws_elastic_block_store", "rbd", "iscsi", "csi")


@dataclass(frozen=True, slots=True)
class Toleration:
    """A toleration of a pod; an empty `key` or `effect` matches any, an empty operator is Equal."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class ResourceClaimRef:
    """A ResourceClaim that a pod names, or the template that one will be made from for it."""

    name: str
    claim: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class PodRequest:
    """A pod that somebody would like to start.

    Attributes:
        affinity: the terms of the required node affinity, of which one must hold; None if there
            is no such affinity. An empty tuple matches no node.
        spread: the topology spread constraints that bind.
        claims: names of the PersistentVolumeClaims that it mounts.
        claims_to_make: those of them that are made with it, unless they are there already.
        claims_may_appear: others may be made with it, too, by somebody of whom nothing is known.
        gates: names of its scheduling gates; with one it waits in a queue.
        preempts: whether others may be evicted for it (``preemptionPolicy`` is not Never).
        nominated_node: where the scheduler has made room for it already.
        charge: what quotas charge it; None if that is not known.
        delegable: the extended resources that a DeviceClass stands for. DRA serves them on nodes
            that advertise none; `gpuspawner.fit` finds them out.
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
    name: str = ""
    uid: str = ""
    host_ports: tuple[HostPort, ...] = ()
    pod_affinity: tuple[PodAffinityTerm, ...] = ()
    pod_anti_affinity: tuple[PodAffinityTerm, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    claims: tuple[str, ...] = ()
    claims_to_make: tuple[NewClaim, ...] = ()
    claims_may_appear: bool = False
    resource_claims: tuple[ResourceClaimRef, ...] = ()
    gates: tuple[str, ...] = ()
    preempts: bool = True
    nominated_node: str = ""
    charge: Charge | None = None
    delegable: frozenset[str] = frozenset()
    unchecked: tuple[str, ...] = ()


def read_request(obj: bytes | Mapping[str, Any]) -> PodRequest:
    """A pod that is to be judged from its JSON, as the API server would admit it.

    Limits stand in for requests that are left out, as the API server's defaulting does.

    Raises:
        MalformedObjectError: it is not a pod, or a quantity in it does not parse.
    """
    raw = wire.decode(obj, wire.PodToJudge)
    metadata, spec = raw.metadata, raw.spec
    requests = _requests(spec)
    affinity = spec.affinity or wire.Affinity()
    required = affinity.node_affinity.required if affinity.node_affinity else None
    return PodRequest(
        namespace=metadata.namespace or "default",
        name=metadata.name or "",
        uid=metadata.uid or "",
        labels=metadata.labels or {},
        requests=requests,
        node_selector=spec.node_selector or {},
        affinity=None if required is None else node_selector_terms(required),
        tolerations=tuple(_toleration(toleration) for toleration in spec.tolerations or ()),
        node_name=spec.node_name or "",
        scheduler_name=spec.scheduler_name or "default-scheduler",
        priority=spec.priority or 0,
        host_ports=host_ports_of(spec),
        pod_affinity=pod_affinity_terms(affinity.pod_affinity),
        pod_anti_affinity=pod_affinity_terms(affinity.pod_anti_affinity),
        spread=spread_constraints(spec.topology_spread_constraints),
        claims=claim_names(spec.volumes, metadata.name or ""),
        claims_to_make=ephemeral_claims(spec.volumes, metadata.name or ""),
        resource_claims=tuple(
            ResourceClaimRef(
                claim.name,
                claim.resource_claim_name or "",
                claim.resource_claim_template_name or "",
            )
            for claim in spec.resource_claims or ()
        ),
        gates=tuple(gate.name for gate in spec.scheduling_gates or ()),
        preempts=spec.preemption_policy != "Never",
        nominated_node=(raw.status and raw.status.nominated_node_name) or "",
        charge=charge_of(spec, requests),
        unchecked=_unchecked(spec),
    )


def read_toleration(obj: Mapping[str, Any]) -> Toleration:
    """A toleration from plain objects.

    Raises:
        MalformedObjectError: it is not a toleration.
    """
    return _toleration(wire.decode(obj, wire.Toleration))


def _requests(spec: wire.PodSpec) -> Resources:
    return effective_requests(
        [asked_by(container.resources) for container in spec.containers or ()],
        [
            (asked_by(container.resources), container.restart_policy == "Always")
            for container in spec.init_containers or ()
        ],
        spec.resources,
        spec.overhead,
    )


def _toleration(raw: wire.Toleration) -> Toleration:
    return Toleration(raw.key or "", raw.operator or "", raw.value or "", raw.effect or "")


def _unchecked(spec: wire.PodSpec) -> tuple[str, ...]:
    """Inline disks have attach limits and sharing rules of their own, which no check knows."""
    return tuple(
        sorted(
            {
                kind
                for volume in spec.volumes or ()
                for kind in _INLINE_DISKS
                if getattr(volume, kind) is not None
            }
        )
    )
