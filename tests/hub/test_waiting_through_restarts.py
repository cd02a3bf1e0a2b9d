"""A hub that ends while people wait in line, and the next one."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import aiohttp
import pytest
import pytest_asyncio

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, NAMESPACE
from .test_hub_restarts import SECONDS, Hub
from .test_hub_restarts import new_hub as new_hub  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_A_TEST = ("sigkill", "sigterm", "renamed")
PEOPLE = [f"{of_a_test}-{number}" for of_a_test in OF_A_TEST for number in range(4)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(HERE / "waiting_cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(new_hub: Hub) -> Hub:
    new_hub.configure(
        {
            "catalog": str(HERE / "waiting_catalog.yaml"),
            "people": {name: {"groups": ["people"]} for name in PEOPLE},
            "start_timeout": 60,
        }
    )
    await new_hub.begin()
    return new_hub


async def ask(hub: Hub, name: str, profile: str = "one") -> None:
    visitor = await hub.visitor(name)
    answer = await visitor.api("POST", f"users/{name}/server", {"profile": profile})
    assert answer.status in (201, 202), answer.text


async def stop(hub: Hub, name: str) -> None:
    await (await hub.visitor(name)).api("DELETE", f"users/{name}/server")
    await hub.until_stopped(name)


async def place_of(hub: Hub, name: str, node: str = "one-1") -> Any:
    """The pod of somebody whose turn it is, on a node: that with the only device."""
    pod = await hub.pod_of(name)
    hub.cluster.store.bind(NAMESPACE, pod["metadata"]["name"], node)
    await hub.until_ready(name)
    return pod


async def until_waiting(hub: Hub, name: str, place: str) -> None:
    told = ""

    async def is_told() -> bool:
        nonlocal told
        page = await hub.pending_page(name)
        found = re.search(r'id="gpuspawner-sentence"[^>]*>([^<]*)<', page.text)
        told = found[1] if found else page.url
        return told.startswith(f"You are {place} in line")

    try:
        await hub.cluster.wait_until(is_told, SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{name} is not {place}: {told}") from error
    assert (await hub.servers(name))[""]["pending"] == "spawn"
    assert hub.pods_of(name) == []


def rows(hub: Hub, *people: str) -> list[str]:
    """What the database has of servers of some people: tokens, servers, clients."""
    found = []
    with closing(sqlite3.connect(hub.directory / "hub.sqlite")) as database:
        for name in people:
            for table, column, value in (
                ("api_tokens", "note", f"Server at /base/user/{name}/"),
                ("servers", "base_url", f"/base/user/{name}/"),
                ("oauth_clients", "identifier", f"jupyterhub-user-{name}"),
            ):
                query = f"SELECT count(*) FROM {table} WHERE {column} = ?"
                (number,) = database.execute(query, [value]).fetchone()
                found += [f"{table} of {name}"] * number
    return found


async def is_whole(hub: Hub, name: str) -> None:
    """A server answers, may use the hub's API, and lets its owner sign in."""
    visitor = await hub.visitor(name)
    answer = await visitor.get(f"user/{name}/env")
    assert answer.status == 200, answer.text
    env = json.loads(answer.text)
    token = env["JUPYTERHUB_API_TOKEN"]
    headers = {"Authorization": f"token {token}"}
    async with aiohttp.request("GET", f"{hub.url}hub/api/user", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert (await response.json())["name"] == name
    client = {
        "client_id": env["JUPYTERHUB_CLIENT_ID"],
        "redirect_uri": env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
    }
    query = urlencode({**client, "response_type": "code", "state": "of-a-test"})
    answer = await visitor.get(f"hub/api/oauth2/authorize?{query}")
    (code,) = parse_qs(urlparse(answer.url).query)["code"]
    data = {**client, "client_secret": token, "grant_type": "authorization_code", "code": code}
    async with aiohttp.request("POST", f"{hub.url}hub/api/oauth2/token", data=data) as response:
        assert response.status == 200, await response.text()


@pytest.mark.parametrize("ended", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
async def test_those_who_wait_keep_their_places(hub: Hub, ended: signal.Signals) -> None:
    first, second, third, later = (f"{ended.name.lower()}-{number}" for number in range(4))
    await ask(hub, first)
    await place_of(hub, first)
    # The third by name comes first, so that no order but that of the line is the right one.
    await ask(hub, third)
    await until_waiting(hub, third, "first")
    await ask(hub, second)
    await until_waiting(hub, second, "number 2")
    before = rows(hub, second, third)
    assert len(before) == 6
    for _ in range(2):
        await hub.end(ended)
        await hub.begin()
        await until_waiting(hub, third, "first")
        await until_waiting(hub, second, "number 2")
    assert rows(hub, second, third) == before
    await ask(hub, later)
    await until_waiting(hub, later, "number 3")
    for gone, served, behind in ((first, third, second), (third, second, later)):
        await stop(hub, gone)
        await place_of(hub, served)
        await until_waiting(hub, behind, "first")
        await is_whole(hub, served)
    await stop(hub, later)
    await stop(hub, second)
    assert rows(hub, second, third, later) == []


async def test_pods_of_another_name_leave_nobody_in_line_by_the_old_one(hub: Hub) -> None:
    first, second, third, newcomer = (f"renamed-{number}" for number in range(4))
    await ask(hub, first)
    await place_of(hub, first)
    await ask(hub, third)
    await until_waiting(hub, third, "first")
    await ask(hub, second)
    await until_waiting(hub, second, "number 2")
    await hub.end(signal.SIGKILL)
    hub.configure({"pod_name_template": "renamed--{user_server}"})
    await hub.begin()
    await until_waiting(hub, third, "first")
    await until_waiting(hub, second, "number 2")
    await ask(hub, newcomer, "cpu")
    await place_of(hub, newcomer, "plain-1")
    await stop(hub, first)
    pod = await place_of(hub, third)
    assert pod["metadata"]["name"].startswith("renamed--")
    await until_waiting(hub, second, "first")
    await stop(hub, third)
    await place_of(hub, second)
    await stop(hub, second)
    await stop(hub, newcomer)
    await ask(hub, newcomer, "one-now")
    await place_of(hub, newcomer)
    await stop(hub, newcomer)
