"""Row 14: who may have what is changed while a form is open and while a server is being started.

What is submitted is judged by what is in force then, within 5 s of the change; a start that was let
through goes on. Two admins at once are in `tests/hub/test_admin_pages.py`, and two hubs at once in
`tests/database/test_store.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubespawner import KubeSpawner
from tests.hub.conftest import HERE, Hub, cards, configuration, running_hub
from tests.hub.doors import form

from gpuspawner.access import GIT, PAGE, Draft, Mode
from gpuspawner.hub.access import in_force_of
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOG = (HERE / "catalog.yaml").read_text()
CPU_ONLY = CATALOG.replace(
    "groups: [gpu-users]\n    profiles: [gpu, huge]", "users: [x]\n    profiles: [gpu]"
)
NAME, WATCHER = "gpu-users-1", "gpu-users-2"
GPU = {"profile": "gpu", "image": "stable"}
WITHIN = 5.0


class ConfigMap:
    """A volume as the kubelet writes it: a link to a directory, swapped for another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "catalog.yaml"
        self._numbers = count(1)
        self.swap(CATALOG)
        self.path.symlink_to("..data/catalog.yaml")

    def swap(self, text: str) -> None:
        fresh = self.directory / f"..{next(self._numbers)}"
        fresh.mkdir()
        (fresh / "catalog.yaml").write_text(text)
        link = self.directory / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(self.directory / "..data")


@dataclass
class Site:
    hub: Hub
    config_map: ConfigMap

    async def shown(self, name: str, slugs: set[str]) -> None:
        """Wait, at most as long as is promised, until the form has these profiles."""
        async with asyncio.timeout(WITHIN):
            while set(await cards(self.hub, name)) != slugs:  # noqa: ASYNC110 - as people do
                await asyncio.sleep(0.05)


async def swapped(site: Site) -> None:
    site.config_map.swap(CPU_ONLY)
    await site.shown(WATCHER, {"cpu"})


async def saved(site: Site) -> None:
    rules = ({"users": ["*"], "profiles": ["cpu"]},)
    await in_force_of(site.hub.app).save(Draft(rules, 0, "admins-0", "the course is over"))
    await site.shown(WATCHER, {"cpu"})


async def left(site: Site) -> None:
    """The hub has no say of a group: what the sign-in said last is in its database."""
    site.hub.app.users[NAME].orm_user.groups = []
    site.hub.app.db.commit()
    await asyncio.sleep(0)


CHANGES = pytest.mark.parametrize(
    ("mode", "change"),
    [
        pytest.param(GIT, swapped, id="a ConfigMap is swapped"),
        pytest.param(PAGE, saved, id="an edit is saved"),
        pytest.param(GIT, left, id="the person leaves the group"),
    ],
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(HERE / "cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@asynccontextmanager
async def a_site(cluster: SimCluster, directory: Path, mode: Mode) -> AsyncIterator[Site]:
    config_map = ConfigMap(directory)
    config = configuration(cluster, config_map.path)
    config.GPUSpawner.access_mode = mode
    async with running_hub(cluster, config) as hub:
        yield Site(hub, config_map)


@CHANGES
async def test_what_was_open_to_a_form_is_refused_when_it_is_submitted(
    cluster: SimCluster, tmp_path: Path, mode: Mode, change: Callable[[Site], Awaitable[None]]
) -> None:
    async with a_site(cluster, tmp_path, mode) as site:
        await site.shown(WATCHER, {"cpu", "gpu", "huge"})
        await site.shown(NAME, {"cpu", "gpu", "huge"})
        await change(site)
        answer = await form(site.hub, NAME, GPU)
        assert answer.status == 403
        assert site.hub.pods_of(NAME) == []


@CHANGES
async def test_a_start_that_was_let_through_goes_on_and_the_next_is_refused(
    cluster: SimCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    change: Callable[[Site], Awaitable[None]],
) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    create = KubeSpawner._make_create_pod_request

    async def create_later(self: KubeSpawner, *args: Any, **kwargs: Any) -> Any:
        begun.set()
        await goes_on.wait()
        return await create(self, *args, **kwargs)

    monkeypatch.setattr(KubeSpawner, "_make_create_pod_request", create_later)
    async with a_site(cluster, tmp_path, mode) as site:
        await site.shown(NAME, {"cpu", "gpu", "huge"})
        start = asyncio.create_task(site.hub.start_server(NAME, "gpu"))
        await asyncio.wait_for(begun.wait(), 30)
        await change(site)
        goes_on.set()
        assert (await start).status in (201, 202)
        [pod] = site.hub.pods_of(NAME)
        assert pod["metadata"]["labels"]["gpuspawner/profile"] == "gpu"
        await site.hub.stop_server(NAME)
        assert (await site.hub.start_server(NAME, "gpu")).status == 403


async def test_a_bad_swap_takes_nothing_away_and_a_good_one_after_it_counts(
    cluster: SimCluster, tmp_path: Path
) -> None:
    async with a_site(cluster, tmp_path, GIT) as site:
        everything = {"cpu", "gpu", "huge"}
        await site.shown(NAME, everything)
        site.config_map.swap("profiles: [nonsense")
        access = in_force_of(site.hub.app)
        async with asyncio.timeout(WITHIN):
            while access.status.file.problem is None:
                await site.shown(NAME, everything)
        assert (await site.hub.start_server(NAME, "gpu")).status == 201
        await site.hub.stop_server(NAME)
        site.config_map.swap(CPU_ONLY)
        await site.shown(NAME, {"cpu"})
        assert access.status.file.problem is None
