"""An OpenID provider of the tests' own, and people who sign in there in a browser."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

REQUIRED = "GPUSPAWNER_TESTS_REQUIRE_OIDC"
FOLDER = Path(__file__).parent / "oidc"
CLIENT = {"client_id": "jupyterhub", "client_secret": "of the tests"}


@dataclass(frozen=True)
class Provider:
    """A running one; people and their claims are what `people` said last."""

    issuer: str
    control: str

    async def people(self, people: Mapping[str, Mapping[str, Any]]) -> None:
        await self._tell("people", **{"is": json.dumps(people)})

    async def expire(self, who: str) -> None:
        """End the access token of somebody; the refresh token goes on."""
        await self._tell("expire", who=who)

    async def revoke(self, who: str) -> None:
        """End whatever was granted to the hub for somebody."""
        await self._tell("revoke", who=who)

    async def seen(self) -> Any:
        """How often tokens were refreshed, and the method of each code challenge."""
        return await self._tell("seen")

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Nobody answers at its address."""
        await self._tell("down")
        try:
            yield
        finally:
            await self._tell("up")

    async def _tell(self, what: str, **said: str) -> Any:
        async with aiohttp.request("POST", f"{self.control}/{what}", data=said) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return json.loads(text)


@asynccontextmanager
async def running_provider(redirect_uri: str) -> AsyncIterator[Provider]:
    """A provider that knows one hub; the test is skipped where there is none to run."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        reason = f"there is no OpenID provider to run: npm ci --prefix {FOLDER}, with Node 18"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        *(node, "provider.js"),
        cwd=FOLDER,
        env={**os.environ, "REDIRECT_URI": redirect_uri},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield Provider(**json.loads(await asyncio.wait_for(process.stdout.readline(), 60)))
    finally:
        process.kill()
        await process.communicate()
