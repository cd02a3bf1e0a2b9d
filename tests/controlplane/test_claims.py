"""Many who ask a real hub for the last GPUs at once, and where kube-scheduler puts those let in."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from tests.controlplane.hubs import RealHub, Start, real_hub
from tests.controlplane.kube import Api, Object, connected, until
from tests.controlplane.servers import administrator, make_namespace

from gpuspawner.starting.steps import Step

pytestmark = pytest.mark.asyncio(loop_scope="module")

GPU = "nvidia.com/gpu"
POOL = "gpuspawner.test/pool"
CATALOG = """
accelerators:
  one: &gpu
    title: Test GPU
    resource: nvidia.com/gpu
    node_selector: {{gpuspawner.test/pool: {namespace}-one}}
    tolerations:
      - {{key: for, operator: Exists}}
  ten:
    <<: *gpu
    node_selector: {{gpuspawner.test/pool: {namespace}-ten}}
  grown:
    <<: *gpu
    node_selector: {{gpuspawner.test/pool: {namespace}-grown}}
profiles:
  - {{slug: cpu, title: Plain CPU, cpu: 1, memory: 1Gi, default: true}}
  - {{slug: last, title: The last GPU, accelerator: one, cpu: 1, memory: 1Gi}}
  - {{slug: single, title: One GPU, accelerator: ten, cpu: 1, memory: 1Gi}}
  - {{slug: dual, title: Two GPUs, accelerator: ten, count: 2, cpu: 1, memory: 1Gi}}
  - {{slug: grown, title: A GPU of a pool that grows, accelerator: grown, cpu: 1, memory: 1Gi}}
node_pools:
  grown:
    title: the pool that grows
    labels: {{gpuspawner.test/pool: {namespace}-grown}}
    allocatable: {{cpu: 8, memory: 32Gi, nvidia.com/gpu: 2}}
access:
  - {{groups: [gpu-users], profiles: [cpu, last, single, dual, grown]}}
"""
_people = count(1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def administrators(kubeconfig: Path) -> AsyncIterator[Api]:
    async with connected(await administrator(kubeconfig)) as client:
        yield client
        await client.forget()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(
    administrators: Api, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealHub]:
    namespace = await make_namespace(administrators)
    for name, pool, gpus in [("last", "one", 1), *((f"ten-{n}", "ten", 2) for n in range(10))]:
        await administrators.create_for_now("/api/v1/nodes", a_node(namespace, name, pool, gpus))
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    catalog.write_text(CATALOG.format(namespace=namespace))
    async with real_hub(administrators, kubeconfig, namespace, catalog) as running:
        yield running


def a_node(namespace: str, name: str, pool: str, gpus: int) -> Object:
    amounts = {"cpu": "16", "memory": "64Gi", "pods": "110", GPU: str(gpus)}
    return {
        "metadata": {"name": f"{namespace}-{name}", "labels": {POOL: f"{namespace}-{pool}"}},
        "spec": {"taints": [{"key": "for", "value": namespace, "effect": "NoSchedule"}]},
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def a_person() -> str:
    return f"gpu-users-{next(_people)}"


async def decided(hub: RealHub, starts: Iterable[Start]) -> list[Object]:
    """Wait until each is refused or its pod is on a node; the pods."""

    async def all_are() -> bool:
        nodes = {key: pod["spec"].get("nodeName") for key, pod in (await hub.pods()).items()}
        return all(start.answer.done() or nodes.get(start.key) for start in starts)

    await until(all_are)
    return list((await hub.pods()).values())


def refusals(starts: Iterable[Start]) -> list[str]:
    """What those were told who were not let in, with nothing of anybody else."""
    starts = list(starts)
    words = []
    for start in starts:
        if start.answer.done():
            answer = start.answer.result()
            assert answer.status == 503, answer.text
            words.append(str(json.loads(answer.text)["message"]))
    told = " ".join(words)
    assert not [start.person for start in starts if start.person in told]
    return words


async def ended(hub: RealHub, starts: Sequence[Start]) -> None:
    """End what was let in; nothing of it is left."""
    await asyncio.gather(*(start.cancel() for start in starts if not start.answer.done()))

    async def nothing_is_left() -> bool:
        return not await hub.pods() and not hub.assumed()

    await until(nothing_is_left)
    assert hub.hub.failures == 0


async def test_of_five_who_ask_at_once_for_one_gpu_one_has_it(hub: RealHub) -> None:
    people = [a_person() for _ in range(5)]
    for person in people:
        await hub.hub.visitor(person)
    starts = await asyncio.gather(*(hub.start(person, "", "last") for person in people))
    pods = await decided(hub, starts)
    refused = refusals(starts)
    assert len(refused) == 4
    for words in refused:
        assert "The last GPU cannot be started now. Busy: none of 1 free." in words
        assert words.endswith("[busy]")
    assert len(pods) == 1
    await ended(hub, starts)


async def test_of_forty_for_twenty_gpus_nobody_is_let_in_who_finds_no_node(hub: RealHub) -> None:
    people = [a_person() for _ in range(4)]
    for person in people:
        await hub.hub.visitor(person)
    profiles = ["dual" if n % 3 == 1 else "single" for n in range(40)]
    starts = await asyncio.gather(
        *(hub.start(people[n % 4], f"s{n}", profile) for n, profile in enumerate(profiles))
    )
    pods = await decided(hub, starts)
    refused = refusals(starts)
    assert len(pods) + len(refused) == len(starts)
    taken: Counter[str] = Counter()
    for pod in pods:
        limits = pod["spec"]["containers"][0]["resources"]["limits"]
        taken[pod["spec"]["nodeName"]] += int(limits[GPU])
    assert set(taken.values()) <= {1, 2}
    assert taken.total() > 10, "most of what is there is given away"
    assert not hub.assumed(), "the watch has shown every one of them on its node"
    await ended(hub, starts)


async def test_what_a_pool_has_to_grow_for_is_told_in_plain_words(hub: RealHub) -> None:
    person = a_person()
    start = await hub.start(person, "", "grown")

    async def told() -> bool:
        return bool(start.answer.done() or start.spawner.stage.said)

    await until(told)
    assert not start.answer.done(), start.answer.result().text
    stage = start.spawner.stage
    assert stage.sentence == "Waiting for a node of the kind it needs: there is none at present."
    assert stage.current is Step.SCHEDULED
    assert "node affinity/selector" in " ".join(stage.said)
    assert hub.namespace not in " ".join(stage.said)
    assert [one.pod.name for one in hub.assumed()] == [start.spawner.pod_name]
    await ended(hub, [start])
