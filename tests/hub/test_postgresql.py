"""A hub whose database is PostgreSQL: a restart, and a database that goes away and returns."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from tests.postgres import Server, a_server

from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE
from .reasons import a_pod
from .test_hub_restarts import Hub
from .test_hub_restarts import new_hub as new_hub  # noqa: PLC0414 - a fixture
from .test_waiting_through_restarts import ask, is_whole, place_of, stop, until_waiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN = "root"
PEOPLE = ("running", "second", "third", "guest")
ALL = {"groups": ["people"], "profiles": ["cpu", "one"]}
GUESTS_TOO = {"groups": ["guests"], "profiles": ["cpu"]}


@dataclass(frozen=True)
class Kept:
    """A hub and its database."""

    hub: Hub
    database: Server

    async def save(self, rules: list[Any], parent: int) -> tuple[int, Any]:
        visitor = await self.hub.visitor(ADMIN)
        body = {"access": rules, "parent": parent, "why": "a test"}
        answer = await visitor.api("PUT", "gpuspawner/access", body)
        return answer.status, answer.text

    async def revision(self) -> Any:
        visitor = await self.hub.visitor(ADMIN)
        answer = await visitor.api("GET", "gpuspawner/access")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)["revision"]

    async def start(self, name: str) -> int:
        visitor = await self.hub.visitor(name)
        answer = await visitor.api("POST", f"users/{name}/server", {"profile": "cpu"})
        return answer.status


def is_logged(hub: Hub, words: str) -> bool:
    return words in hub.log.read_text()


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(HERE / "waiting_cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def kept(database: Server, new_hub: Hub) -> Kept:
    new_hub.configure(
        {
            "access_mode": "page",
            "catalog": str(HERE / "waiting_catalog.yaml"),
            "database_url": database.new_database(),
            "people": {
                **{name: {"groups": ["people"]} for name in PEOPLE},
                "guest": {"groups": ["guests"]},
                ADMIN: {"groups": [], "admin": True},
            },
        }
    )
    await new_hub.begin()
    return Kept(new_hub, database)


async def test_servers_edits_and_the_line_outlive_the_hub(kept: Kept) -> None:
    hub = kept.hub
    guest = await hub.visitor("guest")
    assert (await guest.get("hub/spawn")).status == 403
    assert (await kept.save([ALL, GUESTS_TOO], 0))[0] == 200
    await ask(hub, "running", "one")
    pod = await place_of(hub, "running")
    await ask(hub, "third", "one")
    await until_waiting(hub, "third", "first")
    await ask(hub, "second", "one")
    await until_waiting(hub, "second", "number 2")
    await hub.end(signal.SIGKILL)
    await hub.begin()
    assert (await kept.revision()) == 1
    assert (await hub.pod_of("running"))["metadata"]["uid"] == pod["metadata"]["uid"]
    await is_whole(hub, "running")
    await until_waiting(hub, "third", "first")
    await until_waiting(hub, "second", "number 2")
    await ask(hub, "guest", "cpu")
    await place_of(hub, "guest", "plain-1")
    await stop(hub, "guest")
    assert (await guest.get("hub/spawn")).status == 200


async def test_a_database_that_goes_away_gives_nothing_and_all_of_it_goes_on_after(
    kept: Kept,
) -> None:
    hub = kept.hub
    assert hub.process is not None
    kept.database.end()
    # JupyterHub knows nobody without it; the proxy, and with it what runs, does without.
    assert await kept.start("guest") in (403, 500)
    status, text = await kept.save([], 1)
    assert status in (403, 500), text
    page = await (await hub.visitor("guest")).get("hub/spawn")
    assert (page.url.partition("?")[0], 'name="profile"' in page.text) == (
        f"{hub.url}hub/login",
        False,
    )
    assert (await (await hub.visitor("running")).get("user/running/api")).status == 200
    assert hub.process.returncode is None
    assert hub.pods_of("guest") == []
    # At news of the cluster those in line look whether it is their turn: who they are is not known.
    news = a_pod("news", {"cpu": "1m"}, nodeName="plain-1")
    hub.cluster.store.create(PODS, "kube-system", news)
    for name in ("third", "second"):
        words = f"jupyter-{name} goes on waiting"
        await hub.until(partial(is_logged, hub, words), words)
    kept.database.begin()

    async def is_back() -> bool:
        return (await (await hub.visitor(ADMIN)).get("hub/home")).status == 200

    await hub.until(is_back, "back")
    for visitor in hub.visitors.values():
        # As nobody they were given another token against forged requests.
        await visitor.get("hub/home")
    assert await kept.revision() == 1
    await ask(hub, "guest", "cpu")
    await place_of(hub, "guest", "plain-1")
    await is_whole(hub, "running")
    await stop(hub, "running")
    await place_of(hub, "third")
    await until_waiting(hub, "second", "first")
    assert (await kept.save([ALL], 1))[0] == 200
    assert hub.process.returncode is None
