"""The spawn form of two hubs, asked for in turn: the product's and stock KubeSpawner's."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from tests.ports import a_port
from yarl import URL

CHOICES = {"gpuspawner": 'data-profile="', "kubespawner": 'id="profile-item-'}
"""What each form has once for each choice."""

_PATIENCE = 120.0
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: bench
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
clusters: [{name: bench, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: bench, user: {}}]
"""


class Visitor:
    """Somebody who is signed in to a hub."""

    def __init__(self, session: aiohttp.ClientSession, base: str, spawner: str) -> None:
        self._session = session
        self._base = base
        self._spawner = spawner

    async def sign_in(self) -> None:
        """Sign in as soon as the hub answers."""
        async with asyncio.timeout(_PATIENCE):
            while not await self._answers():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        cookies = self._session.cookie_jar.filter_cookies(URL(f"{self._base}/hub/"))
        credentials = {"username": "ada", "password": "for the bench"}
        async with self._session.post(
            f"{self._base}/hub/login",
            params={"_xsrf": cookies["_xsrf"].value},
            data=credentials,
            allow_redirects=False,
        ) as answer:
            if answer.status != 302:
                raise RuntimeError(f"signing in: {answer.status} {await answer.text()}")

    async def form(self) -> tuple[str, float]:
        """The spawn form, and the seconds that it took."""
        began = time.perf_counter()
        async with self._session.get(f"{self._base}/hub/spawn") as answer:
            text = await answer.text()
            took = time.perf_counter() - began
            if answer.status != 200 or CHOICES[self._spawner] not in text:
                raise RuntimeError(f"no form: {answer.status} {answer.url} {text[-2000:]}")
        return text, took

    async def _answers(self) -> bool:
        try:
            async with self._session.get(f"{self._base}/hub/login") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def a_hub(spawner: str, url: str) -> AsyncIterator[Visitor]:
    """A hub in a process of its own, and somebody who is signed in."""
    port = a_port()
    jar = aiohttp.CookieJar(unsafe=True)
    with TemporaryDirectory(prefix="gpuspawner-bench-") as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        kubeconfig.write_text(_KUBECONFIG)
        environment = {
            **os.environ,
            "BENCH_SPAWNER": spawner,
            "BENCH_API": f"{url}/hub-of-{spawner}",
            "BENCH_PORT": str(port),
            "KUBECONFIG": str(kubeconfig),
        }
        config = str(Path(__file__).with_name("hub_config.py"))
        command = sys.executable, "-m", "jupyterhub", "--config", config
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=directory, stderr=asyncio.subprocess.PIPE
        )
        log = asyncio.create_task(_read(process.stderr))
        try:
            async with aiohttp.ClientSession(cookie_jar=jar) as session:
                visitor = Visitor(session, f"http://127.0.0.1:{port}", spawner)
                await visitor.sign_in()
                yield visitor
        except Exception as error:
            process.terminate()
            raise RuntimeError(f"the hub of {spawner} wrote:\n{await log}") from error
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await log


async def forms(url: str, count: int) -> dict[str, Any]:
    """The time of each hub's form, `count` times in turn, with live watches."""
    async with AsyncExitStack() as stack:
        entered = (stack.enter_async_context(a_hub(name, url)) for name in CHOICES)
        visitors = dict(zip(CHOICES, await asyncio.gather(*entered), strict=True))
        await _until_known(visitors["gpuspawner"])
        times: dict[str, list[float]] = {name: [] for name in visitors}
        choices = {}
        for turn in range(count + 3):
            for name, visitor in visitors.items():
                text, took = await visitor.form()
                choices[name] = text.count(CHOICES[name])
                # The first few fill caches of templates.
                if turn >= 3:
                    times[name].append(took)
                await asyncio.sleep(0.01)
    figures: dict[str, Any] = {name: statistics.median(took) for name, took in times.items()}
    return {
        **figures,
        "ratio": figures["gpuspawner"] / figures["kubespawner"],
        "slowest": {name: max(took) for name, took in times.items()},
        "choices": choices,
    }


async def _read(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode() if stream else ""


async def _until_known(visitor: Visitor) -> None:
    """Wait until no choice is called unknown: the first form need not wait for the first list."""
    async with asyncio.timeout(_PATIENCE):
        while 'data-standing="unknown"' in (await visitor.form())[0]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.5)
