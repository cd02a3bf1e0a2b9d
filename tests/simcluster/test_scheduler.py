"""The scheduler: what it binds and where, what it says when it cannot, and when it tries again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import read_node, read_pod, read_request
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import EVENTS, NODES, PODS
from gpuspawner.simcluster.recorder import EventRecorder
from gpuspawner.simcluster.scheduling.placing import GpuStrategy, choose_node
from gpuspawner.simcluster.scheduling.queueing import SchedulingQueue
from gpuspawner.simcluster.scheduling.scheduler import Scheduler
from gpuspawner.simcluster.scheduling.scheduler_view import ClusterView
from gpuspawner.simcluster.storage.store import Store
from gpuspawner.simcluster.waiting import wait_until

GPU = "nvidia.com/gpu"


def a_node(name: str, *, gpus: int = 0, cpu: str = "8", **spec: object) -> Object:
    amounts = {"cpu": cpu, "memory": "64Gi", "pods": "110"} | ({GPU: str(gpus)} if gpus else {})
    return {
        "metadata": {"name": name},
        "spec": dict(spec),
        "status": {"allocatable": amounts, "capacity": amounts},
    }


def a_pod(name: str, *, gpus: int = 0, cpu: str = "1", **spec: object) -> Object:
    amounts = {"cpu": cpu} | ({GPU: str(gpus)} if gpus else {})
    resources = {"requests": amounts, "limits": amounts}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "i", "resources": resources}]} | spec,
    }


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestSchedulingQueue:
    def test_the_highest_priority_goes_first_and_then_the_longest_wait(self) -> None:
        queue = SchedulingQueue(Clock())
        for name, priority in (("early", 0), ("late", 0), ("urgent", 5)):
            queue.put(name, "lab", name, priority)
        popped = [queue.pop() for _ in range(4)]
        assert [pod and pod.name for pod in popped] == ["urgent", "early", "late", None]

    def test_a_pod_that_did_not_fit_rests_until_the_cluster_changes(self) -> None:
        clock = Clock()
        queue = SchedulingQueue(clock)
        queue.put("a", "lab", "a", 0)
        pod = queue.pop()
        assert pod is not None
        queue.back_off(pod)
        clock.now = 1e6
        assert queue.pop() is None
        assert queue.seconds_to_next() is None
        queue.wake()
        assert queue.pop() is pod

    def test_each_failure_doubles_the_wait_up_to_a_bound(self) -> None:
        clock = Clock()
        queue = SchedulingQueue(clock, initial_backoff=1, max_backoff=5)
        queue.put("a", "lab", "a", 0)
        waits = []
        for _ in range(5):
            pod = queue.pop()
            assert pod is not None
            queue.back_off(pod)
            queue.wake()
            assert queue.pop() is None, "its back-off is not over"
            waits.append(queue.seconds_to_next())
            clock.now += waits[-1] or 0.0
        assert waits == [1, 2, 4, 5, 5]

    def test_a_pod_that_is_gone_is_not_tried(self) -> None:
        queue = SchedulingQueue(Clock())
        queue.put("a", "lab", "a", 0)
        queue.put("b", "lab", "b", 0)
        queue.drop("a")
        queue.keep({"a"})
        assert queue.pop() is None


@pytest.mark.parametrize(
    ("strategy", "pod", "chosen"),
    [
        pytest.param(GpuStrategy.MOST_ALLOCATED, a_pod("p", gpus=1), "half", id="GPUs are packed"),
        pytest.param(
            GpuStrategy.LEAST_ALLOCATED, a_pod("p", gpus=1), "empty", id="GPUs are spread"
        ),
        pytest.param(
            GpuStrategy.MOST_ALLOCATED,
            a_pod("p"),
            "empty",
            id="a pod without GPUs goes where most cpu is left",
        ),
    ],
)
def test_a_node_is_chosen(strategy: GpuStrategy, pod: Object, chosen: str) -> None:
    index = ClusterIndex()
    for name in ("half", "empty", "last"):
        index.put_node(read_node(a_node(name, gpus=2)))
    index.put_pod(read_pod(a_pod("other", gpus=1, nodeName="half")))
    snapshot = index.snapshot()
    for names in (["half", "empty", "last"], ["last", "empty", "half"]):
        assert choose_node(read_request(pod), names, snapshot, strategy) == chosen


class Bench:
    """A store with a scheduler at work."""

    def __init__(self) -> None:
        self.store = Store()

    @asynccontextmanager
    async def scheduling(self, backoff: float = 0.001) -> AsyncIterator[None]:
        scheduler = Scheduler(
            self.store,
            EventRecorder(self.store),
            names=("default-scheduler", "user-scheduler"),
            backoff=(backoff, backoff),
        )
        task = asyncio.create_task(scheduler.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def pod(self, name: str) -> Object:
        return self.store.get(PODS, "default", name)

    def node_of(self, name: str) -> str | None:
        node: str | None = self.pod(name)["spec"].get("nodeName")
        return node

    def condition(self, name: str) -> Object:
        conditions = self.pod(name)["status"].get("conditions") or []
        return next((item for item in conditions if item["type"] == "PodScheduled"), {})

    def create(self, *pods: Object) -> None:
        for pod in pods:
            self.store.create(PODS, "default", pod)

    def events(self, reason: str) -> list[Object]:
        return [event for event in self.store.list(EVENTS)[0] if event["reason"] == reason]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition of the store."""
        await wait_until(condition, 10)

    async def quiet(self) -> None:
        """Wait until the scheduler has dealt with everything written so far."""
        self.create(a_pod("probe", cpu="0"))
        await self.until(lambda: self.node_of("probe") or self.condition("probe"))
        self.store.delete(PODS, "default", "probe", grace_seconds=0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_pod_is_bound_and_told_so(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("p"))
        await bench.until(lambda: bench.node_of("p"))
        (event,) = bench.events("Scheduled")
    assert bench.node_of("p") == "worker"
    assert bench.condition("p")["status"] == "True"
    assert event["message"] == "Successfully assigned default/p to worker"
    assert event["involvedObject"]["uid"] == bench.pod("p")["metadata"]["uid"]
    assert event["lastTimestamp"]
    assert event["eventTime"]


async def test_what_was_there_before_the_scheduler_is_bound_too(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    bench.create(a_pod("p"))
    async with bench.scheduling():
        await bench.until(lambda: bench.node_of("p"))


async def test_pods_of_one_moment_do_not_share_a_gpu(bench: Bench) -> None:
    for name in ("one", "two"):
        bench.store.create(NODES, None, a_node(name, gpus=2))
    async with bench.scheduling():
        bench.create(*(a_pod(f"p{number}", gpus=1) for number in range(6)))
        await bench.quiet()
        placed = [bench.node_of(f"p{number}") for number in range(6)]
    assert placed == ["one", "one", "two", "two", None, None]


async def test_a_pod_that_fits_nowhere_is_told_why(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("cpu-only"))
    taint = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}
    bench.store.create(NODES, None, a_node("tainted", gpus=1, taints=[taint]))
    async with bench.scheduling():
        bench.create(a_pod("p", gpus=1))
        await bench.until(lambda: bench.events("FailedScheduling"))
        (event,) = bench.events("FailedScheduling")
        condition = bench.condition("p")
    assert event["type"] == "Warning"
    assert event["message"].startswith("0/2 nodes are available: ")
    assert f"1 Insufficient {GPU}" in event["message"]
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == event["message"]


async def test_a_pod_that_did_not_fit_is_not_tried_again_while_nothing_changes(
    bench: Bench,
) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("p", gpus=1))
        await bench.until(lambda: bench.events("FailedScheduling"))
        bench.create(a_pod("unrelated"))  # takes room, gives none
        await bench.until(lambda: bench.node_of("unrelated"))
        seen = {"metadata": {"annotations": {"seen": "yes"}}}
        bench.store.patch(PODS, "default", "p", seen)
        await asyncio.sleep(0.01)  # the longest back-off, five times over
        bench.create(a_pod("next"))
        await bench.until(lambda: bench.node_of("next"))
        (event,) = bench.events("FailedScheduling")
    assert event["count"] == 1


