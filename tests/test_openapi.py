"""The API's description says what the values have."""

from __future__ import annotations

from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from jsonschema import Draft202012Validator

from gpuspawner import cluster, presenting
from gpuspawner.capacity.freshness import State
from gpuspawner.catalog import Sharing
from gpuspawner.cluster import values
from gpuspawner.offers import Standing
from gpuspawner.wording import AfterStop

DOCUMENT = yaml.safe_load((Path(__file__).parents[1] / "docs" / "openapi.yaml").read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
MODULES = {"Present": presenting, "Cluster": cluster}
VALUES = [name for name in SCHEMAS if name.startswith(tuple(MODULES))]


def value_of(name: str) -> Any:
    """The class that a schema describes."""
    return next(getattr(module, name) for head, module in MODULES.items() if name.startswith(head))


def types_of(hint: Any) -> set[str]:
    """The JSON types that a value of a Python type can have."""
    names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    if get_origin(hint) is UnionType:
        return set().union(*(types_of(part) for part in get_args(hint)))
    if get_origin(hint) is tuple:
        return {"array"}
    if get_origin(hint) is Literal:
        return {"string"}
    return {names.get(hint, "object")}


def types_in(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a schema names."""
    if "$ref" in schema:
        return types_in(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return set().union(*(types_in(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return {"string"}
    kinds = schema["type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


@pytest.mark.parametrize("name", VALUES)
def test_each_field_is_described_and_no_other(name: str) -> None:
    schema, hints = SCHEMAS[name], get_type_hints(value_of(name))
    assert list(schema["properties"]) == list(hints) == schema["required"]
    assert schema["additionalProperties"] is False
    for field, hint in hints.items():
        described = schema["properties"][field]
        assert types_in(described) == types_of(hint), field
        assert described.get("description") or "$ref" in described, field


def test_no_value_is_left_out() -> None:
    described = {
        name for head, module in MODULES.items() for name in dir(module) if name.startswith(head)
    }
    assert described == set(VALUES)


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ("PresentedOffer", "kind", get_args(presenting.Kind)),
        ("PresentedOffer", "standing", [standing.value for standing in Standing]),
        ("PresentedAccelerator", "sharing", get_args(Sharing)),
        ("PresentedVolume", "after_stop", get_args(AfterStop)),
        ("PresentedFreshness", "state", get_args(State)),
        ("ClusterFreshness", "state", get_args(State)),
        ("ClusterUnits", "state", get_args(values.UnitState)),
        ("ClusterDevices", "unit", get_args(values.Unit)),
        ("ClusterHolding", "phase", get_args(values.Phase)),
        ("ClusterKind", "state", get_args(values.KindState)),
    ],
)
def test_the_words_of_a_field_are_all_its_words(value: str, field: str, words: list[str]) -> None:
    assert SCHEMAS[value]["properties"][field]["enum"] == list(words)


def test_each_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
