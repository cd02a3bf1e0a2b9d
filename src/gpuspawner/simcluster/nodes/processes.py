"""A pod's container as a local process, in a session of its own.

Each process is started through `shim`, which sees to it that nothing outlives the pod, or the
cluster, even one that was ended by SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpuspawner.simcluster.nodes import shim

KILL_SECONDS = 5.0
"""How long the shim has to clear up before its own process group is killed."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and where.

    Attributes:
        log: the file to which standard output and standard error are appended.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    directory: Path
    log: Path


class PodProcess:
    """A running command; `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Command) -> PodProcess:
        """Start `command` under a shim, as the leader of a session and of a process group.

        Raises:
            OSError: it cannot be started.
        """
        command.directory.mkdir(parents=True, exist_ok=True)
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                shim.__file__,
                *command.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(command.env),
                cwd=command.directory,
                start_new_session=True,
            )
        return cls(process)

    @property
    def group(self) -> int:
        """The id of its process group, which is also that of its session."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its exit has not been seen yet."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; the exit code, which is 128 plus the signal's number after a signal."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """Ask the process group to end."""
        self._signal(signal.SIGTERM)

    async def kill(self) -> int:
        """End it and all that descends from it at once; the exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(KILL_SECONDS):
                return await self.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            try:
                os.killpg(self.group, number)
            except ProcessLookupError:
                return  # it ended, and the loop has yet to hear of it
