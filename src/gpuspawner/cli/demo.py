"""The demo: a real JupyterHub on an embedded cluster, on loopback addresses only."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click

from gpuspawner.cli.examples import Example, load_example
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.nodes.processes import Command, PodProcess

HUB_CONFIG = Path(__file__).with_name("demo_hub_config.py")
PROXY = Path(__file__).with_name("demo_proxy.py")
LOOPBACK = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 30.0
_LOG_LINES = 25


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        port: taken if it is free, else another one.
        password: None makes one up.
        still: whether other people's pods stay as they are.
    """

    port: int
    password: str | None
    still: bool


def run(example: str, options: Options) -> int:
    """Run the demo until it is interrupted; the exit status."""
    # The pods and the proxy are found where this Python's own commands are.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    chosen = load_example(example)
    try:
        return asyncio.run(_run(chosen, options))
    except KeyboardInterrupt:
        return 0


async def _run(example: Example, options: Options) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="gpuspawner-demo-") as state:
        try:
            return await _serve(example, options, Path(state), stop)
        finally:
            click.echo("Everything is stopped.")


async def _serve(example: Example, options: Options, state: Path, stop: asyncio.Event) -> int:
    password = options.password or secrets.token_urlsafe(6)
    _step(f"Building the cluster of {example.folder.name}")
    async with SimCluster(example.cluster, state_dir=state / "cluster") as cluster:
        cluster.write_kubeconfig(state / "kubeconfig")
        if options.still:
            cluster.pause_bystanders()
        free = _free_port(options.port)
        if options.port and free != options.port:
            _step(f"Port {options.port} is taken, so {free} it is")
        url = f"http://{LOOPBACK}:{free}/"
        _step("Starting JupyterHub and its proxy")
        async with _hub(example, cluster.url, url, password, state) as hub:
            started = await _until_up(f"{url}hub/api/", hub, stop)
            if started:
                click.echo(_welcome(example, url, password, state, is_still=options.still))
                await _first(stop.wait(), hub.wait())
            failed = not stop.is_set()
            if failed:
                what = "did not answer in time" if hub.is_running else "ended by itself"
                click.echo(f"JupyterHub {what}. Its log ends with:\n{_tail(state)}", err=True)
            _step("Stopping the servers, JupyterHub and the cluster")
    return 1 if failed else 0


@asynccontextmanager
async def _hub(
    example: Example, cluster: str, url: str, password: str, state: Path
) -> AsyncIterator[PodProcess]:
    settings = {
        "catalog": str(example.catalog),
        "cluster": cluster,
        "hub": example.hub,
        "hub_port": _free_port(0),
        "password": password,
        "people": example.people,
        "proxy": str(PROXY),
        "proxy_api_port": _free_port(0),
        "state": str(state),
        "url": url,
    }
    file = state / "settings.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(settings))
    argv = [sys.executable, "-m", "jupyterhub", "-f", str(HUB_CONFIG)]
    env = {
        **os.environ,
        "GPUSPAWNER_DEMO_SETTINGS": str(file),
        "KUBECONFIG": str(state / "kubeconfig"),
        "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32),
    }
    hub = await PodProcess.start(Command(argv, env, state, _log(state)))
    try:
        yield hub
    finally:
        hub.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await hub.wait()
        except TimeoutError:
            await hub.kill()


async def _until_up(url: str, hub: PodProcess, stop: asyncio.Event) -> bool:
    """Wait until `url` answers; False if the hub ended or the demo is to stop before."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        try:
            async with asyncio.timeout(START_SECONDS):
                while hub.is_running and not stop.is_set():
                    if await _answers(session, url):
                        return True
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pass
    return False


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _free_port(wanted: int) -> int:
    """`wanted` if nobody listens on it, else any free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            return _free_port(0)
        return int(probe.getsockname()[1])


def _step(words: str) -> None:
    click.echo(f"- {words}")


def _introduced(name: str, person: Mapping[str, Any], width: int) -> str:
    words = f"    {name:{width}}  {', '.join(person.get('groups', [])) or 'no group'}"
    return f"{words}: {person['try']}" if "try" in person else words


def _welcome(example: Example, url: str, password: str, state: Path, *, is_still: bool) -> str:
    width = max(map(len, example.people))
    people = [_introduced(name, person, width) for name, person in example.people.items()]
    lively = (
        "Other people's jobs come and go, so keep the spawn page open to see availability move."
    )
    still = "Other people's jobs stay as they are."
    return "\n".join(
        [
            "",
            f"Open {url}",
            "",
            f"Sign in with the password {password} as",
            *people,
            "",
            still if is_still else lively,
            *_for_admins(example, url),
            "Servers run as processes of yours; their GPUs, images and shared folders are made up.",
            f"Catalog:          {example.catalog.absolute()}",
            "                  (edit it and save: it is in force within 5 s)",
            f"See the cluster:  kubectl --kubeconfig {state / 'kubeconfig'} get pods -A -o wide",
            f"The hub's log:    {_log(state)}",
            "Press Ctrl-C to stop; nothing is left running.",
        ]
    )


def _for_admins(example: Example, url: str) -> list[str]:
    admins = [name for name, person in example.people.items() if person.get("admin")]
    if not admins:
        return []
    return [
        f"Change who may have what, as {' or '.join(admins)}: {url}hub/gpuspawner/admin",
        "(the catalog's file stays as it is)",
    ]


def _log(state: Path) -> Path:
    return state / "jupyterhub.log"


def _tail(state: Path) -> str:
    log = _log(state)
    return "\n".join(log.read_text().splitlines()[-_LOG_LINES:]) if log.exists() else ""
