"""The demo as a person runs it, and a browser as a person uses it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright
from tests.hub.conftest import Hub

from .spawn_page import spawn_hub

_numbers = count(1)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PASSWORD = "let-me-in"
START_SECONDS = 120
CLOSE_SECONDS = 10


@dataclass(frozen=True)
class Demo:
    url: str
    output: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running_demo(*arguments: str) -> AsyncIterator[Demo]:
    """``gpuspawner demo``, interrupted at the end as by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("gpuspawner"),
        "demo",
        f"--password={PASSWORD}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        output = await asyncio.wait_for(_until_ready(process), START_SECONDS)
        address = re.search(r"^Open (http://127\.0\.0\.1:\d+/)$", output, re.MULTILINE)
        assert address, output
        yield Demo(address[1], output, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), START_SECONDS)


async def _until_ready(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while line := (await process.stdout.readline()).decode():
        lines.append(line)
        if line.startswith("Press Ctrl-C"):
            break
    return "".join(lines)


@pytest_asyncio.fixture(loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with running_demo("--port=0", "--still") as demo:
        yield demo


@asynccontextmanager
async def running_browser(**options: Any) -> AsyncIterator[Browser]:
    """Chromium, on the running loop."""
    if CHROMIUM is None:
        if os.environ.get("GPUSPAWNER_TESTS_REQUIRE_BROWSER"):
            pytest.fail("no chromium on the PATH")
        pytest.skip("no chromium on the PATH; install Debian's package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, **options)
        yield browser
        await closed(browser)


async def closed(what: Browser | BrowserContext) -> None:
    """Close it; chromium now and then never answers, where a page was on its way to another."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await what.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once a module: its tests run on the loop of the module."""
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """One with a spawn page that shows every standing, once a module."""
    del browser  # where there is none, no hub is started
    async with spawn_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def name() -> str:
    """Of a researcher who has not been there yet."""
    return f"researchers-{next(_numbers)}"
