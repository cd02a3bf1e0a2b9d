"""Whoever watches a cluster, and for whichever namespace, counts all that was promised there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest
from kubernetes_asyncio.client import Configuration
from tests.builders import GPU, a_catalog, a_node, a_pod, a_profile, a_request, a_situation, altered
from tests.capacity.scripted_api import until

from gpuspawner.capacity.assumed import Assumed, as_assumed
from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.ledger import Ledger
from gpuspawner.capacity.model import Pod
from gpuspawner.capacity.shared import SharedCluster, shared_cluster, stop_shared_clusters
from gpuspawner.judging import Judge
from gpuspawner.offers import Offer, Standing, drafts_in
from gpuspawner.pod import HUB_LABELS
from gpuspawner.simcluster.apimachinery.resources import NAMESPACES, NODES
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.storage.store import Store

CLAIM = as_assumed(replace(a_request(gpus=1), name="server"), "n1")
BEFORE = altered(a_pod("server", gpus=1), uid="uid-0", terminating=True)
BOUND = altered(CLAIM.pod, uid="uid-1")


def an_index(*pods: Pod) -> ClusterIndex:
    index = ClusterIndex()
    index.replace_nodes([a_node("n1", gpus=4)])
    index.replace_pods(pods)
    return index


def a_ledger(*indexes: ClusterIndex) -> tuple[Ledger, list[int]]:
    """One that these have joined, and the numbers of those that were told something."""
    ledger, told = Ledger(), list[int]()
    for number, index in enumerate(indexes):
        ledger.join(index, partial(told.append, number))
    return ledger, told


def taken(index: ClusterIndex) -> int:
    return index.snapshot().nodes["n1"].requested.get(GPU, 0)


def test_what_is_promised_counts_in_each_and_each_is_told() -> None:
    one, other = an_index(), an_index()
    ledger, told = a_ledger(one, other)
    ledger.assume(CLAIM)
    assert (taken(one), taken(other), told) == (1, 1, [0, 1])
    ledger.forget("jhub", "server")
    assert (taken(one), taken(other), told) == (0, 0, [0, 1, 0, 1])


def test_each_lets_go_only_what_it_has_heard_the_end_of() -> None:
    """What one has heard of, the other would otherwise count in neither way for a while."""
    one, other = an_index(), an_index()
    ledger, _ = a_ledger(one, other)
    ledger.assume(CLAIM)
    one.put_pod(BOUND)
    assert [bool(index.snapshot().assumed) for index in (one, other)] == [False, True]
    ledger.assume_again(CLAIM)
    assert (taken(one), taken(other)) == (1, 1)
    other.put_pod(BOUND)
    assert (taken(other), other.snapshot().assumed) == (1, ())


def test_who_joins_later_counts_what_was_promised_before() -> None:
    one, other = an_index(BEFORE), ClusterIndex()
    ledger, _ = a_ledger(one)
    ledger.assume(CLAIM)
    ledger.join(other, lambda: None)
    # Its first list has the pod of the same name that is about to go, and then the new one.
    other.replace_nodes([a_node("n1", gpus=4)])
    other.replace_pods([BEFORE])
    assert (taken(other), len(other.snapshot().assumed)) == (2, 1)
    other.drop_pod("jhub", "server", "uid-0")
    assert (taken(other), len(other.snapshot().assumed)) == (1, 1)
    other.put_pod(BOUND)
    assert (taken(other), len(other.snapshot().assumed)) == (1, 0)


def test_who_joins_later_goes_on_by_itself() -> None:
    one, other = an_index(), an_index()
    ledger, _ = a_ledger(one)
    ledger.assume(CLAIM)
    ledger.join(other, lambda: None)
    one.put_pod(altered(CLAIM.pod, uid="uid-1", node=None))
    one.drop_pod("jhub", "server", "uid-1")
    assert (len(one.snapshot().assumed), len(other.snapshot().assumed)) == (0, 1)


def test_who_has_left_is_told_nothing() -> None:
    one, other = an_index(), an_index()
    ledger, told = a_ledger(one, other)
    ledger.leave(other)
    ledger.assume(CLAIM)
    assert (taken(one), taken(other), told) == (1, 0, [0])


SITES = ("one", "two")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A cluster with one GPU and two namespaces."""
    store = Store()
    allocatable = {GPU: "1", "cpu": "8", "memory": "32Gi", "pods": "110"}
    status = {"allocatable": allocatable, "capacity": allocatable}
    store.create(NODES, None, {"metadata": {"name": "n1"}, "status": status})
    for name in SITES:
        store.create(NAMESPACES, None, {"metadata": {"name": name}})
    async with serve(make_app(store)) as url:
        yield url
        await stop_shared_clusters()


def watched(url: str, namespace: str) -> SharedCluster:
    return shared_cluster(Configuration(host=url), namespace, logging.getLogger("test"))


async def a_start(cluster: SharedCluster, namespace: str) -> tuple[Offer, Assumed | None]:
    judge = Judge(cluster, namespace, logging.getLogger("test"))
    base = {HUB_LABELS: {}, "namespace": namespace, "image": "image"}
    situation = a_situation(a_catalog(a_profile(cpu=1, memory="1Gi")), base=base)
    [draft] = (draft for draft in drafts_in(situation) if draft.profile.slug == "gpu")
    return await judge.claim(draft, situation, "jupyter-ada", 0)


async def test_of_two_who_start_in_two_namespaces_at_once_one_has_the_only_gpu(url: str) -> None:
    clusters = [watched(url, namespace) for namespace in SITES]
    assert clusters[0] is not clusters[1]
    assert await asyncio.gather(*(cluster.wait_synced(20) for cluster in clusters)) == [True, True]
    starts = [a_start(*start) for start in zip(clusters, SITES, strict=True)]
    offers, claims = zip(*await asyncio.gather(*starts), strict=True)
    assert sorted(offer.standing.value for offer in offers) == ["busy", "free"]
    assert [len(cluster.snapshot().assumed) for cluster in clusters] == [1, 1]
    # The same names in two namespaces are two pods.
    [claim] = filter(None, claims)
    [namespace] = set(SITES) - {claim.pod.namespace}
    late = clusters[SITES.index(namespace)]
    late.forget(claim.pod.namespace, claim.pod.name)
    assert (await a_start(late, namespace))[0].standing is Standing.FREE


async def test_what_is_watched_later_knows_of_what_was_promised_before(url: str) -> None:
    first = watched(url, "one")
    await first.wait_synced(20)
    assert (await a_start(first, "one"))[0].standing is Standing.FREE
    second = watched(url, "two")
    await second.wait_synced(20)
    assert (await a_start(second, "two"))[0].standing is Standing.BUSY
    assert watched("http://127.0.0.1:9", "one").ledger is not first.ledger
    await second.stop()
    first.forget("one", "jupyter-ada")
    await until(lambda: not first.snapshot().assumed)
    assert second.snapshot().assumed
