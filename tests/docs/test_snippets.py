"""What the documentation tells people to write, as they would write it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import click
import pytest
import yaml
from jupyterhub.app import JupyterHub
from kubespawner import KubeSpawner
from traitlets.config import Config

import gpuspawner
from gpuspawner.catalog import load_catalog
from gpuspawner.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CLASSES = {
    "JupyterHub": JupyterHub,
    "KubeSpawner": KubeSpawner,
    "GPUSpawner": gpuspawner.GPUSpawner,
}


def snippets(language: str) -> Iterator[object]:
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            if found[1] == language:
                line = text.count("\n", 0, found.start()) + 2
                yield pytest.param(found[2], id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize("text", list(snippets("yaml")))
def test_yaml_is_yaml_and_whole_catalogs_are_valid(text: str, tmp_path: Path) -> None:
    written = yaml.safe_load(text)
    if {"profiles", "access"} <= set(written):
        file = tmp_path / "catalog.yaml"
        file.write_text(text)
        known = frozenset(KubeSpawner.class_trait_names(config=True))
        assert load_catalog(file, known_traits=known).profiles


@pytest.mark.parametrize("text", list(snippets("python")))
def test_python_sets_what_there_is_to_set(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    c = Config()
    for variable in re.findall(r'os\.environ\["(\w+)"\]', text):
        monkeypatch.setenv(variable, "a secret")
    monkeypatch.setattr(gpuspawner, "setup", create_autospec(gpuspawner.setup))
    exec(compile(text, "snippet", "exec"), {"c": c, "gpuspawner": gpuspawner})
    for name, settings in c.items():
        if name in CLASSES:
            assert set(settings) <= set(CLASSES[name].class_trait_names(config=True))


def commands() -> Iterator[object]:
    for page in PAGES:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            said = re.search(r"(?:^ *|[`(] *|&& )(gpuspawner [a-z][^`|]*)", line)
            if said and not line.startswith("| `c."):
                yield pytest.param(said[1].strip(" \\"), id=f"{page.name}:{number}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_are_ones_that_there_are(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Whatever may have to be a file is one: what is asked is whether there is such an option.
    _program, name, *arguments = shlex.split(re.split(" && | > ", line, maxsplit=1)[0])
    command = main.commands[name]
    for word in [word.partition("=")[2] or word for word in arguments]:
        if not word.startswith("-") and "/" not in word:
            (tmp_path / word).touch()
    arguments = [str(tmp_path / Path(word).name) if "/" in word else word for word in arguments]
    for word in arguments:
        if word.startswith("/"):
            Path(word).touch()
    try:
        command.make_context(name, list(arguments))
    except click.MissingParameter:
        assert all(word.startswith("-") for word in arguments), "named, or with all that it needs"
