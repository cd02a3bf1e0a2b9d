"""NodeAffinity: the node selector, and one term of the required node affinity, must match.

The rules are those of ``k8s.io/component-helpers/scheduling/corev1/nodeaffinity``.
"""

from __future__ import annotations

import re

from gpuspawner.capacity.model import Node, NodeSelectorTerm, PodRequest, Requirement
from gpuspawner.capacity.model.selecting import holds
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reason, Reasons

_NAME_FIELD = "metadata.name"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_OUTSIDE = (Reason("node(s) didn't satisfy plugin(s) [NodeAffinity]", Hindrance.NOT_FOR_POD),)
_MISMATCH = (Reason("node(s) didn't match Pod's node affinity/selector", Hindrance.NOT_FOR_POD),)


def check_names(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse nodes outside the names that the affinity's fields admit.

    The scheduler looks at these names before it filters, and counts the nodes left out under
    words of their own, ahead of every other reason.
    """
    names = _admitted_names(request.affinity)
    if names is not None and state.node.name not in names:
        return _OUTSIDE
    return NO_REASONS


def check(request: PodRequest, state: NodeState) -> Reasons:
    """Refuse a node that the selector or every term of the affinity rejects."""
    labels = state.node.labels
    if any(labels.get(key) != value for key, value in request.node_selector.items()):
        return _MISMATCH
    if request.affinity is not None and not any(
        term_matches(term, state.node) for term in request.affinity
    ):
        return _MISMATCH
    return NO_REASONS


def _admitted_names(affinity: tuple[NodeSelectorTerm, ...] | None) -> frozenset[str] | None:
    """The only names that can match; None if a term leaves the name open."""
    admitted: frozenset[str] = frozenset()
    for term in affinity or ():
        sets = [
            frozenset(field.values)
            for field in term.fields
            if field.key == _NAME_FIELD and field.operator == "In"
        ]
        if not sets:
            return None
        admitted |= frozenset.intersection(*sets)
    return admitted if affinity else None


def term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether a term holds on a node; one that is empty or that cannot be parsed never does."""
    if not term.labels and not term.fields:
        return False
    if not all(_is_valid(r) for r in term.labels) or not all(
        _is_valid_field(r) for r in term.fields
    ):
        return False
    return all(_label_matches(r, node) for r in term.labels) and all(
        _field_matches(r, node) for r in term.fields
    )


def _is_valid(requirement: Requirement) -> bool:
    """Whether the scheduler can parse it; a term with one it cannot is passed over."""
    match requirement.operator:
        case "In" | "NotIn":
            return bool(requirement.values)
        case "Exists" | "DoesNotExist":
            return not requirement.values
        case "Gt" | "Lt":
            return len(requirement.values) == 1 and _integer(requirement.values[0]) is not None
        case _:
            return False


def _is_valid_field(requirement: Requirement) -> bool:
    return requirement.operator in ("In", "NotIn") and len(requirement.values) == 1


def _label_matches(requirement: Requirement, node: Node) -> bool:
    if requirement.operator not in ("Gt", "Lt"):
        return holds(requirement, node.labels)
    number, bound = _integer(node.labels.get(requirement.key)), _integer(requirement.values[0])
    if number is None or bound is None:
        return False
    return number > bound if requirement.operator == "Gt" else number < bound


def _field_matches(requirement: Requirement, node: Node) -> bool:
    value = node.name if requirement.key == _NAME_FIELD else ""
    return (value == requirement.values[0]) == (requirement.operator == "In")


def _integer(text: str | None) -> int | None:
    """A 64-bit integer as Go's ParseInt reads it, or None."""
    if text is None or not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
