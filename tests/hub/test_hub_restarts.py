"""A hub that is killed while servers start, and the next one: row 12 of the acceptance matrix."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.ports import a_port

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.faults import Drop, Hang
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, NAMESPACE, PASSWORD, Answer, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60.0
PEOPLE = (
    "waiting",
    "patient",
    "placed",
    "creating",
    "running",
    "cancelling",
    "deleted",
    "rejected",
    "late",
    "outlasting",
    "silent",
)
NODE = "plain-1"
PODS_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"


@dataclass
class Hub:
    """A hub as a process, the proxy beside it, and people at their browsers."""

    cluster: SimCluster
    directory: Path
    url: str
    hub_url: str
    log: Path
    process: asyncio.subprocess.Process | None = None
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def configure(self, changes: dict[str, Any]) -> None:
        """Change the settings of the next hub that begins."""
        file = self.directory / "settings.json"
        settings = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(settings | changes))

    async def begin(self) -> None:
        """Start it, and wait until it has looked at every server there is."""
        self.log = self.directory / f"hub-{len(list(self.directory.glob('hub-*.log')))}.log"
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jupyterhub"),
                *("-f", str(HERE / "restarted_hub_config.py")),
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self.env,
            )
        await self.until(self._is_up, "to begin")

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal, after which nothing is left of it but its database."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            await asyncio.wait_for(self.process.wait(), SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"not ended; its log:\n{self.log.read_text()}") from error

    @property
    def env(self) -> dict[str, str]:
        token = (self.directory / "proxy-token").read_text()
        settings = str(self.directory / "settings.json")
        return {**os.environ, "HUB_SETTINGS": settings, "CONFIGPROXY_AUTH_TOKEN": token}

    async def until(self, condition: Any, what: str) -> Any:
        try:
            return await self.cluster.wait_until(condition, SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"not {what}; the hub's log:\n{self.log.read_text()}") from error

    async def visitor(self, name: str) -> Visitor:
        if name not in self.visitors:
            session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            visitor = self.visitors[name] = Visitor(name, session, self.url)
            await visitor.get("hub/login")
            await visitor.post_form("hub/login", {"username": name, "password": PASSWORD})
            await visitor.get("hub/home")
        return self.visitors[name]

    async def start_server(self, name: str, server: str = "") -> Answer:
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        return await (await self.visitor(name)).api("POST", path, {"profile": "cpu"})

    async def servers(self, name: str) -> dict[str, Any]:
        """The servers of somebody that are there, as the API tells it."""
        answer = await (await self.visitor(name)).api("GET", f"users/{name}")
        assert answer.status == 200, answer.text
        servers: dict[str, Any] = json.loads(answer.text)["servers"]
        return servers

    async def until_ready(self, name: str, server: str = "") -> None:
        async def is_ready() -> bool:
            return bool((await self.servers(name)).get(server, {}).get("ready"))

        await self.until(is_ready, f"ready: {name}")

    async def until_stopped(self, name: str) -> None:
        async def is_stopped() -> bool:
            return not await self.servers(name)

        await self.until(is_stopped, f"stopped: {name}")

    async def pending_page(self, name: str) -> Answer:
        return await (await self.visitor(name)).get(f"hub/spawn-pending/{name}")

    def pods_of(self, name: str) -> list[Object]:
        pods, _ = self.cluster.store.list(PODS, NAMESPACE)
        return [
            pod
            for pod in pods
            if pod["metadata"]["annotations"].get("hub.jupyter.org/username") == name
        ]

    async def pod_of(self, name: str) -> Object:
        """The one pod that somebody has."""
        await self.until(lambda: self.pods_of(name), f"a pod of {name}")
        (pod,) = self.pods_of(name)
        return pod

    def tokens_of(self, name: str) -> int:
        """How many servers of somebody may use the hub's API."""
        with closing(sqlite3.connect(self.directory / "hub.sqlite")) as database:
            query = "SELECT count(*) FROM api_tokens WHERE note = ?"
            (number,) = database.execute(query, [f"Server at /base/user/{name}/"]).fetchone()
        return int(number)

    def bind(self, pod: Object) -> None:
        self.cluster.store.bind(NAMESPACE, pod["metadata"]["name"], NODE)

    async def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.log.read_text()
        if " spawners in " not in self.log.read_text():
            return False
        try:
            async with aiohttp.request("GET", f"{self.url}hub/api/") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def new_hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("hub")
    url, hub_url, proxy_api_url = (f"http://127.0.0.1:{a_port()}" for _ in range(3))
    settings: dict[str, Any] = {
        "catalog": str(HERE / "catalog.yaml"),
        "cluster": cluster.url,
        "cmd": [sys.executable, "-m", "jupyterhub.tests.mocksu"],
        "cookie_secret": secrets.token_hex(32),
        "database": str(directory / "hub.sqlite"),
        "end_of_silent": str(directory / "end"),
        "hub_url": hub_url,
        "namespace": NAMESPACE,
        "password": PASSWORD,
        "people": {name: {"groups": ["students"]} for name in PEOPLE},
        "proxy_api_url": proxy_api_url,
        "start_timeout": 600,
        "url": f"{url}/base/",
    }
    (directory / "proxy-token").write_text(secrets.token_hex(32))
    hub = Hub(cluster, directory, settings["url"], hub_url, directory / "none")
    hub.configure(settings)
    async with AsyncExitStack() as stack:
        proxy = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("configurable-http-proxy"),
            *("--ip", "127.0.0.1", "--port", url.rpartition(":")[2]),
            *("--api-ip", "127.0.0.1", "--api-port", proxy_api_url.rpartition(":")[2]),
            *("--default-target", hub_url),
            env=hub.env,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        stack.push_async_callback(proxy.wait)
        stack.callback(proxy.kill)
        yield hub
        for visitor in hub.visitors.values():
            await visitor.session.close()
        if hub.process is not None and hub.process.returncode is None:
            await hub.end(signal.SIGKILL)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(new_hub: Hub) -> AsyncIterator[Hub]:
    """The next hub, after one was killed in the middle of everything."""
    hub = new_hub
    await hub.begin()
    for name in set(PEOPLE) - {"placed", "creating", "outlasting"}:
        await hub.start_server(name)
        await hub.pod_of(name)
    await hub.start_server("placed", "second")
    await hub.pod_of("placed")
    hub.bind(await hub.pod_of("running"))
    await hub.until_ready("running")
    hub.bind(await hub.pod_of("silent"))
    await hub.until(lambda: hub.pods_of("silent")[0]["status"]["phase"] == "Running", "running")
    creates = hub.cluster.faults.count("create", PODS_PATH)
    hanging = hub.cluster.faults.add(Hang(), verb="create", resource="pods", times=None)
    await hub.start_server("creating")
    await hub.until(lambda: hub.cluster.faults.count("create", PODS_PATH) > creates, "a create")
    uids = {name: [pod["metadata"]["uid"] for pod in hub.pods_of(name)] for name in PEOPLE}
    await hub.end(signal.SIGKILL)
    hub.cluster.faults.remove(hanging)
    hub.bind(await hub.pod_of("placed"))
    with closing(sqlite3.connect(hub.directory / "hub.sqlite")) as database, database:
        database.execute(
            "UPDATE spawners SET started = datetime(started, '-1 hour') WHERE user_id ="
            " (SELECT id FROM users WHERE name = 'late')"
        )
    hub.configure({"start_timeout": 500})
    await hub.begin()
    assert uids["creating"] == []
    for name in set(PEOPLE) - {"late"}:
        assert [pod["metadata"]["uid"] for pod in hub.pods_of(name)] == uids[name]
    yield hub


