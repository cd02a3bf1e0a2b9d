"""What says where a pod may run: selectors, affinity, taints, tolerations and spread."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.wire.base import NULL, Wire


class Taint(Wire):
    """core/v1 Taint."""

    key: str
    value: str | None = None
    effect: str | None = None


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
