"""The commands of docs/command-line.md work as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.cli.conftest import CATALOG, Run

DOCS = Path(__file__).parents[2] / "docs" / "command-line.md"
HUB_CONFIG = "/usr/local/etc/jupyterhub/jupyterhub_config.py"
COMMANDS = re.findall(r"^ *(gpuspawner .*?)(?: \|.*)?$", DOCS.read_text(), re.MULTILINE)
WRITES = "snapshot -o state.jsonl.gz"


def test_they_are_found() -> None:
    assert len(COMMANDS) > 10
    assert any(command.endswith(WRITES) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
async def test_it_works(
    run: Run, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = kubeconfig.parent
    monkeypatch.chdir(folder)
    (folder / "catalog.yaml").write_text(CATALOG)
    (folder / "hub.py").write_text("")
    await run("snapshot", "--keep-names", "-o", "state.jsonl.gz", "--kubeconfig", kubeconfig)
    _, name, *arguments = shlex.split(command.replace(HUB_CONFIG, "hub.py"))
    # $KUBECONFIG is read when the client is imported, so it cannot be set here.
    where = () if name == "verdict" else ("--kubeconfig", kubeconfig)
    result = await run(name, *arguments, *where)
    assert "Traceback" not in result.output
    # Nobody waits in this cluster, and `verdict` says so.
    assert (result.exit_code == 0) is (name != "verdict"), result.output


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/catalog.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
async def test_every_example_is_valid(run: Run, example: Path) -> None:
    result = await run("validate", example)
    assert result.exit_code == 0, result.stderr
