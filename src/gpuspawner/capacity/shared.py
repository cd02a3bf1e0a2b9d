"""One watch for all spawners of a hub: a cluster is not watched once for each person."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.transport import KubernetesTransport
from gpuspawner.capacity.watching import ClusterWatch


@dataclass(frozen=True, slots=True)
class _Shared:
    watch: ClusterWatch
    keeper: asyncio.Task[None]


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = WeakKeyDictionary()


def shared_watch(configuration: Configuration, log: logging.Logger) -> ClusterWatch:
    """The watch of the cluster that `configuration` names, begun if this is the first call.

    It lives on the running event loop and ends with it: JupyterHub cancels what is left on its
    loop when it stops. The host alone tells clusters apart, since KubeSpawner's client has one
    configuration for the whole process.

    Args:
        configuration: of the Kubernetes client.
        log: where the watch's words go, as JupyterHub does with Tornado's.
    """
    host = str(configuration.host)
    shared = _shared.setdefault(asyncio.get_running_loop(), {})
    known = shared.get(host)
    if known is None or known.keeper.done():
        transport = KubernetesTransport(configuration)
        watch = ClusterWatch(transport)
        logging.getLogger("gpuspawner").parent = log
        watch.start()
        known = _Shared(watch, asyncio.create_task(_keep(watch, transport)))
        shared[host] = known
    return known.watch


async def stop_shared_watches() -> None:
    """End the watches of the running event loop; for tests, whose loops end in good order."""
    for shared in _shared.pop(asyncio.get_running_loop(), {}).values():
        shared.keeper.cancel()
        await asyncio.gather(shared.keeper, return_exceptions=True)


async def _keep(watch: ClusterWatch, transport: KubernetesTransport) -> None:
    """Hold the watch until cancelled, then leave nothing open."""
    try:
        await asyncio.Event().wait()
    finally:
        await watch.stop()
        await transport.aclose()
