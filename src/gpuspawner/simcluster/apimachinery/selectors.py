"""Label and field selectors: https://kubernetes.io/docs/concepts/overview/working-with-objects/."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.status import bad_request

Selector: TypeAlias = Callable[[Object], bool]

Operator = Literal["=", "!=", "in", "notin", "exists", "!", ">", "<"]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._-]*"
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")
_COMPARE = re.compile(rf"^({_KEY})\s*(==|!=|=|>|<)\s*({_VALUE})$")
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause of a label selector."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels satisfy the clause; `!=` and `notin` hold for a missing label."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            have, want = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return have > want if self.operator == ">" else have < want


def parse_label_selector(text: str) -> tuple[Requirement, ...]:
    """Read a label selector such as `app=hub,tier in (a,b),!legacy`; ApiError 400 otherwise."""
    if not text.strip():
        return ()
    return tuple(_requirement(clause.strip()) for clause in _OUTSIDE_PARENTHESES.split(text))


def _requirement(clause: str) -> Requirement:
    if found := _EXISTS.match(clause):
        return Requirement(found[2], "!" if found[1] else "exists")
    if found := _SET.match(clause):
        values = tuple(value.strip() for value in found[3].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(found[1], "in" if found[2] == "in" else "notin", values)
    if found := _COMPARE.match(clause):
        operators: dict[str, Operator] = {"=": "=", "==": "=", "!=": "!=", ">": ">", "<": "<"}
        return Requirement(found[1], operators[found[2]], (found[3],))
    raise bad_request(f"unable to parse requirement: {clause!r} is not a label selector clause")


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One clause of a field selector: the path of a field and the value it must (not) have."""

    path: str
    equal: bool
    value: str

    def matches(self, obj: Object) -> bool:
        """Say whether an object's field has (or lacks) the value; a missing field is empty."""
        return (_field(obj, self.path) == self.value) is self.equal


_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS: Mapping[ResourceType, frozenset[str]] = {
    PODS: frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    EVENTS: frozenset(
        {
            "involvedObject.apiVersion",
            "involvedObject.fieldPath",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.resourceVersion",
            "involvedObject.uid",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    NODES: frozenset({"spec.unschedulable"}),
    NAMESPACES: frozenset({"status.phase"}),
    SECRETS: frozenset({"type"}),
}
_FALSE_WHEN_MISSING = frozenset({"spec.unschedulable", "spec.hostNetwork"})
_TERM = re.compile(r"^([^=!]+?)\s*(==|!=|=)\s*(.*)$")


def parse_field_selector(resource: ResourceType, text: str) -> tuple[FieldTerm, ...]:
    """Read a field selector such as `spec.nodeName=n1,status.phase!=Failed`.

    Raises:
        ApiError: 400 for a clause that cannot be read, and for a field by which the API server
            does not select objects of this resource.
    """
    if not text.strip():
        return ()
    return tuple(_field_term(resource, clause.strip(), text) for clause in text.split(","))


def _field_term(resource: ResourceType, clause: str, text: str) -> FieldTerm:
    found = _TERM.match(clause)
    if not found:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{clause}'")
    path = found[1].strip()
    if path not in _COMMON_FIELDS and path not in _FIELDS.get(resource, frozenset()):
        raise bad_request(
            f'Unable to find "{resource.api_version}, Resource={resource.plural}" that match '
            f'label selector "", field selector "{text}": field label not supported: {path}'
        )
    return FieldTerm(path, found[2] != "!=", found[3].strip())


def _field(obj: Object, path: str) -> str:
    if path == "source":
        path = "source.component"
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "false" if path in _FALSE_WHEN_MISSING else ""
    return str(value)


def make_selector(resource: ResourceType, labels: str, fields: str) -> Selector:
    """Return a predicate for both selectors; ApiError 400 when one cannot be read."""
    requirements = parse_label_selector(labels)
    terms = parse_field_selector(resource, fields)
    if not requirements and not terms:
        return _everything

    def selects(obj: Object) -> bool:
        have = obj["metadata"].get("labels") or {}
        return all(item.matches(have) for item in requirements) and all(
            term.matches(obj) for term in terms
        )

    return selects


def _everything(_: Object) -> bool:
    return True