async def test_a_pod_that_did_not_fit_rests_even_if_there_is_room_now(bench: Bench) -> None:
    async with bench.scheduling(backoff=1000):
        bench.create(a_pod("p"))
        await bench.until(lambda: bench.events("FailedScheduling"))
        bench.store.create(NODES, None, a_node("worker"))
        bench.create(a_pod("next"))
        await bench.until(lambda: bench.node_of("next"))
        assert bench.node_of("p") is None


async def test_a_pod_counts_from_the_moment_it_is_bound(bench: Bench) -> None:
    view = ClusterView({"default-scheduler"}, backoff=(1, 1))
    bench.store.create(NODES, None, a_node("worker"))
    bench.create(a_pod("p"))
    uid = bench.pod("p")["metadata"]["uid"]
    following = asyncio.create_task(view.follow(bench.store))
    await bench.until(lambda: uid in view.queue)
    bench.store.patch(PODS, "default", "p", {"metadata": {"labels": {"late": "yes"}}})
    bench.store.bind("default", "p", "worker")
    view.assume(bench.pod("p"))
    assumed = view.index.snapshot()
    assert assumed.nodes["worker"].requested == {"cpu": 1000}
    assert uid not in view.queue
    bench.create(a_pod("next"))
    await bench.until(lambda: bench.pod("next")["metadata"]["uid"] in view.queue)
    # The label's event, in which the pod was not bound yet, changed nothing in between.
    assert view.index.snapshot() is assumed
    following.cancel()


