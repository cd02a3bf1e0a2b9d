"""Other people's pods: bounded, and the same for the same seed."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.simcluster.apimachinery.resources import NAMESPACES, PODS
from gpuspawner.simcluster.bystanders import BystanderProcess
from gpuspawner.simcluster.description import BystanderJob, Bystanders, Running
from gpuspawner.simcluster.nodes.containers import is_simulated
from gpuspawner.simcluster.storage.store import Store


def a_job(name: str, least: int, most: int) -> BystanderJob:
    return BystanderJob(
        name=name,
        image="example.org/job:1",
        requests={"nvidia.com/gpu": "1"},
        running=Running(min=least, max=most),
    )


def some_bystanders(*jobs: BystanderJob, seed: int = 1) -> Bystanders:
    return Bystanders(
        namespace="research",
        seed=seed,
        jobs=jobs or (a_job("train", 1, 4),),
        interval_seconds=(1, 2),
    )


def a_process(bystanders: Bystanders) -> tuple[BystanderProcess, Store]:
    store = Store()
    store.create(NAMESPACES, None, {"metadata": {"name": "research"}})
    return BystanderProcess(store, bystanders), store


def names_in(store: Store) -> list[str]:
    return [pod["metadata"]["name"] for pod in store.list(PODS, "research")[0]]


def trace(bystanders: Bystanders, steps: int) -> list[list[str]]:
    process, store = a_process(bystanders)
    process.populate()
    seen = [names_in(store)]
    for _ in range(steps):
        process.step()
        seen.append(names_in(store))
    return seen


def test_the_same_seed_gives_the_same_pods() -> None:
    assert trace(some_bystanders(seed=7), 30) == trace(some_bystanders(seed=7), 30)


def test_another_seed_gives_other_pods() -> None:
    assert trace(some_bystanders(seed=7), 30) != trace(some_bystanders(seed=8), 30)


@given(seed=st.integers(0, 2**32), least=st.integers(0, 3), more=st.integers(0, 3))
def test_there_are_never_fewer_than_min_nor_more_than_max(seed: int, least: int, more: int) -> None:
    bystanders = some_bystanders(
        a_job("train", least, least + more), a_job("infer", 1, 2), seed=seed
    )
    process, store = a_process(bystanders)
    process.populate()
    for _ in range(20):
        process.step()
        names = names_in(store)
        trained = [name for name in names if name.startswith("train-")]
        assert least <= len(trained) <= least + more
        assert 1 <= len(names) - len(trained) <= 2
        assert sorted(name for job in process.pods.values() for name in job) == names


def test_steps_change_what_is_free() -> None:
    counts = {len(names) for names in trace(some_bystanders(), 30)}
    assert counts == {1, 2, 3, 4}


def test_its_pods_need_no_process() -> None:
    process, store = a_process(some_bystanders())
    process.populate()
    assert all(is_simulated(pod) for pod in store.list(PODS, "research")[0])


def test_a_pod_that_somebody_else_deleted_is_no_obstacle() -> None:
    process, store = a_process(some_bystanders(a_job("train", 0, 1)))
    process.populate()
    store.delete(PODS, "research", names_in(store)[0])
    for _ in range(10):
        process.step()


def test_a_namespace_that_lets_nothing_in_is_no_obstacle() -> None:
    process, store = a_process(some_bystanders())
    store.delete(NAMESPACES, None, "research")
    process.populate()
    process.step()


async def test_a_paused_process_takes_no_step_until_it_is_resumed() -> None:
    bystanders = some_bystanders().model_copy(update={"interval_seconds": (0.001, 0.001)})
    paused, still = a_process(bystanders)
    running, busy = a_process(bystanders)
    before = still.revision
    paused.pause()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(process.run()) for process in (paused, running)]
        changes = busy.subscribe(PODS)
        for _ in range(5):
            await anext(changes)
        assert still.revision == before
        changes = still.subscribe(PODS)
        paused.resume()
        await anext(changes)
        for run in runs:
            run.cancel()
