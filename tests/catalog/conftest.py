"""A small sound catalog, and what is wrong with it once a text is added to one section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from gpuspawner.catalog import Catalog, CatalogError, Problem, read_catalog

EXAMPLE = Path(__file__).parents[2] / "examples" / "campus-a100" / "catalog.yaml"

# `# <-` marks the line on which a problem is expected.
MARK = "# <-"

SOUND = {
    "accelerators": """
        a100: {title: A100, resource: nvidia.com/gpu}
    """,
    "volumes": """
        data: {mount_path: /data, empty_dir: {}}
    """,
    "profiles": """
        - {slug: cpu, title: CPU, default: true}
    """,
    "access": """
        - {users: ["*"], profiles: [cpu]}
    """,
}

Compose = Callable[..., str]
Examine = Callable[..., list[Problem]]


def _block(text: str) -> str:
    return indent(dedent(text).strip("\n"), "  ").rstrip()


def _compose(**added: str) -> str:
    parts = []
    for section, sound in SOUND.items():
        parts += [f"{section}:", _block(sound)]
        if section in added:
            parts.append(_block(added[section]))
    return "\n".join([*parts, ""])


def _problems(text: str, known_traits: frozenset[str] | None = None) -> list[Problem]:
    try:
        catalog = read_catalog(text, "catalog.yaml", known_traits=known_traits)
    except CatalogError as error:
        return list(error.problems)
    assert isinstance(catalog, Catalog)
    return []


@pytest.fixture
def compose() -> Compose:
    """The text of a sound catalog, with texts added to the sections that keywords name."""
    return _compose


@pytest.fixture
def problems() -> Examine:
    """The problems of a catalog's text; none when it is sound."""
    return _problems


def _marked_line(text: str) -> int:
    [line] = [number for number, line in enumerate(text.split("\n"), 1) if MARK in line]
    return line


@pytest.fixture
def marked_line() -> Callable[[str], int]:
    """The number of the line that a text marks."""
    return _marked_line


@pytest.fixture
def refusal() -> Callable[..., None]:
    """Holds that a text added to a section gives one problem, on the marked line, in such words.

    `message` and `hint` are parts of the words; no hint is expected for None.
    """

    def check(section: str, text: str, field: str, message: str, hint: str | None) -> None:
        written = _compose(**{section: text})
        [problem] = _problems(written)
        assert (problem.file, problem.field) == ("catalog.yaml", field)
        assert problem.line == _marked_line(written)
        assert message in problem.message
        assert (problem.hint is None) == (hint is None)
        assert (hint or "") in (problem.hint or "")

    return check


@pytest.fixture
def example_path() -> Path:
    return EXAMPLE
