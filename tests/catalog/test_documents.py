"""YAML is read with its lines, and what YAML would accept in silence is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuspawner.catalog import Problem, read_catalog
from gpuspawner.catalog.documents import MAX_DEPTH, MAX_VALUES, read_document

Examine = Callable[..., list[Problem]]

PROFILE = "profiles:\n- {slug: a, title: A, default: true}\n"

UNREADABLE = [
    pytest.param("", 1, "the catalog is empty", id="an empty file"),
    pytest.param("# nothing\n\n", 1, "the catalog is empty", id="comments only"),
    pytest.param("a: [1,\nb: {", 2, "this is not YAML", id="a bracket that is never closed"),
    pytest.param("a: b\n c: d\n", 2, "this is not YAML", id="a line that is indented too far"),
    pytest.param("a: b\n\tc: d\n", 2, "this is not YAML", id="a tab"),
    pytest.param("a: b\nc: \0\n", 2, "the character '\\x00' is not allowed", id="a NUL"),
    pytest.param('a: b\nc: "\\UFFFFFFFF"\n', 2, "this is not YAML", id="no such character"),
    pytest.param("a: b\r\nc: d\r- e\r", 3, "this is not YAML", id="any line ending"),
    pytest.param("# a\u2028# b\nc: [\n", 3, "this is not YAML", id="a break that no editor counts"),
    pytest.param("- a\n- b\n", 1, "must be a mapping of sections, not a list", id="a list"),
    pytest.param("just words\n", 1, "not the text 'just words'", id="a text"),
    pytest.param("\n\n3\n", 3, "not the number 3", id="a number on a later line"),
    pytest.param("a: 1\n---\nb: 2\n", 2, "this is not YAML", id="two documents"),
    pytest.param("a: *b\n", 1, "undefined alias", id="an alias of nothing"),
    pytest.param("x: 1\na: &b [*b]\n", 2, "contains itself", id="a list within itself"),
    pytest.param("x: 1\na: &b {<<: *b}\n", 2, "contains itself", id="a mapping merged into itself"),
    pytest.param(
        "a:\n" + "[" * MAX_DEPTH, 2, f"nested more than {MAX_DEPTH} deep", id="endless brackets"
    ),
    pytest.param(
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        1,
        f"aliases expand the catalog to more than {MAX_VALUES} values",
        id="a thousand million values of nine lines",
    ),
]

SURPRISES = [
    pytest.param(
        "no: {}", "no", "a key must be text, not no", 'it: "no"', id="a boolean for a key"
    ),
    pytest.param("1.10: {}", '["1.10"]', "not the number 1.10", '"1.10"', id="a number for a key"),
    pytest.param("~: {}", '["~"]', "reads as nothing", '"~"', id="nothing for a key"),
    pytest.param("? [a]\n: b", "", "not a list or a mapping", None, id="a list for a key"),
    pytest.param("x: !secret a", "x", "the YAML tag '!secret'", "leave it out", id="a tag"),
    pytest.param(
        "x: !!python/object/apply:os.system [id]", "x", "the YAML tag", "out", id="a Python object"
    ),
    pytest.param("x: !!binary aGk=", "x", "the YAML tag", "leave it out", id="binary data"),
    pytest.param("x: !!set {a}", "x", "the YAML tag", "leave it out", id="a set"),
    pytest.param("x: 12:30", "x", "as a number to base 60", '"12:30"', id="a time of day"),
    pytest.param("x: 1:30.5", "x", "as a number to base 60", '"1:30.5"', id="a time with a point"),
    pytest.param("x: .nan", "x", "'.nan' is out of range", None, id="not a number"),
    pytest.param("x: -.inf", "x", "'-.inf' is out of range", None, id="infinity"),
    pytest.param("x: 9223372036854775808", "x", "is out of range", None, id="more than 64 bits"),
    pytest.param("x: 0b2", None, "", None, id="no binary number is text"),
    pytest.param("x: !!int two", "x", "is not what its tag says", '"two"', id="no integer"),
    pytest.param("x: !!bool maybe", "x", "is not what its tag says", '"maybe"', id="no boolean"),
    pytest.param("x: !!int ''", "x", "is not what its tag says", "", id="an integer of nothing"),
    pytest.param("x: 1" + "0" * 5000, "x", "is not what its tag says", "", id="5,001 digits"),
    pytest.param('x: "\\ud800"', "x", "the character '\\ud800'", None, id="half a surrogate pair"),
    pytest.param('x: "a\\0b"', "x", "the character '\\x00'", None, id="an escaped NUL"),
    pytest.param("x: {<<: [a]}", "x", "merges mappings only", None, id="a merged text"),
]


@pytest.mark.parametrize(("text", "line", "message"), UNREADABLE)
def test_a_text_is_no_catalog(text: str, line: int, message: str, problems: Examine) -> None:
    [problem] = problems(text)
    assert (problem.line, problem.field) == (line, "")
    assert message in problem.message


@pytest.mark.parametrize(("text", "field", "message", "hint"), SURPRISES)
def test_a_value_is_not_what_it_seems(
    text: str, field: str | None, message: str, hint: str | None
) -> None:
    _, found = read_document(f"sound: 1\n{text}\n", "c.yaml")
    if field is None:
        assert found == []
        return
    [problem] = found
    assert (problem.line, problem.field) == (2, field)
    assert message in problem.message
    assert (problem.hint is None) == (hint is None)
    assert (hint or "") in (problem.hint or "")


def test_a_key_written_twice_is_refused_where_it_comes_again(problems: Examine) -> None:
    [problem] = problems(f"volumes: {{}}\n{PROFILE}volumes: {{}}\n")
    assert str(problem) == (
        "catalog.yaml:4: volumes: the key 'volumes' is written twice; the first is on line 1"
    )


def test_a_key_written_twice_hides_nothing_else(problems: Examine) -> None:
    found = problems(f"{PROFILE}volumes: {{v: 3}}\nvolumes: {{}}\naces: []\n")
    assert [problem.field for problem in found] == ["volumes.v", "volumes", "aces"]


def test_aliases_and_merge_keys_are_expanded_each_value_keeping_its_line() -> None:
    text = "a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\nc: [*a]\n"
    root, found = read_document(text, "c.yaml")
    assert root is not None
    assert found == []
    assert root.plain() == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": [{"x": 1, "y": 2}]}
    inherited, _ = root.walk(("b", "x"))
    overridden, _ = root.walk(("b", "y"))
    assert (inherited.line, inherited.path) == (2, ("b", "x"))
    assert (overridden.line, overridden.path) == (6, ("b", "y"))


def test_the_first_of_several_merged_mappings_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n"
    root, _ = read_document(text, "c.yaml")
    assert root is not None
    assert root.plain()["c"] == {"x": 1, "y": 2}


def test_dates_are_text() -> None:
    catalog = read_catalog("profiles:\n- {slug: 2025-06-30, title: A, default: true}\n", "c.yaml")
    assert catalog.default_profile.slug == "2025-06-30"


def test_problems_in_a_merged_value_name_the_line_where_it_was_written(problems: Examine) -> None:
    text = (
        "profiles:\n"
        "- &base\n  slug: a\n  title: A\n  default: true\n  memory: 1GB\n"
        "- <<: *base\n  slug: b\n  default: false\n"
    )
    found = problems(text)
    assert [(problem.line, problem.field) for problem in found] == [
        (6, "profiles[0].memory"),
        (6, "profiles[1].memory"),
    ]
