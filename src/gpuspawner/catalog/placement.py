"""Where pods of an accelerator may run, in the field names of Kubernetes' own manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, StrictInt, model_validator

from gpuspawner.catalog.base import Model
from gpuspawner.catalog.problems import Finding, shown, sound
from gpuspawner.catalog.texts import is_label_value, is_qualified_name

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class _Manifest(Model):
    def manifest(self) -> dict[str, Any]:
        """The JSON of the Kubernetes API: its field names, and nothing that was left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Toleration(_Manifest):
    """A taint that these pods tolerate, as in ``pod.spec.tolerations``."""

    key: str | None = None
    """The taint's key; left out, every key (then the operator must be Exists)."""

    operator: Literal["Equal", "Exists"] = "Equal"
    """Exists tolerates every value of the key."""

    value: str | None = None
    """The taint's value, when the operator is Equal."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; left out, every effect."""

    toleration_seconds: StrictInt | None = Field(default=None, alias="tolerationSeconds")
    """How long a NoExecute taint is tolerated; left out, for ever."""

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        return sound(self, _toleration_faults(self))


class Requirement(_Manifest):
    """One condition on a node, as in ``nodeSelectorTerms[].matchExpressions``."""

    key: str
    """The label's key."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How the label is compared with the values."""

    values: tuple[str, ...] = ()
    """Some for In and NotIn, one integer (in quotes) for Gt and Lt, none for the others."""

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        return sound(self, _requirement_faults(self))


class FieldRequirement(_Manifest):
    """A condition on the node's name, as in ``nodeSelectorTerms[].matchFields``."""

    key: Literal["metadata.name"]
    """The only field that Kubernetes matches."""

    operator: Literal["In", "NotIn"]
    """Whether the node is, or is not, the one named."""

    values: tuple[str, ...] = Field(min_length=1, max_length=1)
    """One node's name."""


class NodeSelectorTerm(_Manifest):
    """Conditions that a node must meet together; of several terms, one is enough."""

    match_expressions: tuple[Requirement, ...] = Field(default=(), alias="matchExpressions")
    """Conditions on labels."""

    match_fields: tuple[FieldRequirement, ...] = Field(default=(), alias="matchFields")
    """Conditions on the node's name."""

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        return sound(self, _term_faults(self))


def _toleration_faults(toleration: Toleration) -> Iterator[Finding]:
    if not toleration.key and toleration.operator != "Exists":
        message = "a toleration without a key tolerates everything, and says so by `Exists`"
        yield Finding(("operator",), message, "write operator: Exists", unless=(("key",),))
    if toleration.key and not is_qualified_name(toleration.key):
        yield Finding(("key",), f"{shown(toleration.key)} is not a taint's key")
    if toleration.value and toleration.operator == "Exists":
        message = "`Exists` tolerates every value, so none is written"
        hint = "leave the value out, or write operator: Equal"
        yield Finding(("value",), message, hint, unless=(("operator",),))
    elif toleration.value and not is_label_value(toleration.value):
        yield Finding(("value",), f"{shown(toleration.value)} is not a taint's value")
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        message = "tolerationSeconds is for the effect NoExecute only"
        yield Finding(("tolerationSeconds",), message, unless=(("effect",),))


def _requirement_faults(requirement: Requirement) -> Iterator[Finding]:
    if not is_qualified_name(requirement.key):
        yield Finding(("key",), f"{shown(requirement.key)} is not a label key")
    values, operator = requirement.values, requirement.operator
    message = None
    if operator in ("In", "NotIn") and not values:
        message = f"{operator} needs at least one value"
    elif operator in ("Exists", "DoesNotExist") and values:
        message = f"{operator} takes no values"
    elif operator in ("Gt", "Lt") and not (len(values) == 1 and _INTEGER.fullmatch(values[0])):
        message = f"{operator} takes exactly one integer"
    if message is not None:
        hint = 'write it in quotes: ["24"]' if operator in ("Gt", "Lt") else None
        yield Finding(("values",), message, hint, unless=(("values",), ("operator",)))
    for index, value in enumerate(values):
        if not is_label_value(value):
            yield Finding(("values", index), f"{shown(value)} is not a label value")


def _term_faults(term: NodeSelectorTerm) -> Iterator[Finding]:
    if not term.match_expressions and not term.match_fields:
        message = "an empty term matches no node"
        hint = "write matchExpressions or matchFields"
        yield Finding((), message, hint, unless=(("matchExpressions",), ("matchFields",)))
