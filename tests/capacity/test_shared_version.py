"""When the API server's version is asked for: before any pod is read, since that depends on it."""

from __future__ import annotations

import pytest
from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity import shared
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan, Hang, Refuse
from gpuspawner.simcluster.storage.store import Store

VERSION = "/version"


@pytest.mark.parametrize("is_said", [True, False])
async def test_the_version_is_the_first_thing_asked_for(*, is_said: bool) -> None:
    faults = FaultPlan()
    if not is_said:
        faults.add(Refuse(403, "Forbidden"), path=VERSION, times=None)
    async with serve(make_app(Store(), faults=faults)) as url:
        cluster = SharedCluster(Configuration(host=url), "default")
        try:
            assert await cluster.wait_synced(10)
            assert (cluster.snapshot().objects.version is not None) is is_said
        finally:
            await cluster.stop()
    assert faults.requests[0].path == VERSION


async def test_a_version_that_is_never_said_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "_FIRST_PATIENCE", 0.05)
    faults = FaultPlan()
    faults.add(Hang(), path=VERSION, times=None)
    async with serve(make_app(Store(), faults=faults)) as url:
        cluster = SharedCluster(Configuration(host=url), "default")
        try:
            assert await cluster.wait_synced(5)
            assert cluster.snapshot().objects.version is None
        finally:
            await cluster.stop()
