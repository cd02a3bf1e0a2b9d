"""A client of an API server that shows its answers as they are."""

from __future__ import annotations

import asyncio
import copy
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import aiohttp
from kubernetes_asyncio.client import Configuration

Object: TypeAlias = dict[str, Any]
T = TypeVar("T")

WITHIN = 30.0
"""Seconds for anything that is bound to happen."""

MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """A status code and the JSON that came with it."""

    code: int
    body: Object

    @property
    def object(self) -> Object:
        """The body of a success."""
        assert self.code < 300, f"{self.code}: {self.body}"
        return self.body

    @property
    def message(self) -> str:
        return str(self.body["message"])


@dataclass
class Api:
    """Requests with one user's credentials."""

    session: aiohttp.ClientSession
    server: str
    made: list[str] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(
            method,
            self.server + path,
            data=data,
            params=query,
            headers={"Content-Type": content_type},
        ) as response:
            return Answer(response.status, json.loads(await response.text()))

    async def get(self, path: str, **query: str) -> Object:
        return (await self.ask("GET", path, **query)).object

    async def create(self, path: str, body: Object, **query: str) -> Object:
        return (await self.ask("POST", path, body, **query)).object

    async def create_for_now(self, path: str, body: Object) -> Object:
        """Create what `forget` deletes: objects outside the namespace of the test."""
        made = await self.create(path, body)
        self.made.append(f"{path}/{made['metadata']['name']}")
        return made

    async def patch(self, path: str, body: Object) -> Object:
        return (await self.ask("PATCH", path, body, content_type=MERGE)).object

    async def delete(self, path: str, **query: str) -> Answer:
        return await self.ask("DELETE", path, **query)

    async def forget(self, below: str = "") -> None:
        """Delete what was created for now, the newest first; only `below` a path, if given."""
        gone = [path for path in self.made if path.startswith(below)]
        self.made = [path for path in self.made if path not in gone]
        for path in reversed(gone):
            if path.rpartition("/")[0] == "/api/v1/namespaces":
                # Without a kubelet that ends them they would wait, and the namespace with them.
                await self.delete(f"{path}/pods", gracePeriodSeconds="0")
            await self.delete(path, gracePeriodSeconds="0")

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[Lines]:
        query = {"watch": "1", "timeoutSeconds": "20"} | query
        async with self.session.get(self.server + path, params=query) as response:
            yield Lines(response)


@dataclass
class Lines:
    """The answer to a watch."""

    response: aiohttp.ClientResponse

    @property
    def code(self) -> int:
        return self.response.status

    async def next(self) -> Object:
        """The next event."""
        async with asyncio.timeout(WITHIN):
            line = await self.response.content.readline()
        assert line, "the watch ended"
        return dict(json.loads(line))

    async def next_of(self, *kinds: str) -> Object:
        """The next event of one of these kinds."""
        while (event := await self.next())["type"] not in kinds:
            pass
        return event

    async def rest(self) -> list[Object]:
        """All that is left until the server ends the watch."""
        text = await self.response.text()
        return [json.loads(line) for line in text.splitlines()]


@asynccontextmanager
async def connected(configuration: Configuration) -> AsyncIterator[Api]:
    """Give a client with the address and credentials of a configuration."""
    connector = aiohttp.TCPConnector(ssl=_tls(configuration))
    headers = {}
    if token := await configuration.get_api_key_with_prefix("BearerToken"):
        headers["Authorization"] = token
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=2 * WITHIN)
    ) as session:
        yield Api(session, str(configuration.host))


def as_user(configuration: Configuration, token: str) -> Configuration:
    """The same API server, for the owner of a token and nobody else."""
    other = copy.deepcopy(configuration)
    other.api_key = {"BearerToken": f"Bearer {token}"}
    other.cert_file = other.key_file = None
    return other


def _tls(configuration: Configuration) -> ssl.SSLContext | bool:
    if not str(configuration.host).startswith("https"):
        return True
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


async def until(condition: Callable[[], Awaitable[T | None]], within: float = WITHIN) -> T:
    """Wait until `condition` gives something true; that."""
    async with asyncio.timeout(within):
        while not (found := await condition()):  # noqa: ASYNC110 - the API server is elsewhere
            await asyncio.sleep(0.02)
    return found
