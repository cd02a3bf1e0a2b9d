"""The shapes in which the API server sends what `gpuspawner.capacity.model` reads.

Every field that Kubernetes may leave out or send as null is optional; unknown fields are skipped
without being decoded. Names are the API's own, in Python's spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from gpuspawner.errors import MalformedObjectError

Quantities = dict[str, str | int | float]
T = TypeVar("T", bound=msgspec.Struct)
NULL = msgspec.Raw(b"null")
_TEXTS: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def decode(obj: bytes | Mapping[str, Any], kind: type[T]) -> T:
    """An API object of a kind, from its JSON as text or as plain objects.

    Raises:
        MalformedObjectError: it is not of that kind.
    """
    try:
        if not isinstance(obj, bytes):
            # Not `msgspec.convert`: it cannot leave a part raw.
            obj = msgspec.json.encode(obj)
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        return cast("T", decoder.decode(obj))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not a {kind.__name__}: {error}") from error


def decode_map(raw: bytes) -> dict[str, str]:
    """A JSON object of texts, such as labels.

    Raises:
        MalformedObjectError: it is not one.
    """
    try:
        return _TEXTS.decode(raw) or {}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not an object of texts: {error}") from error


class Wire(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of an API object."""


class Present(Wire):
    """Something of which only matters that it is there."""


class Metadata(Wire):
    """ObjectMeta less its annotations and managed fields, often the larger part of an object."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    resource_version: str | None = None


class Taint(Wire):
    """core/v1 Taint."""

    key: str
    value: str | None = None
    effect: str | None = None


class NodeSpec(Wire):
    """core/v1 NodeSpec."""

    taints: list[Taint] | None = None
    unschedulable: bool | None = None


class NodeStatus(Wire):
    """core/v1 NodeStatus."""

    allocatable: Quantities | None = None
    capacity: Quantities | None = None


class Node(Wire):
    """core/v1 Node."""

    metadata: Metadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Resources(Wire):
    """core/v1 ResourceRequirements."""

    requests: Quantities | None = None
    limits: Quantities | None = None


class Port(Wire):
    """core/v1 ContainerPort."""

    host_port: int | None = None
    container_port: int | None = None
    host_ip: str | None = msgspec.field(default=None, name="hostIP")
    protocol: str | None = None


class Container(Wire):
    """core/v1 Container."""

    name: str | None = None
    resources: Resources | None = None
    restart_policy: str | None = None
    ports: list[Port] | None = None


class Toleration(Wire):
    """core/v1 Toleration."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class Requirement(Wire):
    """core/v1 NodeSelectorRequirement."""

    key: str
    operator: str
    values: list[str] | None = None


class Term(Wire):
    """core/v1 NodeSelectorTerm."""

    match_expressions: list[Requirement] | None = None
    match_fields: list[Requirement] | None = None


class Selector(Wire):
    """core/v1 NodeSelector."""

    node_selector_terms: list[Term] | None = None


class NodeAffinity(msgspec.Struct, omit_defaults=True):
    """core/v1 NodeAffinity, its required half."""

    required: Selector | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class LabelSelector(Wire):
    """meta/v1 LabelSelector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Requirement] | None = None


class PodAffinityTerm(Wire):
    """core/v1 PodAffinityTerm."""

    topology_key: str
    label_selector: LabelSelector | None = None
    namespaces: list[str] | None = None
    namespace_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None
    mismatch_label_keys: list[str] | None = None


class WeightedPodAffinityTerm(Wire):
    """core/v1 WeightedPodAffinityTerm."""

    pod_affinity_term: PodAffinityTerm


class PodAffinity(msgspec.Struct, omit_defaults=True):
    """core/v1 PodAffinity or PodAntiAffinity; what is only preferred stays raw."""

    required: list[PodAffinityTerm] | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: msgspec.Raw = msgspec.field(
        default=NULL, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Wire):
    """core/v1 Affinity."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Spread(Wire):
    """core/v1 TopologySpreadConstraint."""

    topology_key: str
    max_skew: int = 1
    when_unsatisfiable: str | None = None
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: list[str] | None = None


