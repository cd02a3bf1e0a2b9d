"""What exists and cannot be read is neither free nor forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.capacity.scripted_api import (
    ScriptedAPI,
    a_node,
    a_pod,
    end_of_list,
    event,
    gpus,
    page,
    status,
    stream,
    until,
    watching,
)

from gpuspawner.capacity.intake import Unreadable


def on_node(node: str | None, name: str = "p1", uid: str = "P1") -> Unreadable:
    return Unreadable("pods", "team", name, uid, node)


def pod_with(**spec: Any) -> dict[str, Any]:
    return a_pod() | {"spec": spec}


@pytest.mark.parametrize(
    ("bad", "held"),
    [
        pytest.param(a_pod(gpus="4 GPUs"), [on_node("n1")], id="a quantity that does not parse"),
        pytest.param(
            pod_with(nodeName="n1", containers=5), [on_node("n1")], id="containers of a wrong type"
        ),
        pytest.param(
            pod_with(nodeName=5, containers=[]), [on_node(None)], id="a node of a wrong type"
        ),
        pytest.param(a_pod() | {"spec": []}, [on_node(None)], id="a spec of a wrong type"),
        pytest.param(pod_with(containers=5), [on_node(None)], id="a pod that is not bound"),
        pytest.param({"metadata": {"uid": "x"}}, [], id="no name, so nothing of the API server's"),
    ],
)
@pytest.mark.parametrize("way", ["pages", "stream", "watch"])
async def test_a_pod_is_kept_in_mind(
    api: ScriptedAPI, url: str, way: str, bad: Any, held: list[Unreadable]
) -> None:
    if way == "pages":
        api.plan("list", "pods", page(bad, a_pod("p2", "P2")))
    elif way == "stream":
        lines = [event("ADDED", bad), event("ADDED", a_pod("p2", "P2")), end_of_list("1")]
        api.plan("stream", "pods", stream(*lines, until=api.closing))
    else:
        api.plan("list", "pods", page(a_pod("p2", "P2")))
        lines = [event("ADDED", bad), event("MODIFIED", a_pod("p2", "P2"))]
        api.plan("watch", "pods", stream(*lines, until=api.closing))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: watch.freshness().malformed == 1)
        assert list(watch.unreadable()) == held
        assert watch.freshness().unreadable == len(held)
        assert gpus(watch) == 1


async def test_an_item_without_metadata_is_only_counted(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "pods", page({"spec": 5}, a_pod()))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert (watch.freshness().malformed, watch.unreadable()) == (1, ())
        assert gpus(watch) == 1


async def test_an_unreadable_node_is_named(api: ScriptedAPI, url: str) -> None:
    api.plan("list", "nodes", page(a_node(), a_node("n3", "N3", gpus="many")))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert watch.unreadable() == (Unreadable("nodes", "", "n3", "N3", "n3"),)
        assert set(watch.snapshot().nodes) == {"n1"}


BAD = a_pod(gpus="?")


@pytest.mark.parametrize(
    ("cure", "left"),
    [
        pytest.param(event("MODIFIED", a_pod(gpus="3")), 0, id="a change that can be read"),
        pytest.param(event("DELETED", BAD), 0, id="its end"),
        pytest.param(event("ADDED", a_pod(uid="P2")), 0, id="another of its name"),
        pytest.param(event("DELETED", a_pod(uid="P0")), 1, id="not the end of its predecessor"),
        pytest.param(event("MODIFIED", BAD), 1, id="not one that cannot"),
    ],
)
async def test_what_ends_it(api: ScriptedAPI, url: str, cure: bytes, left: int) -> None:
    api.plan("list", "pods", page(BAD))
    marker = event("ADDED", a_pod("p9", "P9", gpus="1"))
    api.plan("watch", "pods", stream(cure, marker, until=api.closing))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        await until(lambda: gpus(watch) >= 1)
        assert watch.freshness().unreadable == left


async def test_a_full_list_ends_it_too(api: ScriptedAPI, url: str) -> None:
    ends = asyncio.Event()
    api.plan("list", "pods", page(BAD), page(a_pod("p2", "P2")))
    api.plan("watch", "pods", stream(until=ends), status(410))
    async with watching(url) as watch:
        assert await watch.wait_synced(10)
        assert watch.freshness().unreadable == 1
        ends.set()
        await until(lambda: gpus(watch) == 1)
        assert watch.unreadable() == ()
        assert watch.freshness().malformed == 1
