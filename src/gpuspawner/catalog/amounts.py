"""Amounts of cpu and memory, in Kubernetes' language only.

``64Gi`` is 64 * 2**30 and ``64G`` is 64 * 10**9. JupyterHub's own ``ByteSpecification`` reads
``64G`` as 64 * 2**30 and knows no ``Gi``; a catalog never means that, so a text goes to
`gpuspawner.quantity` and from there, as an exact number, to the spawner.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gpuspawner.catalog.base import Model
from gpuspawner.catalog.problems import Finding, RefusedError, refuse, shown, sound
from gpuspawner.errors import QuantityError
from gpuspawner.quantity import parse_amount

_LARGEST: Final = 2**63 - 1
_SMALLEST: Final = 2**20
_DOCKER_UNIT = re.compile(r"(?P<number>[0-9.]+) ?(?P<unit>[KkMmGgTtPp])(?P<binary>i)?[Bb]?")

_QUANTITY_SCHEMA: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\+?[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$"},
    ]
}


def quantity_fault(resource: str, text: str) -> Finding | None:
    """Why `text` is no amount of `resource` to ask for; zero is none."""
    try:
        amount = parse_amount(resource, text)
    except QuantityError:
        return Finding((), f"{shown(text)} is not a Kubernetes quantity", _meant(resource, text))
    if amount <= 0:
        return Finding((), f"{shown(text)} must be more than zero")
    if amount > _LARGEST:
        return Finding((), f"{shown(text)} is more than Kubernetes can count")
    if resource != "cpu" and text.endswith(("m", "u", "n")):
        return Finding((), f"{shown(text)} is a fraction of a byte", _meant(resource, text))
    if resource != "cpu" and amount < _SMALLEST:
        return Finding((), f"{shown(text)} is less than 1Mi", _meant(resource, f"{text}G"))
    return None


def _meant(resource: str, text: str) -> str:
    if resource == "cpu":
        return "write cores, or thousandths of one: 2, 0.5 or 500m"
    unit = _DOCKER_UNIT.fullmatch(text)
    if unit is None:
        return "write bytes with a suffix: 64Gi (powers of 1024) or 64G (of 1000)"
    letter = unit["unit"].upper()
    binary, decimal = f"{unit['number']}{letter}i", f"{unit['number']}{letter.replace('K', 'k')}"
    if unit["binary"]:
        return f"did you mean {binary!r}?"
    return f"did you mean {binary!r} (powers of 1024) or {decimal!r} (of 1000)?"


def _as_text(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value)
    raise refuse("expected a quantity", "write a number or a text such as 16, 500m or 64Gi")


def _bytes(text: str) -> str:
    fault = quantity_fault("memory", text)
    if fault is not None:
        raise RefusedError([fault])
    return text


Quantity = Annotated[str, BeforeValidator(_as_text), WithJsonSchema(_QUANTITY_SCHEMA)]
"""A number or text, kept as text; which amounts are sound depends on the resource."""

Bytes = Annotated[Quantity, AfterValidator(_bytes)]


class Amounts(Model):
    """What a server is guaranteed of a resource, and what it may use at most.

    A single quantity is short for both: ``cpu: 16``.
    """

    guarantee: Quantity | None = None
    """What the scheduler reserves (the container's request)."""

    limit: Quantity | None = None
    """What the container may use at most."""

    @model_validator(mode="before")
    @classmethod
    def _short_for_both(cls, value: Any) -> Any:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return {"guarantee": value, "limit": value}
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(core_schema))
        description = mapping.pop("description", "")
        return {"description": description, "anyOf": [mapping, *_QUANTITY_SCHEMA["anyOf"]]}


def _checked_as(resource: str) -> Callable[[Amounts], Amounts]:
    def check(amounts: Amounts) -> Amounts:
        written = {"guarantee": amounts.guarantee, "limit": amounts.limit}
        faults = [
            fault.beneath((name,))
            for name, text in written.items()
            if text is not None and (fault := quantity_fault(resource, text)) is not None
        ]
        if not faults and amounts.guarantee is not None and amounts.limit is not None:
            guarantee = parse_amount(resource, amounts.guarantee)
            if guarantee > parse_amount(resource, amounts.limit):
                message = f"{amounts.guarantee} is more than the limit, {amounts.limit}"
                faults = [Finding(("guarantee",), message, "raise the limit")]
        return sound(amounts, faults)

    return check


CpuAmounts = Annotated[Amounts, AfterValidator(_checked_as("cpu"))]
MemoryAmounts = Annotated[Amounts, AfterValidator(_checked_as("memory"))]
