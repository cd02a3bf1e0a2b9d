"""Room is promised once, whatever comes in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuspawner.capacity.admission import Admission, Admitted
from gpuspawner.capacity.assumed import Assumed, as_assumed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Pod, PodRequest
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.fit import (
    StandingVerdicts,
    Verdict,
    fits_somewhere,
    fits_wherever,
    judge,
    open_nodes,
)
from gpuspawner.judging import Judge
from gpuspawner.line import Line
from gpuspawner.offers import Offer, Standing, drafts_in
from gpuspawner.pod import HUB_LABELS, PodPlan
from gpuspawner.wording import availability

from .builders import (
    GPU,
    LIVE,
    a_catalog,
    a_node,
    a_pod,
    a_profile,
    a_request,
    a_situation,
    altered,
)


class Cluster:
    """What a judge needs of a `SharedCluster`; `between` runs wherever a start pauses."""

    def __init__(self, *things: Node | Pod) -> None:
        self.index = ClusterIndex()
        self.index.objects.table("quotas").replace(())
        self.index.replace_nodes(thing for thing in things if isinstance(thing, Node))
        self.index.replace_pods(thing for thing in things if isinstance(thing, Pod))
        self.freshness_now = LIVE
        self.was_synced = True
        self.line = Line()
        self.abandoned: set[tuple[str, str]] = set()
        self.between: Callable[[], object] = lambda: None
        self.waits = 0
        self._news = asyncio.Event()
        self._standing = StandingVerdicts()

    async def admit(self, planned: PodPlan, _: str) -> Admission:
        await self._pause()
        return Admitted(planned.request)

    def known_admission(self, *_: object) -> None:
        """Nothing is."""

    async def settle(self, *_: object) -> None:
        await self._pause()

    async def news(self, within: float) -> None:
        self.waits += 1
        async with asyncio.timeout(within):
            await self._news.wait()

    def tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def snapshot(self) -> Snapshot:
        return self.index.snapshot()

    def freshness(self) -> Freshness:
        return self.freshness_now

    def hidden(self) -> dict[str, str]:
        return {}

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        return self._standing.verdict(request, snapshot)

    def assume(self, assumed: Assumed) -> None:
        self.index.assume(assumed)
        self.tell()

    def assume_again(self, assumed: Assumed) -> None:
        self.index.assume_again(assumed)

    def abandon(self, namespace: str, name: str) -> None:
        self.abandoned.add((namespace, name))

    def forget(self, namespace: str, name: str) -> None:
        self.index.forget_assumed(namespace, name)
        self.tell()

    def bind(self, name: str, node: str) -> None:
        [pod] = [one.pod for one in self.snapshot().assumed if one.pod.name == name]
        self.index.put_pod(altered(pod, uid=f"uid-of-{name}", node=node))
        self.tell()

    async def _pause(self) -> None:
        await asyncio.sleep(0)
        self.between()


def a_judge(cluster: Cluster) -> Judge:
    return Judge(cast(SharedCluster, cluster), "jhub", logging.getLogger("test"))


async def a_start(
    cluster: Cluster,
    pod_name: str,
    patience: float = 0.0,
    count: int = 1,
    node_pools: dict[str, Any] | None = None,
) -> Offer:
    catalog = a_catalog(
        a_profile("gpu", count=count, cpu=1, memory="1Gi"), node_pools=node_pools or {}
    )
    situation = a_situation(catalog, base={HUB_LABELS: {}, "namespace": "jhub"})
    [draft] = (draft for draft in drafts_in(situation) if draft.profile.slug == "gpu")
    offer, claim = await a_judge(cluster).claim(draft, situation, pod_name, patience)
    assert (claim is not None) == (offer.can_start and not offer.contenders)
    return offer


def names(cluster: Cluster) -> list[str]:
    return [one.pod.name for one in cluster.snapshot().assumed]


async def test_of_five_who_ask_at_once_for_one_gpu_one_has_it() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    offers = await asyncio.gather(*(a_start(cluster, f"server-{n}", 60) for n in range(5)))
    assert sorted(offer.standing.value for offer in offers) == ["busy"] * 4 + ["free"]
    assert len(names(cluster)) == 1
    # Nobody waited: it was certain at once that there is nothing else.
    assert cluster.waits == 0
    refused = next(offer for offer in offers if offer.standing is Standing.BUSY)
    assert availability(refused) == "busy: none of 1 free"


async def test_room_that_goes_while_a_start_is_judged_is_not_promised() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    cluster.between = lambda: cluster.index.put_pod(a_pod("other", node="n1", gpus=1))
    assert (await a_start(cluster, "server")).standing is Standing.BUSY
    assert names(cluster) == []


async def test_what_another_has_let_go_is_promised_again() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    assert (await a_start(cluster, "first")).standing is Standing.FREE
    [claim] = cluster.snapshot().assumed
    a_judge(cluster).release(claim, may_be_there=False)
    assert (await a_start(cluster, "second")).standing is Standing.FREE
    assert names(cluster) == ["second"]


async def a_contest(patience: float) -> tuple[Cluster, asyncio.Task[Offer]]:
    """A single on its way to one of two nodes, and somebody who needs the larger one whole."""
    cluster = Cluster(a_node("small", gpus=1), a_node("large", gpus=2))
    assert (await a_start(cluster, "single")).standing is Standing.FREE
    dual = asyncio.create_task(a_start(cluster, "dual", patience, count=2))
    while not dual.done() and not cluster.waits:  # noqa: ASYNC110 - it waits for what it is told
        await asyncio.sleep(0)
    return cluster, dual


@pytest.mark.parametrize(
    ("node", "standing", "assumed"),
    [
        pytest.param("small", Standing.FREE, ["dual"], id="the single leaves the place"),
        pytest.param("large", Standing.BUSY, [], id="the single takes the place"),
    ],
)
async def test_what_depends_on_another_start_is_waited_for(
    node: str, standing: Standing, assumed: list[str]
) -> None:
    cluster, dual = await a_contest(60)
    cluster.bind("single", node)
    offer = await dual
    assert (offer.standing, offer.contenders) == (standing, 0)
    assert names(cluster) == assumed


async def test_it_is_not_waited_for_without_end() -> None:
    cluster, dual = await a_contest(0)
    offer = await dual
    assert (offer.standing, offer.contenders) == (Standing.UNKNOWN, 1)
    assert availability(offer) == (
        "unknown: it depends on where 1 server goes that is just being started"
    )
    assert names(cluster) == ["single"]


async def test_a_form_does_not_call_free_what_depends_on_another_start() -> None:
    cluster, dual = await a_contest(0)
    await dual
    catalog = a_catalog(a_profile("dual", count=2), a_profile("single"))
    situation = a_situation(catalog, base={HUB_LABELS: {}})
    situation = replace(situation, view=replace(situation.view, snapshot=cluster.snapshot()))
    offers = await a_judge(cluster).offers(drafts_in(situation), situation)
    found = {offer.profile.slug: (offer.standing, offer.can_start) for offer in offers}
    assert found["dual"] == (Standing.UNKNOWN, True)
    assert found["single"] == (Standing.FREE, True)


async def test_a_promise_is_not_broken_by_a_later_one() -> None:
    """The single would fit in any case, but on the larger node the dual would not any more."""
    cluster = Cluster(a_node("small", gpus=1), a_node("large", gpus=2))
    assert (await a_start(cluster, "dual", count=2)).standing is Standing.FREE
    single = await a_start(cluster, "single")
    assert (single.standing, single.contenders) == (Standing.UNKNOWN, 1)
    cluster.bind("dual", "large")
    assert (await a_start(cluster, "single")).standing is Standing.FREE


async def test_a_start_makes_way_for_itself() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    for _ in range(2):
        assert (await a_start(cluster, "server")).standing is Standing.FREE
    assert names(cluster) == ["server"]


async def test_a_pod_that_may_be_there_keeps_its_room() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    await a_start(cluster, "server")
    [claim] = cluster.snapshot().assumed
    a_judge(cluster).release(claim, may_be_there=True)
    assert names(cluster) == ["server"]
    assert cluster.abandoned == {("jhub", "server")}


async def test_a_pod_that_is_created_again_is_counted_again() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    await a_start(cluster, "server")
    [claim] = cluster.snapshot().assumed
    unbound = altered(claim.pod, node=None, uid="uid-0")
    cluster.index.put_pod(unbound)
    a_judge(cluster).created(claim)
    assert names(cluster) == ["server"]
    # KubeSpawner had no answer to its create, and met its own pod when it tried again.
    cluster.index.drop_pod("jhub", "server", "uid-0")
    assert names(cluster) == []
    a_judge(cluster).created(claim)
    assert names(cluster) == ["server"]
    cluster.index.put_pod(altered(claim.pod, uid="uid-1"))
    assert names(cluster) == []
    a_judge(cluster).created(claim)
    assert names(cluster) == []


async def test_before_those_on_their_way_are_counted_nothing_is_called_free() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    cluster.was_synced = False
    assert (await a_start(cluster, "server")).standing is Standing.UNKNOWN


async def test_where_the_cluster_is_not_known_a_start_is_tried_and_counted_nowhere() -> None:
    cluster = Cluster(a_node("n1", gpus=1))
    cluster.freshness_now = Freshness("stale", age=600.0)
    assert (await a_start(cluster, "server")).standing is Standing.UNKNOWN
    [assumed] = cluster.snapshot().assumed
    assert assumed.pod.node == ""


def a_pool(gpus: int, most: int) -> dict[str, Any]:
    allocatable = {GPU: gpus, "cpu": 16, "memory": "64Gi"}
    return {
        "v100": {"title": "V100", "labels": {"p": "v"}, "allocatable": allocatable}
        | {"most_nodes": most}
    }


async def test_of_five_who_ask_at_once_for_the_only_node_of_a_pool_one_has_it() -> None:
    cluster, pools = Cluster(), a_pool(1, most=1)
    offers = await asyncio.gather(
        *(a_start(cluster, f"server-{n}", 60, node_pools=pools) for n in range(5))
    )
    standings = sorted(offer.standing.value for offer in offers)
    assert standings == ["busy"] * 4 + ["can-start-node"]
    assert cluster.waits == 0
    refused = next(offer for offer in offers if offer.standing is Standing.BUSY)
    assert availability(refused) == (
        "busy: the cluster has no nodes; V100 cannot grow: "
        "the nodes it may still get are for servers that are being started"
    )


async def test_a_node_that_has_come_for_one_is_not_called_free_to_others() -> None:
    cluster, pools = Cluster(), a_pool(2, most=1)
    first = await a_start(cluster, "first", count=2, node_pools=pools)
    assert first.standing is Standing.CAN_START_NODE
    node = replace(a_node("v1", gpus=2), labels={"p": "v"})
    cluster.index.put_node(node)
    second = await a_start(cluster, "second", node_pools=pools)
    assert (second.standing, second.contenders) == (Standing.UNKNOWN, 1)
    cluster.bind("first", "v1")
    second = await a_start(cluster, "second", node_pools=pools)
    assert second.standing is Standing.BUSY


async def test_a_node_that_may_be_needed_whole_is_waited_for() -> None:
    cluster, pools = Cluster(), a_pool(2, most=2)
    counts = (2, 1, 1)
    offers = [
        await a_start(cluster, f"server-{n}", count=count, node_pools=pools)
        for n, count in enumerate(counts)
    ]
    assert [offer.contenders for offer in offers] == [0, 0, 2]
    assert offers[-1].standing is Standing.UNKNOWN


async def test_whoever_waits_for_a_node_leaves_room_that_it_cannot_use() -> None:
    cluster, pools = Cluster(a_node("n1", gpus=1)), a_pool(2, most=1)
    dual = await a_start(cluster, "dual", count=2, node_pools=pools)
    single = await a_start(cluster, "single", node_pools=pools)
    assert (dual.standing, single.standing) == (Standing.CAN_START_NODE, Standing.FREE)


@pytest.mark.parametrize(
    ("waiting", "standing"),
    [
        pytest.param({"gpus": 2}, Standing.EVICTS, id="one who would get no place by eviction"),
        pytest.param({"gpus": 1}, Standing.UNKNOWN, id="one who would evict the same pod"),
        pytest.param({"gpus": 2, "gates": ("queue",)}, Standing.UNKNOWN, id="one who is held back"),
        pytest.param({"gpus": 2, "priority": 1000}, Standing.UNKNOWN, id="one of higher priority"),
    ],
)
async def test_room_that_others_make_is_for_whom_they_make_it(
    waiting: dict[str, Any], standing: Standing
) -> None:
    victim = altered(a_pod("idle", node="n1", gpus=1), priority=-10)
    cluster = Cluster(a_node("n1", gpus=1), a_node("n2", gpus=0), victim)
    fields = {**waiting}
    request = replace(a_request(gpus=fields.pop("gpus")), name="waiting", **fields)
    cluster.assume(as_assumed(request, ""))
    assert (await a_start(cluster, "server")).standing is standing


MIG = "nvidia.com/mig-1g.5gb"
KINDS: tuple[dict[str, Any], ...] = (
    {"gpus": 1, "cpu": 2},
    {"gpus": 2, "cpu": 4},
    {"requests": {MIG: 1}, "cpu": 1},
    {"cpu": 4},
)
NODES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(4, 16)), min_size=1, max_size=5
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(0, len(KINDS) - 1)),
        st.tuples(st.sampled_from(["bind", "fail", "end"]), st.integers(0, 99)),
    ),
    max_size=40,
)


def places(request: PodRequest, index: ClusterIndex) -> list[str]:
    """Where the scheduler may put a pod: it knows what is bound, and no promises."""
    bound = ClusterIndex()
    snapshot = index.snapshot()
    promised = {one.pod.name for one in snapshot.assumed}
    bound.replace_nodes(state.node for state in snapshot.nodes.values())
    bound.replace_pods(
        pod for state in snapshot.nodes.values() for pod in state.pods if pod.name not in promised
    )
    bound.objects.table("quotas").replace(())
    return sorted(judge(request, bound.snapshot()).nodes)


def bind(index: ClusterIndex, number: int, random: Any) -> None:
    waiting = index.snapshot().assumed
    if waiting:
        one = waiting[number % len(waiting)]
        found = places(one.request, index)
        assert found, f"{one.pod.name} was promised what is not there"
        index.put_pod(altered(one.pod, uid=f"uid-{one.pod.name}", node=random.choice(found)))


@settings(max_examples=200)
@given(NODES, ACTIONS, st.randoms(use_true_random=False))
def test_every_promise_can_be_kept_wherever_the_scheduler_puts_the_pods(
    offered: list[tuple[int, int, int]], actions: list[tuple[str, int]], random: Any
) -> None:
    index = ClusterIndex()
    index.objects.table("quotas").replace(())
    index.replace_nodes(
        a_node(f"n{n}", gpus=gpus, cpu=cpu, allocatable={MIG: slices})
        for n, (gpus, slices, cpu) in enumerate(offered)
    )
    standing = StandingVerdicts()
    for step, (action, number) in enumerate(actions):
        snapshot = index.snapshot()
        if action == "start":
            request = replace(a_request(**KINDS[number]), name=f"server-{step}")
            verdict = standing.verdict(request, snapshot)
            if verdict.fits and fits_wherever(request, snapshot, verdict, standing.verdict):
                nodes = open_nodes(request, snapshot, verdict)
                index.assume(as_assumed(request, max(verdict.nodes), nodes))
            elif not verdict.fits and not fits_somewhere(request, snapshot, standing.verdict):
                assert snapshot.assumed or not places(request, index)
        elif action == "bind":
            bind(index, number, random)
        elif action == "fail" and snapshot.assumed:
            one = snapshot.assumed[number % len(snapshot.assumed)]
            index.forget_assumed(one.pod.namespace, one.pod.name)
        elif action == "end":
            promised = {one.pod.name for one in snapshot.assumed}
            running = [
                pod
                for state in snapshot.nodes.values()
                for pod in state.pods
                if pod.name not in promised
            ]
            if running:
                pod = running[number % len(running)]
                index.drop_pod(pod.namespace, pod.name, pod.uid)
    while index.snapshot().assumed:
        bind(index, random.randrange(99), random)


async def test_two_hundred_for_a_hundred_gpus_on_ten_nodes() -> None:
    cluster = Cluster(*(a_node(f"n{n}", gpus=10) for n in range(10)))
    counts = [1 if n % 3 else 2 for n in range(200)]
    bound = 0

    def schedule() -> None:
        """The scheduler is slower than the starts, and packs as it likes."""
        nonlocal bound
        waiting = cluster.snapshot().assumed
        if len(waiting) > 7:
            one = waiting[0]
            cluster.bind(one.pod.name, min(places(one.request, cluster.index)))
            bound += 1

    cluster.between = schedule
    offers = await asyncio.gather(
        *(a_start(cluster, f"server-{n}", 0, count) for n, count in enumerate(counts))
    )
    cluster.between = lambda: None
    while waiting := cluster.snapshot().assumed:
        cluster.bind(waiting[-1].pod.name, max(places(waiting[-1].request, cluster.index)))
    taken = sum(state.requested.get(GPU, 0) for state in cluster.snapshot().nodes.values())
    admitted = sum(
        offer.profile.count for offer in offers if offer.can_start and not offer.contenders
    )
    assert bound
    assert taken == admitted <= 100
    # Nobody waits here for others to find their node, so a few are refused too early.
    assert taken >= 90