async def words_of_failure(hub: Hub, name: str) -> str:
    """What the person reads whose start failed, once nothing of it is left."""
    await hub.until_stopped(name)
    assert hub.pods_of(name) == []
    page = await hub.pending_page(name)
    assert page.status == 503, page.text
    return page.text


async def first_event(hub: Hub, name: str) -> dict[str, Any]:
    visitor = await hub.visitor(name)
    # Asked of the hub itself: the proxy that is written in Python passes no streams on.
    url = f"{hub.hub_url}/base/hub/api/users/{name}/server/progress"
    referer = {"Referer": f"{hub.hub_url}/base/hub/spawn-pending/{name}"}
    async with visitor.session.get(url, headers=referer, params={"_xsrf": visitor._xsrf}) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data:"):
                event: dict[str, Any] = json.loads(line.removeprefix(b"data:"))
                return event
    raise AssertionError("no event came")


async def test_a_pod_that_waits_is_kept_and_its_start_goes_on(hub: Hub) -> None:
    pod = await hub.pod_of("waiting")
    assert "nodeName" not in pod["spec"]
    assert (await hub.servers("waiting"))[""]["pending"] == "spawn"
    page = await (await hub.visitor("waiting")).get("hub/spawn")
    assert page.url.endswith("/hub/spawn-pending/waiting")
    assert page.status == 200, page.text
    assert (await first_event(hub, "waiting"))["message"] == "Server requested"
    hub.bind(pod)
    await hub.until_ready("waiting")
    assert (await hub.pod_of("waiting"))["metadata"]["uid"] == pod["metadata"]["uid"]
    visitor = await hub.visitor("waiting")
    assert (await visitor.get("user/waiting/api")).status == 200
    await visitor.api("DELETE", "users/waiting/server")
    await hub.until_stopped("waiting")
    assert hub.pods_of("waiting") == []


