"""What one view of a cluster for everybody spares."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar

import pytest
from kubernetes_asyncio.client import Configuration

from gpuspawner.capacity import shared
from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.fit import judge, standing
from gpuspawner.fit.examining import NodeFinding, examine_node

from ..builders import a_node, a_pod, a_request


def a_configuration() -> Configuration:
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:9"
    return configuration


async def test_what_is_known_at_the_first_look_is_spared_the_collector_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = SharedCluster(a_configuration(), "jhub")
    looks, freezes = [False, True, True], []
    try:

        async def looked(_: float) -> bool:
            return looks.pop(0)

        async def nothing_is_on_its_way(*_: object) -> list[PodRequest]:
            return []

        monkeypatch.setattr(shared, "pods_on_their_way", nothing_is_on_its_way)
        monkeypatch.setattr(cluster.watch, "wait_synced", looked)
        monkeypatch.setattr(gc, "freeze", lambda: freezes.append(len(looks)))
        assert not cluster.was_synced
        assert [await cluster.wait_synced(1) for _ in range(3)] == [False, True, True]
        assert cluster.was_synced
        assert freezes == [1]
    finally:
        await cluster.stop()


async def test_forms_that_open_at_once_examine_each_node_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examined: list[str] = []

    def noted(request: PodRequest, state: NodeState) -> NodeFinding:
        examined.append(state.node.name)
        return examine_node(request, state)

    monkeypatch.setattr(standing, "examine_node", noted)
    index = ClusterIndex()
    index.replace_nodes(a_node(f"n{number}") for number in range(600))
    older = index.snapshot()
    index.put_pod(a_pod(node="n0", cpu=1))
    forms = [(a_request(cpu=1), older), (a_request(cpu=1), index.snapshot())]
    cluster = SharedCluster(a_configuration(), "jhub")
    try:
        await asyncio.gather(*(cluster.settle(*form) for form in forms))
        assert len(examined) == 600
        for form in forms:
            assert cluster.verdict(*form) == judge(*form)
    finally:
        await cluster.stop()


class Request:
    """What a form is made for."""


ANSWERED: ContextVar[Request] = ContextVar("answered")


async def test_the_first_form_is_not_kept_for_as_long_as_the_hub_watches() -> None:
    async def form() -> tuple[SharedCluster, weakref.ref[Request]]:
        ANSWERED.set(request := Request())
        return SharedCluster(a_configuration(), "jhub"), weakref.ref(request)

    cluster, kept = await asyncio.create_task(form())
    try:
        # The watch begins, with all that it needs.
        await asyncio.sleep(0)
        gc.collect()
        assert kept() is None
    finally:
        await cluster.stop()
