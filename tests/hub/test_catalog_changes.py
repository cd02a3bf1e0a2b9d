"""The catalog's file is changed while a real hub runs, and while a server is being started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubespawner import KubeSpawner

from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOG = (HERE / "catalog.yaml").read_text()
WITHIN = 5.0


@dataclass
class Changing:
    hub: Hub
    file: Path

    async def titled(self, name: str, words: str) -> None:
        """Wait, at most as long as is promised, until the form says so."""
        visitor = await self.hub.visitor(name)
        async with asyncio.timeout(WITHIN):
            while words not in (await visitor.get("hub/spawn")).text:  # noqa: ASYNC110 - as people do
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def changing(
    cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Changing]:
    file = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    file.write_text(CATALOG)
    async with running_hub(cluster, configuration(cluster, file)) as hub:
        yield Changing(hub, file)


@pytest.fixture(autouse=True)
def put_back(changing: Changing) -> None:
    changing.file.write_text(CATALOG)


async def test_the_form_and_the_start_follow_the_file(
    changing: Changing, new_name: Callable[[str], str]
) -> None:
    hub, name = changing.hub, new_name("students")
    await changing.titled(name, "Plain CPU")
    assert (await hub.start_server(name, "gpu")).status == 403
    text = CATALOG.replace("groups: [gpu-users]", "groups: [gpu-users, students]")
    changing.file.write_text(text)
    await changing.titled(name, "One GPU")
    assert (await hub.start_server(name, "gpu")).status == 201
    await hub.stop_server(name)
    changing.file.write_text(CATALOG)
    async with asyncio.timeout(WITHIN):
        while (await hub.start_server(name, "gpu")).status != 403:
            await hub.stop_server(name)
    assert set(await cards(hub, name)) == {"cpu"}


async def test_a_bad_file_changes_nothing_for_people(
    changing: Changing, new_name: Callable[[str], str]
) -> None:
    hub, name = changing.hub, new_name("gpu-users")
    changing.file.write_text(CATALOG.replace("Plain CPU", "Simple CPU"))
    await changing.titled(name, "Simple CPU")
    changing.file.write_text("profiles: [nonsense")
    spawner = hub.app.users[name].spawners[""]
    async with asyncio.timeout(WITHIN):
        while spawner.in_force.status.file.problem is None:
            await changing.titled(name, "Simple CPU")
    assert (await hub.start_server(name, "cpu")).status == 201
    await hub.stop_server(name)
    changing.file.write_text(CATALOG)
    await changing.titled(name, "Plain CPU")
    assert spawner.in_force.status.file.problem is None


async def test_a_start_under_way_keeps_what_it_was_judged_by(
    changing: Changing, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, name = changing.hub, new_name("gpu-users")
    await changing.titled(name, "One GPU")
    begun, goes_on = asyncio.Event(), asyncio.Event()
    create = KubeSpawner._make_create_pod_request

    async def create_later(self: KubeSpawner, *args: Any, **kwargs: Any) -> Any:
        begun.set()
        await goes_on.wait()
        return await create(self, *args, **kwargs)

    monkeypatch.setattr(KubeSpawner, "_make_create_pod_request", create_later)
    start = asyncio.create_task(hub.start_server(name, "gpu"))
    await asyncio.wait_for(begun.wait(), 30)
    gone = CATALOG.replace("slug: gpu\n", "slug: other\n").replace("[gpu, huge]", "[other]")
    changing.file.write_text(gone.replace("One GPU", "Another"))
    other = new_name("gpu-users")
    await changing.titled(other, "Another")
    spawner = hub.app.users[name].spawners[""]
    assert spawner.profile_title == "One GPU"
    goes_on.set()
    assert (await start).status in (201, 202)
    [pod] = hub.pods_of(name)
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"
    assert (await hub.start_server(other, "gpu")).status == 403
    await hub.stop_server(name)
    assert (await hub.start_server(name, "gpu")).status == 403, "the next start is judged anew"