async def test_a_pod_that_got_its_place_while_no_hub_ran_becomes_a_server(hub: Hub) -> None:
    await hub.until_ready("placed", "second")
    visitor = await hub.visitor("placed")
    assert (await visitor.get("user/placed/second/api")).status == 200
    assert len(hub.pods_of("placed")) == 1


async def test_of_a_start_that_had_no_pod_yet_nothing_is_left(hub: Hub) -> None:
    assert hub.pods_of("creating") == []
    assert await hub.servers("creating") == {}
    page = await (await hub.visitor("creating")).get("hub/spawn")
    assert page.status == 200
    assert 'name="profile"' in page.text
    await hub.start_server("creating")
    hub.bind(await hub.pod_of("creating"))
    await hub.until_ready("creating")


async def test_a_server_that_ran_goes_on(hub: Hub) -> None:
    assert (await hub.servers("running"))[""]["ready"]
    assert (await (await hub.visitor("running")).get("user/running/api")).status == 200


async def test_a_start_can_be_cancelled(hub: Hub) -> None:
    assert hub.tokens_of("cancelling") == 1
    visitor = await hub.visitor("cancelling")
    answer = await visitor.api("DELETE", "users/cancelling/server")
    assert answer.status in (202, 204), answer.text
    await hub.until_stopped("cancelling")
    assert hub.pods_of("cancelling") == []
    assert hub.tokens_of("cancelling") == 0
    assert 'name="profile"' in (await visitor.get("hub/spawn")).text


async def test_a_pod_that_is_deleted_in_the_cluster_ends_the_start_with_words(hub: Hub) -> None:
    pod = await hub.pod_of("deleted")
    hub.cluster.store.delete(PODS, NAMESPACE, pod["metadata"]["name"])
    assert "was deleted in the cluster" in await words_of_failure(hub, "deleted")


async def test_a_pod_that_fails_ends_the_start_with_words(hub: Hub) -> None:
    pod = await hub.pod_of("rejected")
    failed = {"status": {"phase": "Failed", "reason": "Evicted"}}
    name = pod["metadata"]["name"]
    hub.cluster.store.patch(
        PODS, NAMESPACE, name, failed, kind=PatchKind.MERGE, subresource="status"
    )
    assert "The node ran short of memory" in await words_of_failure(hub, "rejected")


async def test_a_notebook_that_was_waited_for_is_waited_for_by_the_next_hub(hub: Hub) -> None:
    assert (await hub.servers("silent"))[""]["pending"] == "spawn"
    (hub.directory / "end").touch()
    words = "The server ended right after its start (exit code 3)."
    assert words in await words_of_failure(hub, "silent")


async def test_the_time_to_start_counts_from_before_the_restart(hub: Hub) -> None:
    assert "was not ready within 600 s" in await words_of_failure(hub, "late")


async def test_pods_are_kept_by_a_hub_that_begins_while_the_cluster_is_away(hub: Hub) -> None:
    await hub.start_server("outlasting")
    names = ("outlasting", "patient")  # of whom one waits through two restarts
    uids = [(await hub.pod_of(name))["metadata"]["uid"] for name in names]
    await hub.end(signal.SIGTERM)  # as an upgrade of the chart does
    away = hub.cluster.faults.add(Drop(), times=None)
    await hub.begin()
    for name in names:
        assert (await hub.servers(name))[""]["pending"] == "spawn"
    hub.cluster.faults.remove(away)
    for name, uid in zip(names, uids, strict=True):
        pod = await hub.pod_of(name)
        assert pod["metadata"]["uid"] == uid
        hub.bind(pod)
        await hub.until_ready(name)
        assert (await (await hub.visitor(name)).get(f"user/{name}/api")).status == 200
