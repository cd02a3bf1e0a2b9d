"""What the cluster's page knows of the hub's servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from gpuspawner.hub.cluster import looking

SERVERS, SECONDS = 40, 0.004


class Spawner(SimpleNamespace):
    """One whose ``profile_list`` takes a while to read."""

    active, pending, namespace = True, "", "jupyterhub"
    wait, pool_to_grow = None, ""
    user_options: Mapping[str, Any] = {"profile": "of-the-list"}
    orm_spawner = SimpleNamespace(started=None)

    @property
    def catalog(self) -> Any:
        time.sleep(SECONDS)
        return None


async def test_the_event_loop_has_its_turns_while_many_servers_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "GPUSpawner", Spawner)
    users = [
        SimpleNamespace(name=f"u{at}", spawners={"": Spawner(name="", pod_name=f"jupyter-u{at}")})
        for at in range(SERVERS)
    ]
    looks = asyncio.ensure_future(looking.holders_of(users, None))
    turns = 0
    while not looks.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(looks.result()) == SERVERS
    assert turns > SERVERS // 5
