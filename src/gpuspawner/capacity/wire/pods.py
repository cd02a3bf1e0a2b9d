"""The shapes in which the API server sends pods: those that exist and those to be judged."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.wire.base import NULL, Metadata, Present, Quantities, Wire
from gpuspawner.capacity.wire.placement import Affinity, Spread, Toleration


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
    active_deadline_seconds: int | None = None
    termination_grace_period_seconds: int | None = None


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
    start_time: str | None = None
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
