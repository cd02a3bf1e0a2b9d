"""Servers' pods that a hub had made before it was started, and that are on no node yet."""

from __future__ import annotations

import asyncio

from gpuspawner.capacity.failures import check
from gpuspawner.capacity.feeds import api_path
from gpuspawner.capacity.model import TERMINAL_PHASES, PodRequest, read_pod, read_request
from gpuspawner.capacity.stream import read_list_page
from gpuspawner.capacity.transport import Transport
from gpuspawner.errors import MalformedObjectError

_OF_A_HUB = "hub.jupyter.org/username"
"""A label of every pod that KubeSpawner makes."""


async def pods_on_their_way(
    transport: Transport, namespace: str, within: float
) -> list[PodRequest]:
    """The pods of hubs that wait for a node, as the scheduler judges them.

    Args:
        transport: to the API server.
        namespace: where to look; empty for all of them.
        within: seconds for the answer.

    Raises:
        StatusError, TransportError, MalformedObjectError, TimeoutError: there was none.
    """
    parameters = {"labelSelector": _OF_A_HUB, "fieldSelector": "spec.nodeName="}
    path = api_path("v1", "pods", namespace)
    async with (
        asyncio.timeout(within),
        transport.get(path, parameters, answer_within=within, silence=within) as answer,
    ):
        await check(answer, path)
        page = read_list_page(await answer.body())
    found = []
    for raw in page.items:
        try:
            pod, request = read_pod(raw), read_request(raw)
        except MalformedObjectError:
            continue
        # One with a gate waits for more than a place, and one that is being deleted for none.
        if pod.phase not in TERMINAL_PHASES and not pod.terminating and not request.gates:
            found.append(request)
    return found
