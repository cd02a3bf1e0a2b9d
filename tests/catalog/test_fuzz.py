"""Whatever is read becomes a catalog or a CatalogError whose problems can be found and fixed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gpuspawner.catalog import (
    Catalog,
    CatalogError,
    Problem,
    json_schema,
    load_catalog,
    read_catalog,
)
from gpuspawner.catalog.schema import known_fields

EXAMPLE = Path(__file__).parents[2] / "examples" / "campus-a100" / "catalog.yaml"
TREE = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))

SCHEMA = Draft202012Validator(json_schema())

# Pydantic's way to say where and what, which no admin should have to learn.
INTERNAL = ("function-", "[key]", "pydantic", "Input should", "cannot be used here", "constrained")

SLOW_START = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

FIELDS = st.sampled_from(
    sorted(
        {
            *known_fields(()),
            *known_fields(("accelerators", "x")),
            *known_fields(("accelerators", "x", "tolerations", 0)),
            *known_fields(("accelerators", "x", "affinity", 0, "matchExpressions", 0)),
            *known_fields(("volumes", "x")),
            *known_fields(("volumes", "x", "nfs")),
            *known_fields(("profiles", 0)),
            *known_fields(("profiles", 0, "cpu")),
            *known_fields(("profiles", 0, "images", 0)),
            *known_fields(("access", 0)),
        }
    )
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["cpu", "a100", "nvidia.com/gpu", "mps", "/a", "{username}", "{", "Exists"])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
SECTIONED = st.fixed_dictionaries(
    {"profiles": TREES | st.lists(st.dictionaries(FIELDS, TREES, max_size=6), max_size=3)},
    optional={
        "accelerators": TREES | st.dictionaries(st.text(max_size=3), TREES, max_size=3),
        "volumes": TREES | st.dictionaries(st.text(max_size=3), TREES, max_size=3),
        "access": TREES | st.lists(st.dictionaries(FIELDS, TREES, max_size=4), max_size=3),
    },
)


def problems_of(text: str) -> tuple[Problem, ...]:
    try:
        assert isinstance(read_catalog(text), Catalog)
    except CatalogError as error:
        return error.problems
    return ()


def hold_usable(problems: tuple[Problem, ...], text: str) -> None:
    """Each problem is somewhere in the file, in words, on one line, and said once."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for problem in problems:
        assert problem.line is not None
        assert 1 <= problem.line <= lines
        assert not any(word in str(problem) for word in INTERNAL), str(problem)
        assert "\n" not in str(problem)
    assert len(set(problems)) == len(problems)


@SLOW_START
@given(st.text())
def test_any_text_is_a_catalog_or_refused(text: str) -> None:
    hold_usable(problems_of(text), text)


@SLOW_START
@given(st.text(alphabet="abc:-?[]{}#&*!|>'\"%@` \n\t.,0123<=\\xuU~"))
def test_any_text_of_yaml_s_own_characters_is_a_catalog_or_refused(text: str) -> None:
    hold_usable(problems_of(text), text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=st.binary())
def test_any_file_is_a_catalog_or_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_bytes(raw)
    with pytest.raises(CatalogError) as caught:
        load_catalog(path)
    assert caught.value.problems


@SLOW_START
@given(TREES)
def test_any_tree_is_a_catalog_or_refused(tree: Any) -> None:
    text = yaml.safe_dump(tree)
    hold_usable(problems_of(text), text)


@SLOW_START
@given(SECTIONED)
def test_any_tree_with_the_catalog_s_sections_is_a_catalog_or_refused(tree: Any) -> None:
    text = yaml.safe_dump(tree)
    hold_usable(problems_of(text), text)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            yield from places(child, (*path, key))


PLACES = sorted(places(TREE), key=str)


def mutated(path: tuple[Any, ...], change: str, value: Any) -> Any:
    tree = deepcopy(TREE)
    node = tree
    for step in path[:-1]:
        node = node[step]
    if change == "delete":
        del node[path[-1]]
    elif change == "rename" and isinstance(node, dict):
        node[f"{path[-1]}x"] = node.pop(path[-1])
    else:
        node[path[-1]] = value
    return tree


@settings(SLOW_START, max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(["delete", "rename", "change"]), TREES)
def test_any_one_change_of_the_example_is_found_or_sound_to_the_schema_also(
    path: tuple[Any, ...], change: str, value: Any
) -> None:
    text = yaml.safe_dump(mutated(path, change, value), sort_keys=False)
    problems = problems_of(text)
    hold_usable(problems, text)
    assert problems or SCHEMA.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("path", [path for path in PLACES if known_fields(path[:-1])], ids=str)
def test_a_field_of_the_example_renamed_is_unknown_and_its_name_proposed(
    path: tuple[Any, ...],
) -> None:
    text = yaml.safe_dump(mutated(path, "rename", None), sort_keys=False)
    unknown = [p for p in problems_of(text) if p.message == "unknown field"]
    [problem] = unknown
    assert problem.hint == f"did you mean {path[-1]!r}?"
    assert problem.line is not None
    assert f"{path[-1]}x" in text.split("\n")[problem.line - 1]
