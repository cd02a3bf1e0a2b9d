"""A store, and an API server over it with a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.apiserver.watching import WatchTimes
from gpuspawner.simcluster.storage.store import Store

PodMaker: TypeAlias = Callable[..., Object]


@pytest.fixture
def store() -> Store:
    return Store(history_limit=200)


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def access() -> AccessRules:
    return AccessRules()


@pytest.fixture
def make_pod(store: Store) -> PodMaker:
    """Create a pod in the namespace default; keywords go into its spec."""

    def make(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Object:
        containers = [{"name": "notebook", "image": "jupyter"}]
        pod = {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": containers} | spec,
        }
        return store.create(PODS, "default", pod)

    return make


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait until a condition holds, with a bound that only a broken server reaches."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - any part of the server may make it true
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
async def url(store: Store, faults: FaultPlan, access: AccessRules) -> AsyncIterator[str]:
    logs = {("default", "talker"): b"one\ntwo\nthree\n"}
    app = make_app(
        store,
        faults=faults,
        access=access,
        logs=lambda namespace, name: logs.get((namespace, name)),
        times=WatchTimes(bookmarks=0.05),
    )
    async with serve(app) as address:
        yield address


@pytest.fixture
async def api(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client whose requests end in an error rather than hang."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        yield session
