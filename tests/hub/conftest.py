"""A real hub and its real proxy, on an embedded cluster whose pods are real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from jupyterhub.tests.mocking import MockHub
from kubespawner import KubeSpawner
from kubespawner.clients import load_config
from tests.ports import a_port
from traitlets.config import Config
from yarl import URL

import gpuspawner
from gpuspawner.capacity.shared import stop_shared_clusters
from gpuspawner.cli.demo_sign_in import DemoAuthenticator
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

HERE = Path(__file__).parent
NAMESPACE = "jupyterhub"
PASSWORD = "for tests"
_numbers = count(1)


@dataclass
class Answer:
    """What came back, redirects followed."""

    status: int
    text: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Visitor:
    """A person at a browser, signed in."""

    name: str
    session: aiohttp.ClientSession
    base: str

    async def get(self, path: str) -> Answer:
        return await self._send("GET", path)

    async def post_form(self, path: str, fields: dict[str, str]) -> Answer:
        return await self._send("POST", path, params={"_xsrf": self._xsrf}, data=fields)

    async def api(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "Referer": f"{self.base}hub/home",
            "X-XSRFToken": self._xsrf,
        }
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
        return await self._send(method, f"hub/api/{path}", data=body, headers=headers)

    @property
    def _xsrf(self) -> str:
        return self.session.cookie_jar.filter_cookies(URL(f"{self.base}hub/"))["_xsrf"].value

    async def _send(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, f"{self.base}{path}", **options) as response:
            text, url = await response.text(), str(response.url)
            return Answer(response.status, text, url, response.headers)


@dataclass
class Hub:
    """A running hub, its cluster, and the people who are signed in to it."""

    app: MockHub
    cluster: SimCluster
    base: str
    visitors: dict[str, Visitor] = field(default_factory=dict)

    async def visitor(self, name: str) -> Visitor:
        """`name` in a browser; the name's groups are what stands before its last dash."""
        if name not in self.visitors:
            session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            visitor = self.visitors[name] = Visitor(name, session, self.base)
            await visitor.get("hub/login")
            credentials = {"username": name, "password": PASSWORD}
            answer = await visitor.post_form("hub/login", credentials)
            assert "/hub/login" not in answer.url, answer.text
            await visitor.get("hub/home")
        return self.visitors[name]

    def pods_of(self, name: str) -> list[Object]:
        pods, _ = self.cluster.store.list(PODS, NAMESPACE)
        return [
            pod
            for pod in pods
            if pod["metadata"]["annotations"].get("hub.jupyter.org/username") == name
        ]

    async def start_server(self, name: str, profile: str) -> Answer:
        """Ask the API to start a person's default server, as that person."""
        visitor = await self.visitor(name)
        return await visitor.api("POST", f"users/{name}/server", {"profile": profile})

    async def stop_server(self, name: str, server: str = "") -> None:
        """Stop a server and wait until its pod is gone."""
        visitor = await self.visitor(name)
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        answer = await visitor.api("DELETE", path)
        assert answer.status in (202, 204), answer.text
        await self.cluster.wait_until(lambda: not self.pods_of(name), 30)

    @property
    def failures(self) -> int:
        """The hub's count of failed starts, of which a few in a row make it end itself."""
        return int(self.app.tornado_settings.get("failure_count", 0))


class Cards(HTMLParser):
    """The cards of a form: slug to (standing, words, whether it can be chosen)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str, bool]] = {}
        self._slug = self._standing = ""
        self._can_choose = self._reading = False
        self._words = ""
        self.feed(text)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if "data-profile" in attributes:
            self._slug = str(attributes["data-profile"])
            self._standing = str(attributes["data-standing"])
        if attributes.get("name") == "profile":
            self._can_choose = "disabled" not in attributes
        if "gpuspawner-now" in str(attributes.get("class")):
            self._reading, self._words = True, ""

    def handle_data(self, data: str) -> None:
        if self._reading:
            self._words += data

    def handle_endtag(self, _: str) -> None:
        if self._reading and self._words.strip():
            self._reading = False
            words = re.sub(r"\s+", " ", self._words).strip()
            self.found[self._slug] = (self._standing, words, self._can_choose)


async def cards(hub: Hub, name: str) -> dict[str, tuple[str, str, bool]]:
    visitor = await hub.visitor(name)
    answer = await visitor.get("hub/spawn")
    assert answer.status == 200, answer.text
    return Cards(answer.text).found


class People(dict[str, Any]):
    """Anybody can sign in: ``students-1`` is in the group students, ``nobody-1`` in none."""

    def get(self, name: str, default: Any = None) -> Any:
        del default
        group = name.rsplit("-", 1)[0]
        return {"groups": [] if group == "nobody" else [group], "admin": group == "admins"}


class AnybodyAuthenticator(DemoAuthenticator):
    """The demo's, for people who are made up as they come."""

    people = People()
    password = PASSWORD


