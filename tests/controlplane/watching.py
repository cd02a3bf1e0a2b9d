"""The product's own watch, against the API server of a configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity.failures import StatusError
from gpuspawner.capacity.feeds import Feed
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import KubernetesTransport, Response
from gpuspawner.capacity.watching import ClusterWatch

BRISK = WatchTiming(
    window=2.0,
    silence=3.0,
    stale_after=4.0,
    settle=0.05,
    backoff=(0.05, 0.2),
    denied_backoff=(0.05, 0.2),
    page_size=5,
)
"""Everything that takes half a minute takes seconds, and every list has more than one page."""


class InPages(KubernetesTransport):
    """An API server without streaming lists."""

    def get(
        self, path: str, parameters: Mapping[str, str], **more: Any
    ) -> AbstractAsyncContextManager[Response]:
        if "sendInitialEvents" in parameters:
            raise StatusError(422)
        return super().get(path, parameters, **more)


@asynccontextmanager
async def watching(
    configuration: Configuration,
    *,
    feeds: Iterable[Feed] = (),
    timing: WatchTiming = BRISK,
    streams: bool = True,
) -> AsyncIterator[ClusterWatch]:
    transport = (KubernetesTransport if streams else InPages)(configuration)
    try:
        async with ClusterWatch(transport, feeds=feeds, timing=timing) as watch:
            yield watch
    finally:
        await transport.aclose()


async def listed(configuration: Configuration) -> Mapping[str, NodeState]:
    """The nodes and their load by a list that is made now."""
    async with watching(configuration, streams=False) as watch:
        assert await watch.wait_synced(30)
        return watch.snapshot().nodes