class ClaimSource(Wire):
    """core/v1 PersistentVolumeClaimVolumeSource."""

    claim_name: str


class EphemeralSource(Wire):
    """core/v1 EphemeralVolumeSource; its template stays raw, since few pods are asked for it."""

    volume_claim_template: msgspec.Raw = msgspec.Raw(b"{}")


class Volume(Wire):
    """core/v1 Volume, as far as a scheduler looks at it; of inline disks only that they are."""

    name: str
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: EphemeralSource | None = None
    csi: Present | None = None
    gce_persistent_disk: Present | None = None
    aws_elastic_block_store: Present | None = None
    rbd: Present | None = None
    iscsi: Present | None = None


class PodResourceClaim(Wire):
    """core/v1 PodResourceClaim."""

    name: str
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class SchedulingGate(Wire):
    """core/v1 PodSchedulingGate."""

    name: str


class PodSpec(Wire):
    """core/v1 PodSpec, as a pod that is to be judged needs it."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    resources: Resources | None = None
    overhead: Quantities | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    priority: int | None = None
    preemption_policy: str | None = None
    scheduler_name: str | None = None
    host_network: bool | None = None
    topology_spread_constraints: list[Spread] | None = None
    volumes: list[Volume] | None = None
    resource_claims: list[PodResourceClaim] | None = None
    scheduling_gates: list[SchedulingGate] | None = None
    priority_class_name: str | None = None
    active_deadline_seconds: int | None = None


class StatusToJudge(Wire):
    """core/v1 PodStatus of a pod that is yet to be scheduled."""

    nominated_node_name: str | None = None


class PodToJudge(Wire):
    """core/v1 Pod that is yet to be scheduled."""

    metadata: Metadata
    spec: PodSpec
    status: StatusToJudge | None = None


class PresentAffinity(Wire):
    """core/v1 Affinity of a pod that exists, which only matters as far as it keeps others away."""

    pod_anti_affinity: msgspec.Raw = NULL


class PresentContainer(Wire):
    """core/v1 Container of a pod that exists; what many pods share stays raw until it is read."""

    name: str | None = None
    resources: msgspec.Raw = NULL
    restart_policy: str | None = None
    ports: list[Port] | None = None


class PresentPodSpec(Wire):
    """core/v1 PodSpec of a pod that exists, as far as it takes room from others."""

    containers: list[PresentContainer] | None = None
    init_containers: list[PresentContainer] | None = None
    resources: Resources | None = None
    overhead: Quantities | None = None
    node_name: str | None = None
    affinity: PresentAffinity | None = None
    priority: int | None = None
    host_network: bool | None = None
    volumes: list[Volume] | None = None


class ContainerStatus(Wire):
    """core/v1 ContainerStatus: what an in-place resize has reached."""

    name: str | None = None
    resources: msgspec.Raw = NULL
    allocated_resources: msgspec.Raw = NULL


class Condition(Wire):
    """core/v1 PodCondition."""

    type: str | None = None
    reason: str | None = None


class PodStatus(Wire):
    """core/v1 PodStatus; what is read of few pods stays raw."""

    phase: str | None = None
    nominated_node_name: str | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    resources: msgspec.Raw = NULL
    allocated_resources: msgspec.Raw = NULL
    conditions: msgspec.Raw = NULL


class PresentMetadata(Wire):
    """ObjectMeta of a pod that exists; its labels stay raw."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: msgspec.Raw = NULL
    deletion_timestamp: str | None = None


class Pod(Wire):
    """core/v1 Pod that exists."""

    metadata: PresentMetadata
    spec: PresentPodSpec
    status: PodStatus | None = None


class ListMetadata(Wire):
    """ListMeta; ``continue`` is a word of Python's."""

    resource_version: str | None = None
    continue_token: str | None = msgspec.field(default=None, name="continue")


class ObjectList(Wire):
    """One page of a list; the items stay raw, so that one bad item spoils only itself."""

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None


class WatchEvent(Wire):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Status(Wire):
    """meta/v1 Status: what an ERROR event carries."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
