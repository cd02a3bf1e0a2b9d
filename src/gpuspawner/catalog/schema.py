"""The catalog's JSON Schema, for editors, and as the list of the fields that there are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from gpuspawner.catalog.models import Catalog
from gpuspawner.catalog.problems import Path

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of what an admin writes, shorthands included.

    It accepts every sound catalog. It cannot see what holds between parts, such as a profile's
    accelerator being one of the catalog's: `read_catalog` does.
    """
    schema = Catalog.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **schema, "title": "gpuspawner catalog"}


def known_fields(path: Path) -> tuple[str, ...]:
    """The names of the fields that the object at `path` may have; none where any name may be."""
    schema = _schema()
    nodes = [schema]
    for step in path:
        nodes = [child for node in nodes for child in _children(schema, node, step)]
    names = {name for node in nodes for part in _parts(schema, node) for name in _named(part)}
    return tuple(sorted(names))


@cache
def _schema() -> dict[str, Any]:
    return json_schema()


def _parts(schema: dict[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node itself, what it refers to, and its alternatives."""
    yield node
    if "$ref" in node:
        yield from _parts(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    for alternative in node.get("anyOf", ()):
        yield from _parts(schema, alternative)


def _children(
    schema: dict[str, Any], node: dict[str, Any], step: str | int
) -> Iterator[dict[str, Any]]:
    for part in _parts(schema, node):
        if isinstance(step, int):
            child = part.get("items")
        else:
            child = part.get("properties", {}).get(step, part.get("additionalProperties"))
        if isinstance(child, dict):
            yield child


def _named(node: dict[str, Any]) -> tuple[str, ...]:
    return tuple(node.get("properties", ()))
