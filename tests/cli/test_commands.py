from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from gpuspawner import __version__
from gpuspawner.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "campus-a100" / "catalog.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_validate_says_that_a_valid_catalog_is_valid() -> None:
    result = run("validate", str(EXAMPLE))
    assert result.exit_code == 0
    assert result.stdout == f"{EXAMPLE}: valid, 7 profiles\n"


def test_validate_prints_every_problem_of_every_file_and_fails(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(EXAMPLE.read_text().replace("sharing: exclusive", "sharing: exlusive"))
    two.write_text("profiles: []\nfoo: 1\n")
    result = run("validate", str(one), str(EXAMPLE), str(two))
    assert result.exit_code == 1
    assert "accelerators.a100.sharing: " in result.stderr
    assert "'exclusive'" in result.stderr
    assert f"{two}:2: foo: " in result.stderr
    assert result.stdout == f"{EXAMPLE}: valid, 7 profiles\n"


def test_validate_knows_the_traits_of_kubespawner(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    override = "kubespawner_override: {extra_lables: {a: b}}"
    file.write_text(f"profiles:\n  - {{slug: a, title: A, default: true, {override}}}\n")
    result = run("validate", str(file))
    assert result.exit_code == 1
    assert "extra_labels" in result.stderr


def test_validate_warns_when_nobody_may_start_anything(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text("profiles:\n  - {slug: a, title: A, default: true}\n")
    result = run("validate", str(file))
    assert result.exit_code == 0
    assert "nobody may start anything" in result.output


def test_schema_prints_a_schema() -> None:
    result = run("schema")
    assert result.exit_code == 0
    Draft202012Validator.check_schema(json.loads(result.stdout))


def test_the_demo_names_the_examples_that_there_are() -> None:
    result = run("demo", "--example", "campus-a10")
    assert result.exit_code == 1
    assert "no example 'campus-a10'; there are: campus-a100" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["validate", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_the_version_is_the_package_s() -> None:
    assert __version__ in run("--version").stdout
