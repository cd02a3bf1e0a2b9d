"""The demo as a process: where it listens, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp

from gpuspawner.cli.examples import examples_folder

from .conftest import running_demo


def parents() -> dict[int, int]:
    """Each process' parent, as /proc has them now."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(stat.parent.name)] = int(fields[1])
    return found


def descendants(of: int) -> set[int]:
    by_child, found = parents(), {of}
    while more := {pid for pid, parent in by_child.items() if parent in found} - found:
        found |= more
    return found - {of}


def listening(pids: set[int]) -> set[str]:
    """The addresses on which any of these processes listens, in /proc's hexadecimal."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(descriptor.readlink().name)
            except OSError:
                continue
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                addresses.add(fields[1].partition(":")[0])
    return addresses


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - /proc has no events
            await asyncio.sleep(0.05)


def state_directory(output: str) -> Path:
    match = re.search(r"(/\S+)/jupyterhub\.log", output)
    assert match, output
    return Path(match[1])


async def test_it_takes_a_free_port_listens_on_loopback_only_and_leaves_nothing_running() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running_demo(f"--port={port}", "--still") as demo:
            assert re.search(rf"Port {port} is taken, so \d+ it is", demo.output)
            assert "Sign in with the password" in demo.output
            catalog = examples_folder() / "campus-a100" / "catalog.yaml"
            assert re.search(rf"Catalog: +{catalog}\n.*within 5 s", demo.output)
            async with aiohttp.ClientSession() as session, session.get(demo.url) as answer:
                assert answer.status == 200
            family = descendants(demo.process.pid)
            assert len(family) >= 3
            for address in listening({demo.process.pid, *family}):
                assert re.fullmatch(r"[0-9A-F]{6}7F", address), address
            state = state_directory(demo.output)
            assert state.is_dir()
    assert demo.process.returncode == 0
    assert not family & parents().keys()
    assert not state.exists()


async def test_it_leaves_nothing_running_even_when_it_is_killed() -> None:
    async with running_demo("--port=0", "--still") as demo:
        family = descendants(demo.process.pid)
        assert len(family) >= 3
        demo.process.send_signal(signal.SIGKILL)
        await until(lambda: not family & parents().keys())
        shutil.rmtree(state_directory(demo.output))
