"""A hub as a process of its own, on a cluster of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from tests.ports import a_port

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

NAMESPACE = "jupyterhub"
FAILURE_LIMIT = 5
"""The one that Zero to JupyterHub sets."""
_PATIENCE = 60.0
_UNTIL_ABORTED = 3.0
"""JupyterHub ends itself two seconds after the failure that was one too many."""
# The simulated kubelet puts the pod's own address there.
_ANSWERING = Path(__file__).with_name("answering.py")
_SERVER = [sys.executable, "-I", "-S", str(_ANSWERING), "0.0.0.0", "8888"]
_CONFIG = f"""
from traitlets.config import get_config
load_subconfig({str(Path(__file__).with_name("hub_config.py"))!r})
c = get_config()
c.JupyterHub.log_level = "WARN"
# In memory: what the disk takes for some 300 commits has nothing to do with the spawner.
c.JupyterHub.db_url = "sqlite://"
"""
_IN_A_ROW = re.compile(r"(\d+) consecutive spawn")


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub as a process, and its cluster."""

    cluster: SimCluster
    process: asyncio.subprocess.Process
    base: str
    log: Path

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    def cpu(self) -> float:
        """Seconds of CPU that the hub has used; 0 once it has ended."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pods(self) -> list[Object]:
        return self.cluster.store.list(PODS, NAMESPACE)[0]

    def failures(self) -> int:
        """Failed starts in a row, which the hub logs from the second on."""
        return max(map(int, _IN_A_ROW.findall(self.log.read_text())), default=0)

    async def ends_itself(self) -> bool:
        """Whether it does, if it is let."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), _UNTIL_ABORTED)
        return self.has_ended

    async def until_up(self) -> None:
        async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
            while not self.has_ended:
                try:
                    async with session.get(f"{self.base}/hub/login") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
        raise RuntimeError(f"the hub ended:\n{self.log.read_text()}")


@asynccontextmanager
async def a_hub(
    spawner: str, description: ClusterDescription, *, start_timeout: int
) -> AsyncIterator[Hub]:
    """A hub on a new cluster; no server outlives it.

    Args:
        spawner: as `hub_config.py` knows it.
        start_timeout: in seconds.
    """
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="gpuspawner-race-")))
        cluster = await stack.enter_async_context(SimCluster(description))
        port = a_port()
        environment = {
            **os.environ,
            "BENCH_SPAWNER": spawner,
            "BENCH_API": cluster.url,
            "BENCH_PORT": str(port),
            "KUBECONFIG": str(cluster.write_kubeconfig(directory / "kubeconfig")),
        }
        config, target = directory / "config.py", directory / "hub.log"
        config.write_text(_CONFIG)
        with target.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jupyterhub"),
                *("--config", str(config)),
                "--JupyterHub.cleanup_servers=False",
                f"--KubeSpawner.cmd={_SERVER}",
                f"--KubeSpawner.start_timeout={start_timeout}",
                f"--Spawner.consecutive_failure_limit={FAILURE_LIMIT}",
                env=environment,
                cwd=directory,
                stdout=output,
                stderr=output,
            )
        hub = Hub(cluster, process, f"http://127.0.0.1:{port}", target)
        try:
            await hub.until_up()
            yield hub
        finally:
            if not hub.has_ended:
                process.kill()
            await process.wait()
