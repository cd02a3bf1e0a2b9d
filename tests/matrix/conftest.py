"""An API server whose faults are ordered, and a watch of it that is judged by a fresh list.

The pace is that of `FAST`: the same code as in a hub, in shorter periods. Ages are read from a
clock that only the tests move.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from kubernetes_asyncio.client import Configuration
from tests.capacity.conftest import api, url
from tests.capacity.scripted_api import Clock

from gpuspawner.capacity.backoff import Backoff
from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import read_node, read_pod
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import KubernetesTransport
from gpuspawner.capacity.watching import ClusterWatch
from gpuspawner.simcluster.apimachinery.resources import NODES, PODS
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.apiserver.watching import WatchTimes
from gpuspawner.simcluster.storage.store import Store

__all__ = ["api", "url"]
GPU = "nvidia.com/gpu"
FAST = WatchTiming(
    window=0.9,
    silence=1.6,
    stale_after=40.0,
    answer=0.3,
    page=1.0,
    settle=0.02,
    shortest_stream=0.0,
    backoff=(0.01, 0.04),
    denied_backoff=(0.02, 0.08),
    page_size=4,
)
PATIENCE = 20.0
UNHURRIED = replace(FAST, answer=PATIENCE, page=PATIENCE, silence=PATIENCE)
"""For tests that count failures: being slow is none."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the conditions have no event of their own
            await asyncio.sleep(0.005)


@dataclass
class Site:
    """A cluster of three nodes, as its API server has it and as a watch sees it."""

    store: Store
    faults: FaultPlan
    access: AccessRules
    url: str
    clock: Clock = field(default_factory=Clock)
    delays: list[float] = field(default_factory=list)

    def add_pod(self, name: str, node: str = "n1", gpus: int = 1) -> None:
        resources = {"limits": {GPU: str(gpus)}}
        containers = [{"name": "c", "image": "i", "resources": resources}]
        spec = {"nodeName": node, "containers": containers}
        self.store.create(PODS, "default", {"metadata": {"name": name}, "spec": spec})

    def drop_pod(self, name: str) -> None:
        self.store.delete(PODS, "default", name, grace_seconds=0)

    def truth(self) -> Any:
        """The nodes as a fresh list gives them."""
        index = ClusterIndex()
        index.replace_nodes(read_node(obj) for obj in self.store.snapshot(NODES).values())
        index.replace_pods(read_pod(obj) for obj in self.store.snapshot(PODS).values())
        return dict(index.snapshot().nodes)

    @asynccontextmanager
    async def watch(self, timing: WatchTiming = FAST, **options: Any) -> AsyncIterator[Observed]:
        configuration = Configuration(host=self.url, api_key={"BearerToken": "Bearer old"})

        async def reload(configuration: Configuration) -> None:
            configuration.api_key["BearerToken"] = "Bearer new"

        transport = KubernetesTransport(configuration, reload=reload)
        options = {"clock": self.clock} | options
        try:
            async with ClusterWatch(transport, timing=timing, **options) as watch:
                yield Observed(self, watch)
        finally:
            await transport.aclose()


@dataclass
class Observed:
    """A watch of a site, and what a test may say of it."""

    site: Site
    watch: ClusterWatch

    @property
    def is_right(self) -> bool:
        return bool(dict(self.watch.snapshot().nodes) == self.site.truth())

    async def converges(self) -> None:
        """It comes to be live, and equal to a fresh list."""
        await until(lambda: self.watch.freshness().is_live and self.is_right)
        await until(lambda: self.watch.freshness().last_error is None)

    async def goes_stale(self, seconds: float = 600.0) -> None:
        """Time passes in which nothing is proved, and the age says so."""
        before = self.watch.freshness().age or 0.0
        self.site.clock.now += seconds
        freshness = self.watch.freshness()
        assert freshness.state in ("stale", "denied")
        assert freshness.age == before + seconds

    async def fails(self, times: int = 6) -> None:
        """So many more attempts fail."""
        count = len(self.site.delays) + times
        await until(lambda: len(self.site.delays) >= count)

    @asynccontextmanager
    async def bounded(self, times: int = 6) -> AsyncIterator[None]:
        """Attempts fail for a while, and not more is asked than the back-off lets pass.

        An attempt is two requests at most, a stream and a page, and each of the two resources may
        have one under way; every attempt that fails is followed by a delay that was really waited.
        """
        requests, delays = len(self.site.faults.requests), len(self.site.delays)
        yield
        await self.fails(times)
        asked = len(self.site.faults.requests) - requests
        assert asked <= 2 * (len(self.site.delays) - delays + 2)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    store, faults = Store(history_limit=20), FaultPlan()
    access = AccessRules()
    allocatable = {GPU: "4", "cpu": "8", "memory": "32Gi", "pods": "110"}
    for name in ("n1", "n2", "n3"):
        status = {"allocatable": allocatable, "capacity": allocatable}
        store.create(NODES, None, {"metadata": {"name": name}, "status": status})
    app = make_app(store, faults=faults, access=access, times=WatchTimes(bookmarks=0.2))
    async with serve(app) as url:
        site = Site(store, faults, access, url)
        monkeypatch.setattr(Backoff, "next", _recording(site.delays))
        for number in range(6):
            site.add_pod(f"p{number}", f"n{number % 3 + 1}")
        yield site


def _recording(delays: list[float]) -> Callable[[Backoff], float]:
    original = Backoff.next

    def recorded(self: Backoff) -> float:
        delay = original(self)
        delays.append(delay)
        return delay

    return recorded
