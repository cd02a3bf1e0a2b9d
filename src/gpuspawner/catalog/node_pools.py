"""Node pools that an autoscaler grows, described by what one of their nodes looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from gpuspawner.catalog.base import Model
from gpuspawner.catalog.problems import Finding, shown, sound
from gpuspawner.catalog.texts import LabelPairs, Text, is_label_value, is_qualified_name
from gpuspawner.errors import QuantityError
from gpuspawner.quantity import parse_amount


class Taint(Model):
    """A taint that the pool's nodes have, as in ``node.spec.taints``."""

    key: str
    """The taint's key."""

    value: str = ""
    """The taint's value."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """The taint's effect."""

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        return sound(self, _taint_faults(self))


def _texts(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: str(amount) if isinstance(amount, int) else amount for name, amount in value.items()
    }


class NodePool(Model):
    """Nodes of one make, of which there may be none at the moment."""

    title: Text
    """What people read, such as "V100 pool"."""

    labels: LabelPairs = Field(min_length=1)
    """Labels that every node of the pool has and no other; its nodes are counted by them."""

    taints: tuple[Taint, ...] = ()
    """Taints that every node of the pool has."""

    allocatable: Annotated[dict[str, str], BeforeValidator(_texts)]
    """What a new node offers: cpu, memory, devices; pods is 110 when left out."""

    most_nodes: Annotated[StrictInt, Field(ge=1)] | None = None
    """How large the pool may grow; left out, the autoscaler's own limit is not known."""

    autoscaler_group: str | None = None
    """The pool's name in cluster-autoscaler-status, to tell when it cannot grow at present."""

    @model_validator(mode="after")
    def _is_valid(self) -> Self:
        return sound(self, _allocatable_faults(self))


def _taint_faults(taint: Taint) -> Iterator[Finding]:
    if not is_qualified_name(taint.key):
        yield Finding(("key",), f"{shown(taint.key)} is not a taint's key")
    if taint.value and not is_label_value(taint.value):
        yield Finding(("value",), f"{shown(taint.value)} is not a taint's value")


def _allocatable_faults(pool: NodePool) -> Iterator[Finding]:
    for needed in ("cpu", "memory"):
        if needed not in pool.allocatable:
            message = f"what a node offers of {needed} is missing"
            hint = "`kubectl describe node` lists it under Allocatable"
            yield Finding(("allocatable",), message, hint, unless=(("allocatable",),))
    for name, text in pool.allocatable.items():
        try:
            amount = parse_amount(name, text)
        except QuantityError:
            yield Finding(("allocatable", name), f"{shown(text)} is not a Kubernetes quantity")
            continue
        if amount < 0:
            yield Finding(("allocatable", name), f"{shown(text)} is less than nothing")
        if not is_qualified_name(name):
            yield Finding(("allocatable", name), f"{shown(name)} is not a resource")
