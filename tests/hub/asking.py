"""Whoever may ask the hub for something: nobody, people at browsers, and programs with tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from gpuspawner.hub.admin.rights import READ, WRITE

from .access_edits import READER
from .conftest import Hub
from .doors import ADMIN

OWNER, OTHER = "students-1", "students-2"
SERVICES = {"service": "a-token-of-a-service-of-no-role", "keeper": "a-token-of-one-that-may-write"}
ADMINS_TOKENS = {
    "t-access": ["access:servers"],
    "t-users": ["read:users"],
    "t-read": [READ],
    "t-write": [WRITE],
    "t-admin": ["admin-ui", "admin:users", "admin:servers", "admin:groups", "admin:services"],
}
"""Tokens of an admin's, each for less than the admin may."""


@dataclass(frozen=True)
class Asker:
    """Somebody with a way to show who they are.

    Attributes:
        xsrf: what our own pages send along with a change; empty where no cookie is sent.
    """

    session: aiohttp.ClientSession
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    xsrf: str = ""

    async def ask(self, method: str, path: str, *, forged: bool = False) -> tuple[int, str]:
        """The status of the answer, redirects not followed, and its text.

        Args:
            method: of HTTP.
            path: below the hub.
            forged: without what tells a page of ours from another site's.
        """
        headers = dict(self.headers)
        if not forged:
            headers |= {"Referer": f"{self.base}hub/home", "X-XSRFToken": self.xsrf}
        if path.startswith("api/"):
            headers["Content-Type"] = "application/json"
        url = f"{self.base}hub/{path}"
        options: dict[str, Any] = {"headers": headers, "allow_redirects": False}
        if method not in ("GET", "HEAD", "OPTIONS"):
            options["data"] = b"{}" if path.startswith("api/") else b""
        async with self.session.request(method, url, **options) as response:
            return response.status, await response.text()


@asynccontextmanager
async def askers(hub: Hub) -> AsyncIterator[dict[str, Asker]]:
    """Everybody, by the names of the table's columns. The owner has a server that runs."""
    async with AsyncExitStack() as stack:

        async def program(token: str = "") -> Asker:
            headers = {"Authorization": f"token {token}"} if token else {}
            jar = aiohttp.DummyCookieJar()
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            return Asker(session, hub.base, headers)

        async def person(name: str) -> Asker:
            visitor = await hub.visitor(name)
            cookies = visitor.session.cookie_jar.filter_cookies(URL(f"{hub.base}hub/"))
            return Asker(visitor.session, hub.base, xsrf=cookies["_xsrf"].value)

        found = {"nobody": await program()}
        for column, name in (
            ("own", OWNER),
            ("other", OTHER),
            ("admin", ADMIN),
            ("reader", READER),
        ):
            found[column] = await person(name)
        # The role of admins comes to them when they come.
        await found["admin"].ask("GET", "gpuspawner/admin")
        assert (await hub.start_server(OWNER, "cpu")).status == 201
        [pod] = hub.pods_of(OWNER)
        env = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
        tokens = {
            "t-none": await _token_of(hub, OWNER, "read:users:name!user"),
            "t-self": await _token_of(hub, OWNER, "self"),
            **{name: await _token_of(hub, ADMIN, *each) for name, each in ADMINS_TOKENS.items()},
            "server": env["JUPYTERHUB_API_TOKEN"],
            **SERVICES,
        }
        for column, token in tokens.items():
            found[column] = await program(token)
        yield found


async def _token_of(hub: Hub, name: str, *scopes: str) -> str:
    visitor = await hub.visitor(name)
    answer = await visitor.api("POST", f"users/{name}/tokens", {"scopes": list(scopes)})
    assert answer.status in (200, 201), answer.text
    return str(json.loads(answer.text)["token"])