def finish(bench: Bench) -> None:
    bench.store.patch(
        PODS, "default", "holder", {"status": {"phase": "Succeeded"}}, subresource="status"
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda bench: bench.store.delete(PODS, "default", "holder", grace_seconds=0),
            id="the pod that held the GPU is deleted",
        ),
        pytest.param(finish, id="the pod that held the GPU has finished"),
        pytest.param(
            lambda bench: bench.store.create(NODES, None, a_node("new", gpus=1)),
            id="a node is added",
        ),
        pytest.param(
            lambda bench: bench.store.patch(
                NODES, None, "full", {"status": {"allocatable": {GPU: "2"}}}, subresource="status"
            ),
            id="a node offers more",
        ),
    ],
)
async def test_a_waiting_pod_is_bound_once_there_is_room(
    bench: Bench, change: Callable[[Bench], object]
) -> None:
    bench.store.create(NODES, None, a_node("full", gpus=1))
    bench.create(a_pod("holder", gpus=1, nodeName="full"))
    async with bench.scheduling():
        bench.create(a_pod("p", gpus=1))
        await bench.until(lambda: bench.condition("p").get("status") == "False")
        change(bench)
        await bench.until(lambda: bench.node_of("p"))
    assert bench.condition("p")["status"] == "True"


async def test_a_terminating_pod_still_holds_its_gpu(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("full", gpus=1))
    bench.create(a_pod("holder", gpus=1, nodeName="full"))
    async with bench.scheduling():
        bench.store.delete(PODS, "default", "holder")
        bench.create(a_pod("p", gpus=1))
        await bench.quiet()
        assert bench.node_of("p") is None
        bench.store.finalize_deletion(PODS, "default", "holder")
        await bench.until(lambda: bench.node_of("p"))


async def test_a_repeated_failure_counts_up_one_event(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("p", gpus=1))
        await bench.until(lambda: bench.events("FailedScheduling"))
        bench.store.patch(NODES, None, "worker", {"metadata": {"labels": {"rack": "1"}}})
        await bench.until(lambda: bench.events("FailedScheduling")[0]["count"] == 2)
        assert len(bench.events("FailedScheduling")) == 1


async def test_a_gated_pod_waits_for_its_gates(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("p", schedulingGates=[{"name": "kueue.x-k8s.io/admission"}]))
        await bench.until(lambda: bench.condition("p"))
        assert bench.condition("p")["reason"] == "SchedulingGated"
        await bench.quiet()
        assert bench.node_of("p") is None
        bench.store.patch(PODS, "default", "p", {"spec": {"schedulingGates": None}})
        await bench.until(lambda: bench.node_of("p"))


@pytest.mark.parametrize(
    ("scheduler_name", "is_bound"),
    [
        pytest.param("user-scheduler", True, id="one it answers to"),
        pytest.param("volcano", False, id="another scheduler's"),
    ],
)
async def test_it_binds_the_pods_of_its_names(
    bench: Bench, scheduler_name: str, is_bound: bool
) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("p", schedulerName=scheduler_name))
        await bench.quiet()
        assert bool(bench.node_of("p")) is is_bound
        speakers = {event["reportingComponent"] for event in bench.events("Scheduled")}
    assert (scheduler_name in speakers) is is_bound


async def test_priority_decides_who_gets_the_last_gpu(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker", gpus=1))
    bench.create(
        a_pod("first", gpus=1),
        a_pod("urgent", gpus=1, priorityClassName="system-node-critical"),
    )
    async with bench.scheduling():
        await bench.until(lambda: bench.condition("first") and bench.condition("urgent"))
    assert bench.node_of("urgent") == "worker"
    assert bench.node_of("first") is None


async def test_a_pod_that_asks_for_nonsense_does_not_stop_the_others(bench: Bench) -> None:
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        bench.create(a_pod("nonsense", cpu="a lot"), a_pod("p"))
        await bench.until(lambda: bench.node_of("p"))
        assert bench.node_of("nonsense") is None


async def test_it_survives_a_watch_that_fell_behind(bench: Bench) -> None:
    bench.store = Store(history_limit=2)
    bench.store.create(NODES, None, a_node("worker"))
    async with bench.scheduling():
        await bench.quiet()
        bench.create(*(a_pod(f"p{number}") for number in range(8)))
        await bench.until(lambda: all(bench.node_of(f"p{number}") for number in range(8)))
