"""First come, first served, nobody starves, and no room is promised twice: in any history."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import Pod
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.catalog import Catalog
from gpuspawner.in_line import PlaceInLine
from gpuspawner.line import Waiter, proven_by
from gpuspawner.offers import Offer, Situation, Standing, drafts_in, offers_in
from gpuspawner.pod import HUB_LABELS

from .builders import GPU, a_catalog, a_node, a_pod, a_profile, a_situation, altered
from .test_claims import Cluster, a_judge, places

HOUR = 3600
KINDS = {"single": 1, "dual": 2, "four": 4}
CATALOG: Catalog = a_catalog(
    *(
        a_profile(slug, count=count, when_full="wait", session_limit="1h", cpu=1, memory="1Gi")
        for slug, count in KINDS.items()
    )
)


def situation() -> Situation:
    return a_situation(CATALOG, base={HUB_LABELS: {}, "namespace": "jhub"})


@dataclass
class Server:
    """A server that waits."""

    name: str
    slug: str
    since: float
    place: PlaceInLine
    offer: Offer | None = None
    proven: float | None = None


class Hub:
    """Servers that come, wait, start and end; a scheduler that does as it likes; a clock."""

    def __init__(self, nodes: list[int], random: Any) -> None:
        self.cluster = Cluster(*(a_node(f"n{n}", gpus=gpus) for n, gpus in enumerate(nodes)))
        self.random = random
        self.now = 1000.0
        self.number = 0
        self.waiting: list[Server] = []
        self.ends: dict[str, float] = {}
        self.proofs = self.waited = 0
        self.owed: set[str] = set()

    async def arrive(self, slug: str) -> None:
        self.number += 1
        name = f"server-{self.number}"
        # Those who came at the same moment are in order, too.
        self.now += 0.001
        place = PlaceInLine(cast(SharedCluster, self.cluster), "jhub", name)
        server = Server(name, slug, self.now, place)
        if await self.try_to_start(server):
            return
        assert server.offer is not None
        assert server.offer.plan is not None
        assert server.offer.can_wait
        place.take(self.now, server.offer, most=1000)
        self.waiting.append(server)
        self.waited += 1
        await self.look(server)

    async def try_to_start(self, server: Server) -> bool:
        claim: Assumed | None
        [draft] = (draft for draft in drafts_in(situation()) if draft.profile.slug == server.slug)
        server.offer, claim = await a_judge(self.cluster).claim(draft, situation(), server.name, 0)
        if claim is None:
            return False
        # Who goes first although another came before must leave that one its room.
        self.owed |= {
            other.name
            for other in self.waiting
            if other.since < server.since and other.slug == server.slug
        }
        server.place.leave()
        if server in self.waiting:
            self.waiting.remove(server)
        return True

    async def look(self, server: Server) -> None:
        assert server.offer is not None
        await server.place.look(server.offer)
        own = next(one for one in self.cluster.line.all() if one.key[1] == server.name)
        ahead = self.cluster.line.ahead_of(own.key)
        assert server.offer.verdict is not None
        by = proven_by(own, ahead, self.cluster.snapshot(), server.offer.verdict, self.now)
        if by is not None:
            self.proofs += 1
            server.proven = by if server.proven is None else min(by, server.proven)

    async def take_turns(self) -> None:
        """All look again, in any order, until nothing changes any more."""
        moved = True
        while moved:
            moved = False
            self.schedule()
            for server in self.random.sample(self.waiting, len(self.waiting)):
                if await self.try_to_start(server):
                    moved = True
                    self.schedule()
            for server in list(self.waiting):
                await self.look(server)
        for server in self.waiting:
            assert server.name not in self.owed, "overtaken by one alike"
            assert server.proven is None or self.now <= server.proven, "not when it was proven"

    def schedule(self) -> None:
        """Bind those that wait for the scheduler, each where it may go."""
        for one in self.random.sample(
            waiting := list(self.cluster.snapshot().assumed), len(waiting)
        ):
            found = places(one.request, self.cluster.index)
            assert found, f"{one.pod.name} was promised what is not there"
            name = one.pod.name
            self.ends[name] = self.now + HOUR + 30
            node = self.random.choice(found)
            pod = altered(one.pod, uid=f"uid-of-{name}", node=node, ends_by=self.ends[name])
            self.cluster.index.put_pod(pod)

    def running(self) -> list[Pod]:
        return [pod for state in self.cluster.snapshot().nodes.values() for pod in state.pods]

    def end(self, pod: Pod) -> None:
        self.cluster.index.drop_pod(pod.namespace, pod.name, pod.uid)

    async def pass_time(self, seconds: float) -> None:
        """Time passes, and sessions end at their limits."""
        until = self.now + seconds
        while due := [pod for pod in self.running() if (pod.ends_by or until + 1) <= until]:
            first = min(due, key=lambda pod: pod.ends_by or 0)
            self.now = max(self.now, first.ends_by or 0)
            self.end(first)
            await self.take_turns()
        self.now = until


ARRIVE = st.tuples(st.just("arrive"), st.sampled_from(["single", "single", "dual", "four"]))
ACTIONS = st.lists(
    st.one_of(
        ARRIVE,
        ARRIVE,
        ARRIVE,
        st.tuples(st.just("end"), st.integers(0, 99)),
        st.tuples(st.just("leave"), st.integers(0, 99)),
        st.tuples(st.just("time"), st.integers(1, 2 * HOUR)),
    ),
    min_size=12,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 2, 4]), min_size=1, max_size=3), ACTIONS, st.randoms())
def test_the_line_is_fair_in_any_history(
    nodes: list[int], actions: list[tuple[str, Any]], random: Any
) -> None:
    asyncio.run(a_history(nodes, actions, random))


async def a_history(nodes: list[int], actions: list[tuple[str, Any]], random: Any) -> None:
    hub = Hub(nodes, random)
    for action, value in actions:
        match action:
            case "arrive" if KINDS[value] <= max(nodes):
                await hub.arrive(value)
            case "end" if running := hub.running():
                hub.end(running[value % len(running)])
            case "leave" if hub.waiting:
                server = hub.waiting.pop(value % len(hub.waiting))
                server.place.leave()
            case "time":
                await hub.pass_time(value)
        await hub.take_turns()
    first = hub.waiting[0] if hub.waiting else None
    # Whatever comes meanwhile, who is first has a place when all that run now have ended.
    for pod in hub.running():
        await hub.arrive("single")
        hub.end(pod)
        await hub.take_turns()
    assert first not in hub.waiting
    event(f"{'some' if hub.proofs else 'no'} ends were proven")
    event(f"{'some' if hub.waited else 'none'} waited")


async def test_a_dual_is_not_starved_by_singles() -> None:
    hub = Hub([2], Random(1))
    for _ in range(2):
        await hub.arrive("single")
    hub.schedule()
    await hub.arrive("dual")
    [dual] = hub.waiting
    for _ in range(20):
        await hub.arrive("single")
        if running := hub.running():
            hub.end(running[0])
        await hub.take_turns()
        if dual not in hub.waiting:
            break
    assert dual not in hub.waiting
    assert sum(pod.requests.get(GPU, 0) for pod in hub.running()) == 2


async def test_who_had_no_node_is_kept_the_one_that_somebody_before_lets_go() -> None:
    hub = Hub([2], Random(1))
    for slug in ("single", "single", "single", "dual"):
        await hub.arrive(slug)
    hub.schedule()
    assert [one.node for one in hub.cluster.line.all()] == ["n0", ""]
    hub.end(hub.running()[0])
    await hub.take_turns()
    [dual] = hub.waiting
    assert [one.node for one in hub.cluster.line.all()] == ["n0"]
    for pod in hub.running():
        hub.end(pod)
        await hub.arrive("single")
        await hub.take_turns()
    assert dual not in hub.waiting


async def test_who_does_not_want_to_wait_is_refused_what_is_kept() -> None:
    hub = Hub([2], Random(1))
    hub.cluster.index.put_pod(a_pod("other", node="n0", gpus=1))
    await hub.arrive("dual")
    judge = a_judge(hub.cluster)
    now = replace(situation(), view=await judge.view(0))
    offers = await judge.offers(drafts_in(now), now)
    by_slug = {offer.profile.slug: offer for offer in offers}
    assert by_slug["single"].standing is Standing.BUSY
    assert by_slug["single"].is_kept
    assert by_slug["single"].ahead == 1
    assert by_slug["cpu"].standing is Standing.FREE


async def test_a_place_that_becomes_free_goes_to_the_first() -> None:
    hub = Hub([1], Random(1))
    hub.cluster.index.put_pod(other := a_pod("other", node="n0", gpus=1))
    for _ in range(3):
        await hub.arrive("single")
    names = [server.name for server in hub.waiting]
    hub.end(other)
    await hub.take_turns()
    assert [server.name for server in hub.waiting] == names[1:]


async def test_who_waits_is_promised_nothing_while_the_cluster_is_not_known() -> None:
    hub = Hub([1], Random(1))
    hub.cluster.index.put_pod(a_pod("other", node="n0", gpus=1))
    await hub.arrive("single")
    [first] = hub.waiting
    hub.cluster.freshness_now = Freshness("stale", age=60.0)
    assert not await hub.try_to_start(first)
    assert first.offer is not None
    assert not first.offer.freshness.is_live
    # Nor is anybody else, who would go before.
    newcomer = Server(
        "newcomer",
        "single",
        hub.now + 1,
        PlaceInLine(cast(SharedCluster, hub.cluster), "jhub", "newcomer"),
    )
    assert not await hub.try_to_start(newcomer)


async def test_a_new_node_is_first_for_who_waits_for_one() -> None:
    allocatable = {"nvidia.com/gpu": 1, "cpu": 8, "memory": "32Gi"}
    big = {"title": "Big", "labels": {"pool": "big"}, "allocatable": allocatable, "most_nodes": 2}
    both = a_profile("gpu", when_full=["wait", "start-a-node"])
    catalog = a_catalog(both, node_pools={"big": big})
    things = a_node("n1", gpus=1, labels={"pool": "big"}), a_pod(gpus=1)
    now = a_situation(catalog, *things)
    _, alone = offers_in(now)
    assert alone.plan is not None
    request = alone.plan.request
    for starts_nodes, standing in ((False, Standing.CAN_START_NODE), (True, Standing.UNKNOWN)):
        first = Waiter(("jhub", "first"), 0.0, request, "n1", starts_nodes=starts_nodes)
        behind = replace(now, view=replace(now.view, ahead=(first,)))
        _, offer = offers_in(behind)
        assert offer.standing is standing
        assert offer.avoids == (frozenset() if standing is Standing.CAN_START_NODE else {"n1"})
