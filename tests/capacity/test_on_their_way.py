"""After a hub was started anew, the pods that it had made before still count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kubernetes_asyncio.client import Configuration
from tests.builders import GPU, a_request
from tests.capacity.scripted_api import until

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.simcluster.apimachinery.resources import NODES, PODS
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import Drop, FaultPlan, Refuse
from gpuspawner.simcluster.storage.store import Store

USERNAME = {"hub.jupyter.org/username": "ada"}


@dataclass
class Site:
    store: Store
    faults: FaultPlan
    url: str

    def add_pod(self, name: str, **spec: Any) -> None:
        labels = spec.pop("labels", USERNAME)
        resources = {"limits": {GPU: "1"}}
        spec["containers"] = [{"name": "c", "image": "i", "resources": resources}]
        self.store.create(
            PODS, "default", {"metadata": {"name": name, "labels": labels}, "spec": spec}
        )

    def hub(self) -> SharedCluster:
        return SharedCluster(Configuration(host=self.url), "default")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    store, faults = Store(), FaultPlan()
    allocatable = {GPU: "2", "cpu": "8", "memory": "32Gi", "pods": "110"}
    status = {"allocatable": allocatable, "capacity": allocatable}
    store.create(NODES, None, {"metadata": {"name": "n1"}, "status": status})
    async with serve(make_app(store, faults=faults)) as url:
        yield Site(store, faults, url)


def free(cluster: SharedCluster) -> int | None:
    return cluster.verdict(a_request(gpus=1), cluster.snapshot()).slots


async def test_what_waits_for_a_node_is_counted_from_the_first_look_on(site: Site) -> None:
    site.add_pod("running", nodeName="n1")
    site.add_pod("waiting")
    cluster = site.hub()
    try:
        assert await cluster.wait_synced(20)
        assert [one.pod.name for one in cluster.snapshot().assumed] == ["waiting"]
        assert free(cluster) == 0
        site.store.bind("default", "waiting", "n1")
        await until(lambda: not cluster.snapshot().assumed)
        assert free(cluster) == 0
    finally:
        await cluster.stop()


async def test_what_is_deleted_before_it_has_a_node_is_let_go(site: Site) -> None:
    site.add_pod("waiting")
    cluster = site.hub()
    try:
        assert await cluster.wait_synced(20)
        assert free(cluster) == 1
        site.store.delete(PODS, "default", "waiting", grace_seconds=0)
        await until(lambda: free(cluster) == 2)
    finally:
        await cluster.stop()


async def test_others_pods_and_those_with_a_gate_are_not_counted(site: Site) -> None:
    site.add_pod("of-nobody", labels={})
    site.add_pod("queued", schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])
    cluster = site.hub()
    try:
        assert await cluster.wait_synced(20)
        assert cluster.snapshot().assumed == ()
    finally:
        await cluster.stop()


async def test_while_they_cannot_be_listed_there_was_no_first_look(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add_pod("waiting")
    cluster = site.hub()
    try:
        assert await cluster.watch.wait_synced(20)
        away = site.faults.add(Drop(), verb="list", path="/api/v1/namespaces/*", times=None)
        await cluster.wait_synced(20)
        assert not cluster.was_synced
        assert "pods on their way cannot be listed" in caplog.text
        site.faults.remove(away)
        await cluster.wait_synced(20)
        assert cluster.was_synced
        assert len(cluster.snapshot().assumed) == 1
    finally:
        await cluster.stop()


async def test_of_those_whose_end_nobody_tells_only_what_is_there_is_kept(site: Site) -> None:
    site.add_pod("waiting")
    cluster = site.hub()
    try:
        assert await cluster.wait_synced(20)
        for name in ("never-made", "being-started"):
            request = replace(a_request(gpus=1, namespace="default"), name=name)
            cluster.assume(as_assumed(request, "n1"))
        cluster.abandon("default", "never-made")
        away = site.faults.add(Drop(), verb="list", path="/api/v1/namespaces/*", times=None)
        await cluster._let_orphans_go()
        assert len(cluster.snapshot().assumed) == 3
        site.faults.remove(away)
        await cluster._let_orphans_go()
        names = {one.pod.name for one in cluster.snapshot().assumed}
        assert names == {"waiting", "being-started"}
    finally:
        await cluster.stop()


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        pytest.param(403, True, id="the right to list is missing"),
        pytest.param(500, False, id="the API server fails"),
        pytest.param(429, False, id="it has too much to do"),
    ],
)
async def test_a_refused_list_is_no_first_look_unless_it_always_will_be(
    site: Site, status: int, *, counts: bool
) -> None:
    cluster = site.hub()
    try:
        assert await cluster.watch.wait_synced(20)
        refuse = Refuse(status)
        site.faults.add(refuse, verb="list", path="/api/v1/namespaces/default/pods", times=None)
        await cluster.wait_synced(20)
        assert cluster.was_synced is counts
    finally:
        await cluster.stop()
