"""The demo's proxy: what it writes into the log, and that it is installed."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest
from tests.cli.conftest import Run
from tests.ports import a_port

from gpuspawner.cli.demo import LOOPBACK, PROXY

SECONDS = 30


async def test_no_token_is_in_the_line_on_a_request_that_nobody_answers() -> None:
    port, nobody = a_port(), f"http://{LOOPBACK}:{a_port()}"
    where = [f"--ip={LOOPBACK}", f"--port={port}", f"--api-port={a_port()}"]
    proxy = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(PROXY),
        *where,
        f"--default-target={nobody}",
        stderr=asyncio.subprocess.PIPE,
    )
    assert proxy.stderr is not None
    try:
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as session:
            while b"Proxying" not in await proxy.stderr.readline():
                assert proxy.returncode is None
            address = f"http://{LOOPBACK}:{port}/stream?_xsrf=2%7Ca-token"
            # What is said of the first is written by the time that the second is answered.
            for _ in range(2):
                async with session.get(address) as answer:
                    assert answer.status == 503
    finally:
        proxy.terminate()
        said = (await proxy.communicate())[1].decode()
    assert "503 GET /stream" in said
    assert "a-token" not in said


async def test_without_the_extra_the_demo_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "configurable_http_proxy", None)
    result = await run("demo", "--port", "0")
    assert result.exit_code == 1
    assert "pip install 'gpuspawner[demo]'" in result.stderr
