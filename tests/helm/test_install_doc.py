"""What docs/install-helm.md tells an operator to write and to run is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from gpuspawner.cli import main

from .chart import CLUSTERS, HELM_VALUES, ROOT, merged, values_of
from .test_values import schema_errors

TEXT = (ROOT / "docs" / "install-helm.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)).replace("\\\n", " ")
VALUES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^.*?\bgpuspawner ((?:validate|rbac|explain) .*)$", SHELL, re.MULTILINE)


@pytest.mark.parametrize("snippet", VALUES)
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_its_values_are_the_charts(cluster: str, snippet: str) -> None:
    assert schema_errors(merged(values_of(cluster), yaml.safe_load(snippet))) == []


def test_its_commands_are_found() -> None:
    assert [command.split()[0] for command in COMMANDS] == ["validate", "rbac", "explain"]


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_have_these_options(command: str) -> None:
    name, *arguments = command.split()
    known: Any = main.commands[name]
    options = {option for each in known.params for option in each.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_it_names_each_overlay_and_the_files_that_there_are() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)\.yaml`", TEXT, re.MULTILINE)) == set(CLUSTERS)
    for path in re.findall(r"helm-values/[A-Za-z./-]+[a-zA-Z]", SHELL):
        assert (HELM_VALUES.parent / path).exists() or path.startswith("helm-values/manifests/")


def test_it_speaks_of_this_image() -> None:
    image = yaml.safe_load((HELM_VALUES / "base.yaml").read_text())["hub"]["image"]
    assert f"{image['name']}:{image['tag']}" in TEXT
    assert f"{image['name']}:{image['tag']}" in (HELM_VALUES / "Dockerfile").read_text()
