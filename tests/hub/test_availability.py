"""What the form says while the cluster fills, empties, falls silent and refuses."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import pytest

from gpuspawner.capacity import shared
from gpuspawner.simcluster.apimachinery.resources import NODES, PODS

from .conftest import Hub, cards

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until(hub: Hub, name: str, expected: tuple[str, str, bool]) -> None:
    """Look at the form until the profile ``gpu`` stands as expected; the watch takes a moment."""

    async def stands() -> bool:
        return (await cards(hub, name))["gpu"] == expected

    await hub.cluster.wait_until(stands, 20)


async def test_the_first_form_of_a_hub_knows_the_cluster(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """Nobody has asked before, so the form waits for the first look."""
    name = new_name("gpu-users")
    await hub.visitor(name)
    await shared.stop_shared_clusters()
    found = await cards(hub, name)
    assert found["gpu"] == ("free", "2 of 2 free, on 1 node", True)


async def test_availability_moves_with_what_others_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("gpu-users"), new_name("gpu-users")
    await until(hub, first, ("free", "2 of 2 free, on 1 node", True))
    answer = await hub.start_server(second, "gpu")
    assert answer.status < 400
    await until(hub, first, ("free", "1 of 2 free, on 1 node", True))
    neighbour = {
        "metadata": {"name": "neighbour"},
        "spec": {
            "nodeName": "gpu-1",
            "containers": [
                {"name": "x", "image": "x", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
            ],
        },
    }
    hub.cluster.store.create(PODS, "default", neighbour)
    await until(hub, first, ("busy", "busy: none of 2 free", False))
    refused = await (await hub.visitor(first)).post_form("hub/spawn", {"profile": "gpu"})
    assert refused.status == 503
    assert "One GPU cannot be started now. Busy: none of 2 free." in refused.text
    assert hub.pods_of(first) == []
    assert hub.failures == 0
    hub.cluster.store.delete(PODS, "default", "neighbour", grace_seconds=0)
    await hub.stop_server(second)
    await until(hub, first, ("free", "2 of 2 free, on 1 node", True))


async def test_a_cordoned_node_is_closed_and_not_called_too_small(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    _cordon(hub, True)
    await until(
        hub,
        name,
        ("busy", "busy: 1 node that it could run on is closed to new servers at present", False),
    )
    _cordon(hub, False)
    await until(hub, name, ("free", "2 of 2 free, on 1 node", True))


def _cordon(hub: Hub, unschedulable: bool) -> None:
    node = hub.cluster.store.get(NODES, None, "gpu-1")
    node["spec"]["unschedulable"] = unschedulable
    hub.cluster.store.replace(NODES, None, "gpu-1", node)


async def test_a_silent_cluster_is_unknown_neither_free_nor_zero_and_may_be_tried(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    await cards(hub, name)
    (entry,) = shared._shared[asyncio.get_running_loop()].values()
    monkeypatch.setattr(entry.watch, "_clock", lambda: time.monotonic() + 1000)
    found = await cards(hub, name)
    assert set(found) == {"cpu", "gpu", "huge"}
    for standing, words, can_choose in found.values():
        assert standing == "unknown"
        assert re.fullmatch(r"unknown for 17 min: the cluster does not answer", words)
        assert can_choose
