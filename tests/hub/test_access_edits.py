"""Saved edits of the access on a real hub: the form, the start, other processes, a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.postgres import a_server

from gpuspawner.access import PAGE, Draft
from gpuspawner.catalog import load_catalog
from gpuspawner.database import AccessStore, engine_for, migrate
from gpuspawner.database.tables import VERSION_TABLE
from gpuspawner.hub.access import in_force_of
from gpuspawner.in_force import in_force
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOG = HERE / "catalog.yaml"
WITHIN = 5.0
EVERYONE_ALL = {"users": ["*"], "profiles": ["*"]}
CPU_ONLY = {"users": ["*"], "profiles": ["cpu"]}


@asynccontextmanager
async def a_hub(cluster: SimCluster, database: str) -> AsyncIterator[Hub]:
    config = configuration(cluster)
    config.GPUSpawner.access_mode = PAGE
    async with running_hub(cluster, config, database) as hub:
        yield hub
    # A hub that ends takes its connections with it; this one's process goes on.
    in_force_of(hub.app).store.close()
    hub.app.db.close()
    hub.app.session_factory.kw["bind"].dispose()


async def offered(hub: Hub, name: str, slugs: set[str]) -> None:
    """Wait, at most as long as is promised, until the form has these profiles."""
    async with asyncio.timeout(WITHIN):
        while set(await cards(hub, name)) != slugs:  # noqa: ASYNC110 - as people do
            await asyncio.sleep(0.1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.sqlite"
        return
    with a_server() as server:
        yield server.new_database()


async def test_an_edit_is_in_force_for_the_form_and_the_start(
    cluster: SimCluster, database: str, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    async with a_hub(cluster, database) as hub:
        await offered(hub, name, {"cpu"})
        assert (await hub.start_server(name, "gpu")).status == 403
        access = in_force_of(hub.app)
        assert access is in_force(CATALOG, PAGE)
        await access.save(Draft((EVERYONE_ALL,), 0, "admins-0", "a workshop"))
        assert set(await cards(hub, name)) == {"cpu", "gpu", "huge"}, "at once in this process"
        assert (await hub.start_server(name, "gpu")).status == 201
        await hub.stop_server(name)

        other_process = AccessStore(lambda: engine_for(database))
        draft = Draft((CPU_ONLY,), 1, "admins-1")
        await asyncio.to_thread(other_process.save, draft, load_catalog(CATALOG))
        await offered(hub, name, {"cpu"})
        assert (await hub.start_server(name, "gpu")).status == 403

    async with a_hub(cluster, database) as hub:
        await offered(hub, name, {"cpu"})
        assert in_force(CATALOG, PAGE).status.access.revision == other_process.latest()
        history = [(r.number, r.who, r.why) for r in other_process.history()]
        other_process.close()
        assert history == [(2, "admins-1", ""), (1, "admins-0", "a workshop")]


async def test_where_the_access_was_never_known_nobody_starts_anything_and_the_hub_stays_up(
    cluster: SimCluster, new_name: Callable[[str], str]
) -> None:
    async with a_hub(cluster, "sqlite:///:memory:") as hub:
        hub.app.db_url = "postgresql+psycopg://127.0.0.1:1/none"
        name = new_name("gpu-users")
        visitor = await hub.visitor(name)
        answer = await visitor.get("hub/spawn")
        assert answer.status == 503
        assert "The list of server profiles cannot be read at the moment." in answer.text
        assert "psycopg" not in answer.text
        assert (await hub.start_server(name, "cpu")).status == 503
        assert (await visitor.get("hub/home")).status == 200


async def test_tables_of_a_later_version_let_nobody_start_anything_and_the_hub_stays_up(
    cluster: SimCluster,
    database: str,
    new_name: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def is_of(version: str) -> None:
        engine = engine_for(database)
        if version != "0001":
            migrate(engine)
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))
        engine.dispose()

    await asyncio.to_thread(is_of, "9999")
    async with a_hub(cluster, database) as hub:
        name = new_name("gpu-users")
        visitor, admin = await hub.visitor(name), await hub.visitor("admins-0")
        assert (await visitor.get("hub/spawn")).status == 503
        assert (await hub.start_server(name, "cpu")).status == 503
        assert (await visitor.get("hub/home")).status == 200
        assert "of a later version of gpuspawner" in caplog.text
        for page in ("", "/rules"):
            assert (await admin.get(f"hub/gpuspawner/admin{page}")).status == 200
        assert (await admin.api("GET", "gpuspawner/access")).status == 503
        asked = {"access": [EVERYONE_ALL], "parent": 0, "why": "to try"}
        assert (await admin.api("PUT", "gpuspawner/access", asked)).status == 503
        await asyncio.to_thread(is_of, "0001")
        async with asyncio.timeout(WITHIN):
            while (await visitor.get("hub/spawn")).status != 200:  # noqa: ASYNC110 - as people do
                await asyncio.sleep(0.1)
        assert set(await cards(hub, name)) == {"cpu", "gpu", "huge"}
