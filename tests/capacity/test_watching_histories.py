"""Whatever happens, in whatever order: in the end the cache equals a fresh list.

A state machine makes up histories of a cluster and of the faults of its API server, and the whole
watching runs against them, on a loop whose time only jumps. Before the end, too, what is called
live is right: it was the state of the cluster at a moment no longer ago than its age says.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.capacity.memory_api import JumpingLoop, MemoryAPI
from tests.capacity.scripted_api import a_node, a_pod

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import read_node, read_pod
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import Transport
from gpuspawner.capacity.watching import ClusterWatch

NODES = st.sampled_from(["n1", "n2", "n3"])
PODS = st.sampled_from([f"p{number}" for number in range(6)])
GPUS = st.integers(0, 4)
TRICKS = [
    "twice",
    "garbage",
    "half a line",
    "an error",
    "gone",
    "a bookmark before",
    "an unknown event before",
]
TIMING = WatchTiming(page_size=3)
LONG = 400.0
"""Seconds in which every back-off has ended: it grows to 30, a Retry-After is not given."""


class Histories(RuleBasedStateMachine):
    streams = True

    def __init__(self) -> None:
        super().__init__()
        self.loop = JumpingLoop()
        self.api = MemoryAPI(streams=self.streams)
        self.uids = 0
        self.past: list[tuple[float, Any, Any]] = []
        self.watch = self.run(self._begin())

    async def _begin(self) -> ClusterWatch:
        watch = ClusterWatch(cast("Transport", self.api), timing=TIMING, clock=self.loop.time)
        watch.start()
        return watch

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.run(self.watch.stop())
            self.loop.close()

    def _change(self, kind: str, resource: str, name: str, obj: dict[str, Any]) -> None:
        self.remember()
        self.api.commit(kind, resource, name, obj)
        self.remember()

    def remember(self) -> None:
        objects = self.api.objects
        self.past.append((self.loop.time(), dict(objects["nodes"]), dict(objects["pods"])))

    def _uid(self) -> str:
        self.uids += 1
        return f"U{self.uids}"

    @rule(name=NODES, gpus=GPUS)
    def put_node(self, name: str, gpus: int) -> None:
        held = self.api.objects["nodes"].get(name)
        uid = held["metadata"]["uid"] if held else self._uid()
        self._change(
            "MODIFIED" if held else "ADDED", "nodes", name, a_node(name, uid, gpus=str(gpus))
        )

    @rule(name=NODES)
    def drop_node(self, name: str) -> None:
        if held := self.api.objects["nodes"].get(name):
            self._change("DELETED", "nodes", name, held)

    @rule(name=PODS, node=NODES, gpus=GPUS)
    def add_pod(self, name: str, node: str, gpus: int) -> None:
        """Add it; if there is one of that name, it goes and another uid comes."""
        self.drop_pod(name)
        self._put_pod("ADDED", name, self._uid(), node, str(gpus))

    @rule(name=PODS)
    def add_unreadable_pod(self, name: str) -> None:
        self.drop_pod(name)
        self._put_pod("ADDED", name, self._uid(), "n1", "some")

    @rule(name=PODS, gpus=GPUS)
    def resize_pod(self, name: str, gpus: int) -> None:
        if held := self.api.objects["pods"].get(name):
            node = held["spec"]["nodeName"]
            self._put_pod("MODIFIED", name, held["metadata"]["uid"], node, str(gpus))

    @rule(name=PODS)
    def drop_pod(self, name: str) -> None:
        if held := self.api.objects["pods"].get(name):
            self._change("DELETED", "pods", name, held)

    def _put_pod(self, kind: str, name: str, uid: str, node: str, gpus: str) -> None:
        pod = a_pod(name, uid, gpus=gpus)
        pod["spec"]["nodeName"] = node
        self._change(kind, "pods", name, pod)

    @rule(seconds=st.sampled_from([0.02, 1.0, 12.0, 31.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.remember()
        self.run(asyncio.sleep(seconds))

    @rule(trick=st.sampled_from(TRICKS))
    def something_is_wrong_with_the_next_line(self, trick: str) -> None:
        self.api.tricks.append(trick)

    @rule()
    def an_event_is_never_sent(self) -> None:
        self.api.tricks.append("swallow")

    @rule(how=st.sampled_from(["reset", "silence"]))
    def streams_break(self, how: str) -> None:
        self.api.cut(how)

    @rule()
    def the_past_is_forgotten(self) -> None:
        self.api.compact()

    @rule(code=st.sampled_from([0, 401, 403, 429, 500, 503, 504]))
    def the_server_fails(self, code: int) -> None:
        self.api.down = code
        self.api.cut("reset")

    @rule()
    def the_server_answers_again(self) -> None:
        self.api.down = None

    @precondition(lambda self: not self.api.missed and "swallow" not in self.api.tricks)
    @invariant()
    def what_is_live_was_true_within_its_age(self) -> None:
        freshness = self.watch.freshness()
        if not freshness.is_live or freshness.age is None:
            return
        self.remember()
        since = self.loop.time() - freshness.age
        first = max((i for i, (at, _, _) in enumerate(self.past) if at < since), default=0)
        seen = dict(self.watch.snapshot().nodes)
        window = self.past[first:]
        assert any(seen == truth(nodes, pods) for _, nodes, _ in window for _, _, pods in window), (
            freshness
        )

    @rule()
    def settle(self) -> None:
        """All is well again, and a while later nothing tells the cache from a fresh list."""
        self.api.heal()
        requests = self.api.requests
        self.run(asyncio.sleep(LONG))
        assert self.watch.freshness().is_live
        assert self.watch.freshness().last_error is None
        objects = self.api.objects
        assert dict(self.watch.snapshot().nodes) == truth(objects["nodes"], objects["pods"])
        bad = {name for name, pod in objects["pods"].items() if is_unreadable(pod)}
        assert {held.name for held in self.watch.unreadable()} == bad
        # Two resources; a stream of 24 s at least each, and what it took to recover.
        assert self.api.requests - requests <= 2 * (LONG / 24 + 12)
        self.past.clear()


def is_unreadable(pod: dict[str, Any]) -> bool:
    return bool(pod["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] == "some")


def truth(nodes: dict[str, Any], pods: dict[str, Any]) -> dict[str, Any]:
    index = ClusterIndex()
    index.replace_nodes(read_node(node) for node in nodes.values())
    index.replace_pods(read_pod(pod) for pod in pods.values() if not is_unreadable(pod))
    return dict(index.snapshot().nodes)


class HistoriesInPages(Histories):
    streams = False


@pytest.mark.parametrize("machine", [Histories, HistoriesInPages])
def test_after_any_history_the_cache_equals_a_fresh_list(machine: type[Histories]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
