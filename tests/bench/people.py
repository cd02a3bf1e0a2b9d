"""People at browsers, who ask a hub for servers and read what it says."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from html import unescape
from typing import Literal

import aiohttp
from yarl import URL

Kind = Literal["admitted", "words", "silence"]
_PATIENCE = 60.0
_RELOAD = 5.0
"""Seconds after which JupyterHub's page of a server that is being stopped loads itself again."""
_WORDS = re.compile(r'<p class="spawn-error-msg[^>]*>(.*?)</p>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person's request came to, after so many seconds.

    Attributes:
        words: what they read; of silence, what came instead.
    """

    kind: Kind
    seconds: float
    words: str


class Person:
    """Somebody at a browser."""

    def __init__(self, name: str, session: aiohttp.ClientSession, base: str) -> None:
        self._name = name
        self._session = session
        self._base = base

    async def sign_in(self) -> None:
        """Sign in, and open the spawn form once the hub knows the cluster."""
        await (await self._session.get(f"{self._base}/hub/login")).read()
        credentials = {"username": self._name, "password": "for the bench"}
        url = f"{self._base}/hub/login"
        async with self._session.post(
            url, params=self._xsrf, data=credentials, allow_redirects=False
        ) as answer:
            if answer.status != 302:
                raise RuntimeError(f"signing in: {answer.status} {await answer.text()}")
        async with asyncio.timeout(_PATIENCE):
            while 'data-standing="unknown"' in await self._form():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    async def ask(self, profile: str) -> Outcome:
        """Send the form, and wait for the server or for words."""
        began = time.perf_counter()
        try:
            kind, words = await self._ask(profile)
        except (aiohttp.ClientError, ConnectionError) as error:
            kind, words = "silence", repr(error)
        return Outcome(kind, time.perf_counter() - began, words)

    async def _ask(self, profile: str) -> tuple[Kind, str]:
        url = f"{self._base}/hub/spawn"
        async with self._session.post(
            url, params=self._xsrf, data={"profile": profile}, allow_redirects=False
        ) as answer:
            if answer.status != 302:
                return _read(await answer.text())
        url = f"{self._base}/hub/api/users/{self._name}/server/progress"
        headers = {"Referer": f"{self._base}/hub/spawn-pending/{self._name}"}
        answer = await self._session.get(url, params=self._xsrf, headers=headers)
        while answer.status == 400:
            # A start that has failed is stopped first, and tells nothing meanwhile.
            await asyncio.sleep(_RELOAD)
            answer = await self._session.get(url, params=self._xsrf, headers=headers)
        async with answer:
            async for line in answer.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line.removeprefix(b"data:"))
                if event.get("ready"):
                    return "admitted", ""
                if event.get("failed"):
                    return "words", event["message"]
            return "silence", f"no more events, status {answer.status}"

    async def _form(self) -> str:
        async with self._session.get(f"{self._base}/hub/spawn") as answer:
            return await answer.text()

    @property
    def _xsrf(self) -> dict[str, str]:
        cookies = self._session.cookie_jar.filter_cookies(URL(f"{self._base}/hub/"))
        return {"_xsrf": cookies["_xsrf"].value}


def _read(page: str) -> tuple[Kind, str]:
    found = _WORDS.search(page)
    return ("words", _plain(found[1])) if found else ("silence", _plain(page))


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", html)).split())
