"""What it costs to let a start through while others are on their way: `Judge.claim`, alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from itertools import product
from typing import Any, cast

from gpuspawner.capacity.model import Node, Pod
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.judging import Judge
from gpuspawner.offers import Offer, Standing, drafts_in
from gpuspawner.pod import HUB_LABELS

from ..builders import a_catalog, a_node, a_pod, a_profile, a_situation
from ..test_claims import Cluster

GPUS = 8
"""What each node has."""
SIZES = (100, 1000)
ON_THEIR_WAY = (0, 10, 100)
ROOM = {"every GPU is free": None, "it is the last": 1, "none is left": 0}
"""How many GPUs are free beside those of the starts on their way; None for all of them."""
_WARM = 10


async def claiming(repeats: int = 100) -> list[dict[str, Any]]:
    """Seconds of CPU of each claim, by nodes, by starts on their way, by what is free."""
    found = []
    for nodes, assumed, (room, left) in product(SIZES, ON_THEIR_WAY, ROOM.items()):
        free = nodes * GPUS if left is None else assumed + left
        spent = await _claims(nodes, free, assumed, repeats)
        found.append({"nodes": nodes, "assumed": assumed, "room": room, "cpu": spent})
    return found


async def _claims(nodes: int, free: int, assumed: int, repeats: int) -> list[float]:
    cluster = Cluster(*_things(nodes, free))
    judge = Judge(cast(SharedCluster, cluster), "jhub", logging.getLogger(__name__))
    catalog = a_catalog(a_profile(cpu=4, memory="16Gi"))
    situation = a_situation(catalog, base={HUB_LABELS: {}, "namespace": "jhub"})
    [draft] = (draft for draft in drafts_in(situation) if draft.profile.slug == "gpu")

    async def claim(name: str) -> Offer:
        return (await judge.claim(draft, situation, name, 0))[0]

    for number in range(assumed):
        _expect((await claim(f"server-{number}")).standing, Standing.FREE)
    expected = Standing.FREE if free > assumed else Standing.BUSY
    spent = []
    for _ in range(_WARM + repeats):
        began = time.thread_time()
        offer = await claim("the-next")
        spent.append(time.thread_time() - began)
        _expect(offer.standing, expected)
        cluster.forget("jhub", "the-next")
        await asyncio.sleep(0)
    return spent[_WARM:]


def _things(nodes: int, free: int) -> Iterator[Node | Pod]:
    """The nodes, and pods on them that leave so many GPUs free."""
    for number in range(nodes):
        name = f"n{number}"
        yield a_node(name, gpus=GPUS, cpu=128, memory="1024Gi")
        left = min(GPUS, free)
        free -= left
        for pod in range(GPUS - left):
            yield a_pod(f"{name}-{pod}", node=name, gpus=1, cpu=4, memory="16Gi")


def _expect(found: Standing, expected: Standing) -> None:
    if found is not expected:
        raise RuntimeError(f"a claim came to {found.value}, not {expected.value}")
