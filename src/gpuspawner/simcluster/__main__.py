"""Serve a simulated cluster until interrupted: ``python -m gpuspawner.simcluster FILE``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription, ClusterDescriptionError


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m gpuspawner.simcluster",
        description="Serve a simulated Kubernetes cluster until interrupted.",
    )
    parser.add_argument("description", type=Path, help="a cluster description in YAML")
    parser.add_argument("--host", default="127.0.0.1", help="where the API server listens")
    parser.add_argument("--port", type=int, default=0, help="its port; 0 takes any that is free")
    parser.add_argument("--state-dir", type=Path, help="keep home directories and logs here")
    options = parser.parse_args(argv)
    try:
        description = ClusterDescription.load(options.description)
    except ClusterDescriptionError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        return 1
    asyncio.run(_serve(description, options.host, options.port, options.state_dir))
    return 0


async def _serve(
    description: ClusterDescription, host: str, port: int, state_dir: Path | None
) -> None:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    cluster = SimCluster(description, host=host, port=port, state_dir=state_dir)
    with tempfile.TemporaryDirectory(prefix="simcluster-kubeconfig-") as directory:
        async with cluster:
            config = cluster.write_kubeconfig(Path(directory) / "config")
            print(cluster.url, flush=True)  # noqa: T201 - as above
            print(f"kubectl --kubeconfig {config} get nodes", flush=True)  # noqa: T201 - as above
            await interrupted.wait()


if __name__ == "__main__":
    sys.exit(main())
