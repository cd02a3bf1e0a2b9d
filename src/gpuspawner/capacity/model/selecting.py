"""Selectors over labels and fields, and the placement rules that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpuspawner.capacity import wire


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a node selector term or of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """Expressions over labels and fields, all of which must hold."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


LabelSelector = tuple[Requirement, ...]
"""Expressions all of which must hold; an empty one matches everything."""


@dataclass(frozen=True, slots=True)
class PodAffinityTerm:
    """Which pods count, and by which label of their nodes closeness is meant.

    Attributes:
        selector: over the labels of pods; None matches none.
        namespaces: those listed; with `namespace_selector` None and this empty, the pod's own.
        namespace_selector: over the labels of namespaces; an empty one means all of them.
        match_label_keys: labels of the incoming pod that the others must share. The API server
            merges them into `selector` when it admits a pod; they stand here as they were given.
        mismatch_label_keys: the same, of which the others must differ.
    """

    topology_key: str
    selector: LabelSelector | None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A topology spread constraint that binds (``DoNotSchedule``).

    Attributes:
        selector: over the labels of pods; None matches none.
        min_domains: 0 if it was not given.
        honors_affinity: ``nodeAffinityPolicy`` is Honor, as by default.
        honors_taints: ``nodeTaintsPolicy`` is Honor; the default is Ignore.
    """

    topology_key: str
    max_skew: int
    selector: LabelSelector | None
    min_domains: int = 0
    honors_affinity: bool = True
    honors_taints: bool = False
    match_label_keys: tuple[str, ...] = ()


def node_selector_terms(selector: wire.Selector) -> tuple[NodeSelectorTerm, ...]:
    """The ORed terms of a node selector."""
    return tuple(
        NodeSelectorTerm(
            labels=_requirements(term.match_expressions), fields=_requirements(term.match_fields)
        )
        for term in selector.node_selector_terms or ()
    )


def label_selector(raw: wire.LabelSelector | None) -> LabelSelector | None:
    """A label selector; ``matchLabels`` become expressions as well."""
    if raw is None:
        return None
    equal = (
        Requirement(key, "In", (value,)) for key, value in sorted((raw.match_labels or {}).items())
    )
    return (*equal, *_requirements(raw.match_expressions))


def pod_affinity_terms(raw: wire.PodAffinity | None) -> tuple[PodAffinityTerm, ...]:
    """The required terms of a pod affinity or anti-affinity."""
    terms = raw.required if raw is not None else None
    return tuple(
        PodAffinityTerm(
            topology_key=term.topology_key,
            selector=label_selector(term.label_selector),
            namespaces=tuple(term.namespaces or ()),
            namespace_selector=label_selector(term.namespace_selector),
            match_label_keys=tuple(term.match_label_keys or ()),
            mismatch_label_keys=tuple(term.mismatch_label_keys or ()),
        )
        for term in terms or ()
    )


def spread_constraints(raw: Iterable[wire.Spread] | None) -> tuple[SpreadConstraint, ...]:
    """The constraints that bind; those that only score are left out."""
    return tuple(
        SpreadConstraint(
            topology_key=spread.topology_key,
            max_skew=spread.max_skew,
            selector=label_selector(spread.label_selector),
            min_domains=spread.min_domains or 0,
            honors_affinity=spread.node_affinity_policy != "Ignore",
            honors_taints=spread.node_taints_policy == "Honor",
            match_label_keys=tuple(spread.match_label_keys or ()),
        )
        for spread in raw or ()
        if spread.when_unsatisfiable != "ScheduleAnyway"
    )


def with_label_keys(
    selector: LabelSelector | None, operator: str, keys: Iterable[str], labels: Mapping[str, str]
) -> LabelSelector | None:
    """A selector that also asks for a pod's own values (or with NotIn, for others) of some labels.

    So the API server merges ``matchLabelKeys`` and ``mismatchLabelKeys`` when it admits a pod. A
    label that the pod lacks is passed over; to do it twice changes nothing.
    """
    if selector is None:
        return None
    own = (Requirement(key, operator, (labels[key],)) for key in keys if key in labels)
    return (*selector, *own)


def matches(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; the rules are those of ``k8s.io/apimachinery`` labels.

    An operator that this version does not know matches nothing.
    """
    return selector is not None and all(holds(expression, labels) for expression in selector)


def holds(expression: Requirement, labels: Mapping[str, str]) -> bool:
    """Whether one expression holds, by the operators that selectors of nodes and of pods share."""
    value = labels.get(expression.key)
    match expression.operator:
        case "In":
            return value is not None and value in expression.values
        case "NotIn":
            return value is None or value not in expression.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def _requirements(expressions: list[wire.Requirement] | None) -> tuple[Requirement, ...]:
    return tuple(Requirement(e.key, e.operator, tuple(e.values or ())) for e in expressions or ())
