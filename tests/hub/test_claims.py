"""The last GPUs, asked for by many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gpuspawner.capacity import shared
from gpuspawner.simcluster.apiserver.faults import Refuse

from .conftest import NAMESPACE, Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

PODS_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"


def assumed(hub: Hub) -> list[Any]:
    """The pods that the hub counts though they are on no node yet."""
    del hub
    [cluster] = shared._shared[asyncio.get_running_loop()].values()
    return list(cluster.snapshot().assumed)


async def settled(hub: Hub) -> None:
    await hub.cluster.wait_until(lambda: not assumed(hub), 20)


async def test_of_five_who_ask_at_once_two_have_the_two_gpus(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names = [new_name("gpu-users") for _ in range(5)]
    for name in names:
        await hub.visitor(name)
    answers = await asyncio.gather(*(hub.start_server(name, "gpu") for name in names))
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) == 3
    for answer in refused:
        assert "One GPU cannot be started now. Busy: none of 2 free." in answer.text
        told = json.loads(answer.text)
        assert told["status"] == 503
        assert told["message"].endswith("). [busy]")
        assert "The nearest that can be started is Plain CPU (free: " in told["message"]
    admitted = [name for name, answer in zip(names, answers, strict=True) if answer.status < 400]
    assert len(admitted) == 2
    assert [len(hub.pods_of(name)) for name in names] == [name in admitted for name in names]
    assert hub.failures == 0
    await settled(hub)
    for name in admitted:
        await hub.stop_server(name)


async def test_a_start_that_the_api_server_refuses_keeps_nothing(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second, third = (new_name("gpu-users") for _ in range(3))
    # A dry run that is answered so decides nothing, and room is promised before the create.
    refuse = hub.cluster.faults.add(
        Refuse(500, "failed calling webhook"), verb="create", path=PODS_PATH, times=None
    )
    await hub.visitor(first)
    answer = await hub.start_server(first, "gpu")
    assert answer.status == 503, answer.text
    assert assumed(hub) == []
    hub.cluster.faults.remove(refuse)
    for name in (second, third):
        assert (await hub.start_server(name, "gpu")).status < 400
    for name in (second, third):
        await hub.stop_server(name)


async def test_each_named_server_of_one_person_is_counted(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    servers = ("one", "two", "three")
    answers = await asyncio.gather(
        *(
            visitor.api("POST", f"users/{name}/servers/{server}", {"profile": "gpu"})
            for server in servers
        )
    )
    assert sorted(answer.status == 503 for answer in answers) == [False, False, True]
    assert len(hub.pods_of(name)) == 2
    await settled(hub)
    for server, answer in zip(servers, answers, strict=True):
        if answer.status < 400:
            path = f"users/{name}/servers/{server}"
            assert (await visitor.api("DELETE", path)).status in (202, 204)
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 30)
