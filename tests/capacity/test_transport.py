"""Bytes from an API server: framing, bounds, credentials and words that hold no secrets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import incluster_config, load_incluster_config
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gpuspawner.capacity import transport as module
from gpuspawner.capacity.transport import KubernetesTransport, TransportError, describe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Configuration]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    server = TestServer(app)
    await server.start_server()
    try:
        yield Configuration(host=str(server.make_url("")).rstrip("/"))
    finally:
        await server.close()


@asynccontextmanager
async def reaching(configuration: Configuration, **options: Any) -> AsyncIterator[Any]:
    transport = KubernetesTransport(configuration, **options)
    try:
        yield transport
    finally:
        await transport.aclose()


def chunks(*parts: bytes) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0)
        return response

    return answer


async def read_lines(handler: Handler) -> list[bytes]:
    async with (
        serving(handler) as configuration,
        reaching(configuration) as transport,
        transport.get("/x", {}, answer_within=10, silence=10) as response,
    ):
        return [line async for line in response.lines()]


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        pytest.param([b"a\nb\n"], [b"a", b"b"], id="two lines in one piece"),
        pytest.param([b"a", b"b", b"c\nd\n"], [b"abc", b"d"], id="a line in three pieces"),
        pytest.param([b"a\n", b"\n", b" \r\n", b"b\n"], [b"a", b"b"], id="empty lines"),
        pytest.param([b"a\nb"], [b"a", b"b"], id="a last line without its end"),
        pytest.param([], [], id="nothing"),
        pytest.param([b"x" * 300_000 + b"\ny\n"], [b"x" * 300_000, b"y"], id="a long line"),
    ],
)
async def test_lines(parts: list[bytes], lines: list[bytes]) -> None:
    assert await read_lines(chunks(*parts)) == lines


async def test_a_line_has_a_greatest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 1000)
    with pytest.raises(TransportError, match="a line longer than 1000 bytes"):
        await read_lines(chunks(*[b"x" * 300] * 4))


async def test_a_body_has_a_greatest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1000)
    async with (
        serving(chunks(b"x" * 600, b"x" * 600)) as configuration,
        reaching(configuration) as transport,
        transport.get("/x", {}, answer_within=10, silence=10) as response,
    ):
        with pytest.raises(TransportError, match="a body longer than 1000 bytes"):
            await response.body()


async def test_a_stream_that_is_reset_is_an_error_after_its_lines() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = await chunks_open(request, b"a\n")
        if request.transport is not None:
            request.transport.close()
        return response

    with pytest.raises(TransportError, match="ClientPayloadError"):
        await read_lines(answer)


async def chunks_open(request: web.Request, part: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(part)
    return response


async def test_silence_ends_lines_and_bodies() -> None:
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await chunks_open(request, b"a\nb")
        await over.wait()
        return response

    async with serving(answer) as configuration, reaching(configuration) as transport:
        async with transport.get("/x", {}, answer_within=10, silence=0.02) as response:
            lines = response.lines()
            assert await anext(lines) == b"a"
            with pytest.raises(TransportError, match=r"silent for 0\.02 s"):
                await anext(lines)
        async with transport.get("/x", {}, answer_within=10, silence=0.02) as response:
            with pytest.raises(TransportError, match=r"silent for 0\.02 s"):
                await response.body()
        over.set()


async def test_a_line_earns_more_time_and_a_piece_of_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadlines: list[float] = []
    ticks = iter(range(10))
    timeout_at = asyncio.timeout_at

    def record(when: float) -> asyncio.Timeout:
        if when not in range(10):
            return timeout_at(when)  # aiohttp's own
        deadlines.append(when)
        return asyncio.timeout(10)

    monkeypatch.setattr("gpuspawner.capacity.transport.asyncio.timeout_at", record)
    monkeypatch.setattr(module._HTTPResponse, "_deadline", lambda _: next(ticks))
    read = [asyncio.Event(), asyncio.Event()]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await chunks_open(request, b"a\nb")
        await read[0].wait()
        await response.write(b"b")
        await read[1].wait()
        await response.write(b"\n")
        return response

    async with (
        serving(answer) as configuration,
        reaching(configuration) as transport,
        transport.get("/x", {}, answer_within=10, silence=10) as response,
    ):
        lines = response.lines()
        assert await anext(lines) == b"a"
        rest = asyncio.ensure_future(anext(lines))
        for waits, event in zip((2, 3), read, strict=True):
            async with asyncio.timeout(10):
                while len(deadlines) < waits:  # noqa: ASYNC110 - a list has no event
                    await asyncio.sleep(0)
            event.set()
        assert await rest == b"bb"
        assert [line async for line in lines] == []
    # At first; with "b" begun; with "bb" begun; after the line.
    assert deadlines == [0, 1, 1, 2]


async def test_headers_that_do_not_come_are_not_waited_for() -> None:
    over = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    async with serving(answer) as configuration, reaching(configuration) as transport:
        with pytest.raises(TransportError, match=r"no answer within 0\.02 s"):
            async with transport.get("/x", {}, answer_within=0.02, silence=10):
                pass
        over.set()


async def test_a_request_carries_the_query_the_token_and_our_name() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response(text="{}", headers={"Retry-After": "3"})

    async with serving(answer) as configuration:
        configuration.api_key["BearerToken"] = "Bearer abc"
        async with (
            reaching(configuration) as transport,
            transport.get(
                "/api/v1/pods", {"fieldSelector": "a!=b,c=d e"}, answer_within=10, silence=10
            ) as response,
        ):
            assert (response.status, response.headers["retry-after"]) == (200, "3")
            assert await response.body() == b"{}"
    (request,) = seen
    assert request.path == "/api/v1/pods"
    assert dict(request.query) == {"fieldSelector": "a!=b,c=d e"}
    assert request.headers["Authorization"] == "Bearer abc"
    assert request.headers["User-Agent"].startswith("gpuspawner/")


async def test_the_status_is_left_to_the_caller() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async with (
        serving(answer) as configuration,
        reaching(configuration) as transport,
        transport.get("/x", {}, answer_within=10, silence=10) as response,
    ):
        assert response.status == 503


async def bearer(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.headers.get("Authorization", ""))


async def sent_token(transport: Any) -> bytes:
    async with transport.get("/x", {}, answer_within=10, silence=10) as response:
        return bytes(await response.body())


async def test_the_refresh_hook_is_called_for_every_request() -> None:
    tokens = iter(["Bearer one", "Bearer two"])

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = next(tokens)

    async with serving(bearer) as configuration:
        configuration.api_key["BearerToken"] = "Bearer zero"
        configuration.refresh_api_key_hook = refresh
        async with reaching(configuration) as transport:
            assert [await sent_token(transport) for _ in range(2)] == [b"Bearer one", b"Bearer two"]
        assert configuration.api_key["BearerToken"] == "Bearer zero", "the caller's is a copy"


async def test_in_a_cluster_the_token_file_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("old")
    ca.write_text("not read for http")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(ca))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    async with serving(bearer) as configuration:
        host = configuration.host
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.host, configuration.ssl_ca_cert = host, None
        async with reaching(configuration) as transport:
            assert await sent_token(transport) == b"Bearer old"
            token.write_text("new")
            assert await sent_token(transport) == b"Bearer old"
            await transport.reload_credentials()
            assert await sent_token(transport) == b"Bearer new"
            token.unlink()
            with pytest.raises(TransportError, match="credentials cannot be read"):
                await transport.reload_credentials()


@pytest.mark.parametrize(
    ("verify", "connections"),
    [
        pytest.param(True, 1, id="the same certificates keep the connection"),
        pytest.param(False, 2, id="others take a new one"),
    ],
)
async def test_after_a_reload(verify: bool, connections: int) -> None:
    peers = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="{}")

    async def reload(configuration: Configuration) -> None:
        configuration.verify_ssl = verify

    async with (
        serving(answer) as configuration,
        reaching(configuration, reload=reload) as transport,
    ):
        await sent_token(transport)
        await transport.reload_credentials()
        await sent_token(transport)
    assert len(peers) == connections


async def test_it_can_be_closed_twice_and_unused() -> None:
    transport = KubernetesTransport(Configuration(host="http://127.0.0.1:1"))
    await transport.aclose()
    await transport.aclose()


async def test_nothing_listening_is_a_transport_error() -> None:
    async with reaching(Configuration(host="http://127.0.0.1:1")) as transport:
        with pytest.raises(TransportError, match=r"^ClientConnectorError: Connection refused$"):
            async with transport.get("/x", {}, answer_within=10, silence=10):
                pass


SECRET = "https://user:s3cr3t@proxy.example/"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(aiohttp.InvalidURL(SECRET), "InvalidURL", id="an error with a URL"),
        pytest.param(
            aiohttp.ClientHttpProxyError(
                aiohttp.RequestInfo(
                    URL(SECRET),
                    "GET",
                    CIMultiDictProxy(CIMultiDict()),
                ),
                (),
                status=407,
                message=SECRET,
            ),
            "ClientHttpProxyError",
            id="an error of a proxy",
        ),
        pytest.param(
            FileNotFoundError(2, "gone", "/run/token"),
            "FileNotFoundError: No such file or directory",
            id="an error of the system",
        ),
        pytest.param(ValueError("Bearer s3cr3t"), "ValueError", id="a header that is refused"),
        pytest.param(
            ssl.SSLError(1, "wrong version number"),
            "SSLError: wrong version number",
            id="an error of TLS, whose number is not the system's",
        ),
        pytest.param(
            aiohttp.ClientOSError(104, "Connection to 10.0.0.1 lost"),
            "ClientOSError: Connection reset by peer",
            id="an error of a connection",
        ),
    ],
)
def test_an_error_is_described_without_secrets(error: Exception, words: str) -> None:
    assert describe(error) == words
