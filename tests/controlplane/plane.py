"""The Go program of this directory, as a process that lasts for a test session."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class ControlPlane:
    """A control plane while its context is entered; it ends with this process, too.

    Args:
        program: what ``go build`` made here.
        directory: where it keeps its data, certificates and logs.
    """

    def __init__(self, program: Path, directory: Path) -> None:
        self._command = [str(program), "--dir", str(directory)]
        self._process: subprocess.Popen[str] | None = None
        self._facts: dict[str, str] = {}

    @property
    def kubeconfig(self) -> Path:
        """An administrator's."""
        return Path(self._facts["kubeconfig"])

    @property
    def version(self) -> str:
        """The API server's, such as ``v1.36.3``."""
        return self._facts["version"]

    def down(self) -> None:
        """Kill the API server, as a crash would."""
        self._order("down")

    def up(self) -> None:
        """Start it again, on its data and its port; returns when it is ready."""
        self._order("up")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._facts = self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)

    def _order(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._answer() == {"done": word}

    def _answer(self) -> dict[str, Any]:
        # It bounds every wait of its own, and says on standard error why it gave up.
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the control plane ended by itself, with {self._process.wait()}"
        return dict(json.loads(line))
