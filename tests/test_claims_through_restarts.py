"""Room is promised once and no promise is lost, through restarts of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuspawner.capacity import shared
from gpuspawner.capacity.assumed import Assumed, as_assumed
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Pod, PodRequest
from gpuspawner.fit import StandingVerdicts, Verdict, fits_wherever, judge, likely_node, open_nodes

from .builders import a_node, a_request, altered
from .test_claims import KINDS, MIG, NODES

ONE_GPU, TWO_GPUS = 0, 1
_OFTEN = ("create",) * 3 + ("bind",) * 2 + ("fail", "end", "restart")
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(0, len(KINDS) - 1)),
        st.tuples(st.sampled_from(_OFTEN), st.integers(0, 99)),
    ),
    max_size=60,
)


class HubsView:
    """What a hub knows; the first look is `SharedCluster`'s own."""

    was_synced = False
    first_look = shared.SharedCluster._first_look

    def __init__(self, nodes: list[Node], bound: list[Pod], waiting: list[PodRequest]) -> None:
        self.index = ClusterIndex()
        self.index.objects.table("quotas").replace(())
        self.index.replace_nodes(nodes)
        self.index.replace_pods(bound)
        self._standing = StandingVerdicts()
        self._waiting = waiting

    async def _on_their_way(self) -> list[PodRequest]:
        return self._waiting

    async def settle(self, *_: object) -> None:
        """Nothing is left to be examined."""

    def snapshot(self) -> Snapshot:
        return self.index.snapshot()

    def verdict(self, request: PodRequest, snapshot: Snapshot) -> Verdict:
        return self._standing.verdict(request, snapshot)

    def assume(self, assumed: Assumed) -> None:
        self.index.assume(assumed)

    def abandon(self, *_: str) -> None:
        """Nobody is needed to tell of its end here."""

    def promised(self) -> dict[str, Assumed]:
        return {one.pod.name: one for one in self.snapshot().assumed}


@dataclass
class Cluster:
    """What there is, whoever knows of it.

    Attributes:
        waiting: pods that were created and are on no node.
        bound: pods that are on one.
    """

    nodes: list[Node]
    waiting: dict[str, PodRequest] = field(default_factory=dict)
    bound: dict[str, Pod] = field(default_factory=dict)

    def places(self, request: PodRequest) -> list[str]:
        """Where the scheduler may put a pod: it knows what is bound, and no promises."""
        index = ClusterIndex()
        index.replace_nodes(self.nodes)
        index.replace_pods(self.bound.values())
        index.objects.table("quotas").replace(())
        return sorted(judge(request, index.snapshot()).nodes)


class History:
    """A cluster, and hubs one after another."""

    def __init__(self, nodes: list[Node], random: Random) -> None:
        self.cluster = Cluster(nodes)
        self._random = random
        self._started = 0
        self.hub = HubsView(nodes, [], [])

    def start(self, number: int) -> None:
        """As `Judge.claim` decides it."""
        hub, snapshot = self.hub, self.hub.snapshot()
        request = replace(a_request(**KINDS[number]), name=f"server-{self._started}")
        self._started += 1
        verdict = hub.verdict(request, snapshot)
        if verdict.fits and fits_wherever(request, snapshot, verdict, hub.verdict):
            nodes = open_nodes(request, snapshot, verdict)
            hub.assume(as_assumed(request, likely_node(verdict), nodes))

    def create(self, number: int) -> None:
        promised = self.hub.promised()
        if name := self._one_of(
            [name for name in promised if name not in self.cluster.waiting], number
        ):
            self.cluster.waiting[name] = promised[name].request

    def bind(self, number: int) -> None:
        """The scheduler takes any pod, and any node that takes it."""
        if name := self._one_of(list(self.cluster.waiting), number):
            request = self.cluster.waiting.pop(name)
            found = self.cluster.places(request)
            assert found, f"{name} was promised what is not there"
            pod = as_assumed(request, "").pod
            pod = altered(pod, uid=f"uid-of-{name}", node=self._random.choice(found))
            self.cluster.bound[name] = pod
            self.hub.index.put_pod(pod)

    def fail(self, number: int) -> None:
        """A start is over before its pod has a node."""
        if name := self._one_of(list(self.hub.promised()), number):
            self.cluster.waiting.pop(name, None)
            self.hub.index.forget_assumed(self.hub.promised()[name].pod.namespace, name)

    def end(self, number: int) -> None:
        if name := self._one_of(list(self.cluster.bound), number):
            pod = self.cluster.bound.pop(name)
            self.hub.index.drop_pod(pod.namespace, pod.name, pod.uid)

    def restart(self, _: int) -> None:
        """Another hub knows the API server's objects, in whichever order it lists them."""
        waiting = list(self.cluster.waiting.values())
        self._random.shuffle(waiting)
        self.hub = HubsView(self.cluster.nodes, list(self.cluster.bound.values()), waiting)
        # Not to be left as the collector would find it for every test after this.
        with mock.patch.object(shared, "_spare_the_collector"):
            asyncio.run(self.hub.first_look())  # type: ignore[misc]
        assert self.hub.was_synced

    def is_sound(self) -> None:
        """No claim is lost: who waits for a node is counted, where it may go."""
        promised = self.hub.promised()
        assert set(self.cluster.waiting) <= set(promised)
        assert not set(self.cluster.bound) & set(promised)

    def _one_of(self, names: list[str], number: int) -> str:
        return sorted(names)[number % len(names)] if names else ""


def test_a_promise_outlives_the_hub_that_made_it() -> None:
    """The single would fit in any case, but on the larger node the dual would not any more."""
    history = History([a_node("small", gpus=1), a_node("large", gpus=2)], Random(0))
    history.start(TWO_GPUS)
    history.create(0)
    history.restart(0)
    history.start(ONE_GPU)
    assert set(history.hub.promised()) == {"server-0"}
    history.bind(0)
    history.start(ONE_GPU)
    assert set(history.hub.promised()) == {"server-2"}


def test_what_was_promised_and_never_created_is_free_after_a_restart() -> None:
    history = History([a_node("n1", gpus=1)], Random(0))
    for server in ("server-0", "server-1"):
        history.start(ONE_GPU)
        assert set(history.hub.promised()) == {server}
        history.restart(0)
        assert not history.hub.promised()


@settings(max_examples=300)
@given(NODES, ACTIONS, st.randoms(use_true_random=False))
def test_every_promise_is_kept_through_restarts_of_the_hub(
    offered: list[tuple[int, int, int]], actions: list[tuple[str, int]], random: Any
) -> None:
    history = History(
        [
            a_node(f"n{n}", gpus=gpus, cpu=cpu, allocatable={MIG: slices})
            for n, (gpus, slices, cpu) in enumerate(offered)
        ],
        random,
    )
    for action, number in actions:
        step: Callable[[int], None] = getattr(history, action)
        step(number)
        history.is_sound()
    for _ in history.hub.promised():
        history.create(0)
    while history.cluster.waiting:
        history.bind(random.randrange(99))
        history.is_sound()
    assert not history.hub.promised(), "nothing is held for nobody"