def configuration(cluster: SimCluster, catalog: Path = HERE / "catalog.yaml") -> Config:
    # It is remembered by address, and a cluster may be given the port of one of before.
    load_config.cache_clear()
    c = Config()
    gpuspawner.setup(c, catalog)
    c.JupyterHub.bind_url = f"http://127.0.0.1:{a_port()}/base/"
    c.JupyterHub.hub_port = a_port()
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{a_port()}"
    c.JupyterHub.authenticator_class = AnybodyAuthenticator
    c.JupyterHub.allow_named_servers = True
    c.JupyterHub.cookie_secret = os.urandom(32)
    # What a hub does every so often goes on after it was stopped.
    c.JupyterHub.last_activity_interval = 3600
    c.Authenticator.manage_groups = True
    c.Authenticator.allow_all = True
    c.ConfigurableHTTPProxy.command = [
        str(Path(sys.executable).with_name("configurable-http-proxy"))
    ]
    c.ConfigurableHTTPProxy.pid_file = f"{tempfile.gettempdir()}/gpuspawner-{a_port()}.pid"
    c.KubeSpawner.k8s_api_host = cluster.url
    c.KubeSpawner.namespace = NAMESPACE
    c.KubeSpawner.cmd = [sys.executable, "-S", str(HERE / "notebook.py")]
    c.KubeSpawner.delete_grace_period = 1
    c.KubeSpawner.consecutive_failure_limit = 5
    return c


@asynccontextmanager
async def running_hub(
    cluster: SimCluster, config: Config, database: str = "sqlite:///:memory:"
) -> AsyncIterator[Hub]:
    MockHub.clear_instance()
    app = MockHub.instance(config=config)
    with pytest.MonkeyPatch.context() as patch:
        # A hub commits dozens of times for each start, and a disk takes its time for that.
        patch.setenv("JUPYTERHUB_TEST_DB_URL", database)
        await app.initialize([])
    await app.start()
    hub = Hub(app, cluster, app.proxy.public_url)
    try:
        yield hub
    finally:
        for visitor in hub.visitors.values():
            await visitor.session.close()
        await stop_shared_clusters()
        await KubeSpawner._stop_all_reflectors()
        await _stop(app)
        # A stop that was still under way may have begun one for the next hub to find.
        await KubeSpawner._stop_all_reflectors()


async def _stop(app: MockHub) -> None:
    """Stop the hub, but not, as its own `stop` does, every other task on this event loop."""
    await _end_of_stops(app)
    await app.cleanup()
    app.proxy.proxy_process.wait(10)
    app.http_server.stop()
    app.db_file.close()
    app._atexit_ran = True
    MockHub.clear_instance()


async def _end_of_stops(app: MockHub) -> None:
    """Wait for servers that are being stopped.

    A pod is gone before its route is: who takes the route away after `cleanup` opens a client
    for it that nobody closes.
    """
    async with asyncio.timeout(30):
        while any(  # noqa: ASYNC110 - the hub has no event for it
            spawner.pending == "stop"
            for user in app.users.values()
            for spawner in user.spawners.values()
        ):
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(HERE / "cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    async with running_hub(cluster, configuration(cluster)) as hub:
        yield hub


@pytest.fixture
def new_name() -> Callable[[str], str]:
    """Somebody who was never here before, of a group."""
    return lambda group: f"{group}-{next(_numbers)}"
