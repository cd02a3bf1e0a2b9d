"""The exported JSON Schema agrees with what is read, for editors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from gpuspawner.catalog import json_schema, read_catalog
from gpuspawner.catalog.schema import known_fields

COMMITTED = Path(__file__).parents[2] / "docs" / "catalog.schema.json"

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

ADDED = [
    pytest.param("profiles", "- {slug: a, title: A, cpu: 16}", True, id="cores as a number"),
    pytest.param("profiles", "- {slug: a, title: A, cpu: 500m}", True, id="cores as a text"),
    pytest.param("profiles", "- {slug: a, title: A, memory: 64Gi}", True, id="memory as a text"),
    pytest.param("profiles", "- {slug: a, title: A, cpu: {limit: 2}}", True, id="a limit alone"),
    pytest.param("profiles", "- {slug: a, title: A, cpu: 0}", False, id="no cores"),
    pytest.param("profiles", "- {slug: a, title: A, memory: 64GB}", False, id="GB"),
    pytest.param("profiles", "- {slug: a, title: A, memory: {limits: 1}}", False, id="limits"),
    pytest.param("profiles", "- {slug: a, title: A, cpus: 2}", False, id="an unknown field"),
    pytest.param("profiles", "- {slug: a, title: A, count: 2}", False, id="a count of nothing"),
    pytest.param(
        "profiles",
        "- {slug: a, title: A, image: a, images: [{slug: b, title: B, image: b}]}",
        False,
        id="image and images",
    ),
    pytest.param("profiles", "- {slug: a}", False, id="a profile without a title"),
    pytest.param("volumes", "a: {shared_memory: {size: 1Gi}}", True, id="shared memory alone"),
    pytest.param(
        "volumes", "a: {mount_path: /s, shared_memory: {size: 1Gi}}", True, id="shared memory there"
    ),
    pytest.param("volumes", "a: {empty_dir: {}}", False, id="a source without a mount path"),
    pytest.param("volumes", "a: {mount_path: /a}", False, id="a mount path without a source"),
    pytest.param(
        "volumes", "a: {mount_path: /a, empty_dir: {}, claim: {name: a}}", False, id="two sources"
    ),
    pytest.param(
        "accelerators",
        "a: {title: A, resource: a.b/c, tolerations: [{key: a, tolerationSeconds: 1, "
        "effect: NoExecute}]}",
        True,
        id="Kubernetes' own field names",
    ),
    pytest.param(
        "accelerators", "a: {title: A, resource: a.b/c, sharing: all}", False, id="unknown sharing"
    ),
]


def objects(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of the mappings within a tree."""
    if isinstance(node, dict):
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in items:
        if isinstance(child, dict | list):
            yield from objects(child, (*path, key))


def test_it_is_a_valid_schema_of_its_dialect() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_it_accepts_the_example(example_path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(example_path.read_text(encoding="utf-8")))


def test_every_object_that_it_defines_is_closed() -> None:
    for name, definition in SCHEMA["$defs"].items():
        parts = definition.get("anyOf", [definition])
        closed = [part for part in parts if part.get("type") == "object"]
        assert closed, name
        assert all(part["additionalProperties"] is False for part in closed), name


def test_it_rejects_an_unknown_field_wherever_the_reader_does(example_path: Path) -> None:
    text = example_path.read_text(encoding="utf-8")
    checked = 0
    for path in objects(yaml.safe_load(text)):
        tree = json.loads(json.dumps(yaml.safe_load(text)))
        node = tree
        for step in path:
            node = node[step]
        node["unheard-of"] = {}
        if known_fields(path):
            checked += 1
            assert not VALIDATOR.is_valid(tree), path
    assert checked > 20


@pytest.mark.parametrize(("section", "text", "is_sound"), ADDED)
def test_it_and_the_reader_agree(
    section: str,
    text: str,
    is_sound: bool,
    compose: Callable[..., str],
    problems: Callable[..., list[object]],
) -> None:
    written = compose(**{section: text})
    assert VALIDATOR.is_valid(yaml.safe_load(written)) is is_sound
    assert (problems(written) == []) is is_sound


def test_every_field_is_described() -> None:
    for name, definition in SCHEMA["$defs"].items():
        for part in definition.get("anyOf", [definition]):
            for field, schema in part.get("properties", {}).items():
                assert schema.get("description"), f"{name}.{field}"


def test_the_committed_schema_is_up_to_date() -> None:
    """Write it anew with `gpuspawner schema > docs/catalog.schema.json`."""
    assert COMMITTED.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


def test_a_sound_catalog_satisfies_it_after_a_round_trip(compose: Callable[..., str]) -> None:
    catalog = read_catalog(compose())
    VALIDATOR.validate(catalog.model_dump(mode="json", by_alias=True, exclude_unset=True))
