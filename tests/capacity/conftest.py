"""The API server of the tests of watching."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.capacity.scripted_api import (
    ScriptedAPI,
)


@pytest.fixture
async def api() -> ScriptedAPI:
    return ScriptedAPI()


@pytest.fixture
async def url(api: ScriptedAPI) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}/{resource}", api.answer)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    api.closing.set()
    await server.close()
