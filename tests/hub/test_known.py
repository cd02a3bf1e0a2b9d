"""Whom the hub knows, read of its database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from jupyterhub import orm
from sqlalchemy import Connection

from gpuspawner.access import PAGE
from gpuspawner.database import AccessStore
from gpuspawner.hub.admin.base import Known, everybody
from gpuspawner.policy import Person
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import configured
from .conftest import running_hub
from .doors import ADMIN

T = TypeVar("T")
GROUPS = {"zoe": {"bio", "hpc"}, "ada": {"hpc"}, "kim": set[str]()}


def test_all_users_with_their_groups_and_groups_that_nobody_is_in() -> None:
    db = orm.new_session_factory("sqlite:///:memory:")()
    groups = {name: orm.Group(name=name) for name in ("hpc", "empty", "bio")}
    db.add_all(groups.values())
    for name, theirs in GROUPS.items():
        user = orm.User(name=name)
        db.add(user)
        user.groups = [groups[group] for group in theirs]
    db.commit()
    people = tuple(Person(name, frozenset(GROUPS[name])) for name in ("ada", "kim", "zoe"))
    assert everybody(db) == Known(people, ("bio", "empty", "hpc"))
    db.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_database_that_is_slow_to_tell_of_them_keeps_nobody_else_waiting(
    cluster: SimCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, may_answer = asyncio.Event(), threading.Event()
    loop, read = asyncio.get_running_loop(), AccessStore.read

    def slowly(self: AccessStore, work: Callable[[Connection], T]) -> T:
        loop.call_soon_threadsafe(is_asked.set)
        assert may_answer.wait(30)
        return read(self, work)

    monkeypatch.setattr(AccessStore, "read", slowly)
    database = f"sqlite:///{tmp_path}/hub.sqlite"
    async with running_hub(cluster, configured(cluster, PAGE), database) as hub:
        admin = await hub.visitor(ADMIN)
        near = asyncio.create_task(admin.get(f"hub/gpuspawner/admin/why?user={ADMIN}s"))
        try:
            async with asyncio.timeout(30):
                await is_asked.wait()
            assert (await admin.get("hub/home")).status == 200
            assert not near.done()
        finally:
            may_answer.set()
        assert f"There is {ADMIN}." in (await near).text
