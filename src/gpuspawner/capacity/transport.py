"""Requests to the API server as bytes: status, headers, a body or a stream of lines.

kubernetes_asyncio lends its configuration, authentication and connection pool. Its typed models
are never used, since they would block the event loop for seconds on a large list.
"""

from __future__ import annotations

import asyncio
import copy
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import aiohttp
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config

from gpuspawner._version import __version__
from gpuspawner.errors import GPUSpawnerError

MAX_LINE_BYTES = 8 * 2**20
"""Far above the 1.5 MiB that etcd takes for one object."""

MAX_BODY_BYTES = 256 * 2**20

Reload = Callable[[Configuration], Awaitable[None]]
"""Puts fresh credentials into a configuration."""


class TransportError(GPUSpawnerError):
    """No answer, or one that broke off. The words hold no URL and no credentials."""


class Response(Protocol):
    """An answer whose body is still to be read."""

    @property
    def status(self) -> int:
        """The HTTP status, which nobody has judged yet."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names match in any case."""

    async def body(self) -> bytes:
        """The whole body. Raises `TransportError`."""

    def lines(self) -> AsyncGenerator[bytes, None]:
        """The lines that are not empty, without their ends. Raises `TransportError`.

        A last line that was cut off is given too: only its reader can tell.
        """


class Transport(Protocol):
    """The way to an API server."""

    def get(
        self, path: str, parameters: Mapping[str, str], *, answer_within: float, silence: float
    ) -> AbstractAsyncContextManager[Response]:
        """Ask for `path`; leaving the context drops the connection unless all was read.

        Args:
            path: such as ``/api/v1/nodes``.
            parameters: the query, not yet encoded.
            answer_within: seconds until the headers must have come, connecting included.
            silence: seconds within which each next line, or piece of a body, must be complete.

        Raises:
            TransportError: there was no answer.
        """

    def post(
        self,
        path: str,
        parameters: Mapping[str, str],
        body: Mapping[str, Any],
        *,
        answer_within: float,
        silence: float,
    ) -> AbstractAsyncContextManager[Response]:
        """Send `body` as JSON to `path`; otherwise as `get`."""

    async def reload_credentials(self) -> None:
        """Read the credentials again, after a 401. Raises `TransportError`."""


class KubernetesTransport:
    """The API server that a configuration of kubernetes_asyncio names.

    Args:
        configuration: copied; by default the one that ``load_incluster_config`` or
            ``load_kube_config`` has made the default. Its refresh hook is called for every
            request.
        reload: called after a 401; by default the service account's token is read again if the
            configuration came from inside a cluster. For a kubeconfig with an exec plugin give
            ``lambda c: load_kube_config(client_configuration=c)``.
    """

    def __init__(
        self, configuration: Configuration | None = None, *, reload: Reload | None = None
    ) -> None:
        self._configuration = (
            Configuration.get_default_copy()
            if configuration is None
            else copy.deepcopy(configuration)
        )
        self._reload = reload or _reload_in_cluster
        self._client: ApiClient | None = None

    def get(
        self, path: str, parameters: Mapping[str, str], *, answer_within: float, silence: float
    ) -> AbstractAsyncContextManager[Response]:
        """See `Transport.get`."""
        return self._send("GET", path, parameters, answer_within=answer_within, silence=silence)

    def post(
        self,
        path: str,
        parameters: Mapping[str, str],
        body: Mapping[str, Any],
        *,
        answer_within: float,
        silence: float,
    ) -> AbstractAsyncContextManager[Response]:
        """See `Transport.post`."""
        return self._send(
            "POST", path, parameters, body, answer_within=answer_within, silence=silence
        )

    @asynccontextmanager
    async def _send(  # noqa: PLR0913 - one for each part of a request
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        answer_within: float,
        silence: float,
    ) -> AsyncIterator[Response]:
        if self._client is None:
            # Not in the constructor: aiohttp binds it to the running loop.
            self._client = ApiClient(configuration=self._configuration)
            self._client.user_agent = f"gpuspawner/{__version__}"
        content_type = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(answer_within):
                raw = await self._client.call_api(
                    path,
                    method,
                    query_params=list(parameters.items()),
                    header_params={"Accept": "application/json"} | content_type,
                    body=body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    # A number would be the total, and end every watch.
                    _request_timeout=aiohttp.ClientTimeout(total=None),
                )
        except TimeoutError as error:
            raise TransportError(f"no answer within {answer_within:g} s") from error
        except (aiohttp.ClientError, ConfigException, OSError, ValueError) as error:
            raise TransportError(describe(error)) from error
        try:
            yield _HTTPResponse(raw, silence)
        finally:
            raw.close()

    async def reload_credentials(self) -> None:
        """See `Transport.reload_credentials`."""
        before = _tls_material(self._configuration)
        try:
            await self._reload(self._configuration)
        except (aiohttp.ClientError, ConfigException, OSError, ValueError) as error:
            raise TransportError(f"credentials cannot be read: {describe(error)}") from error
        if _tls_material(self._configuration) != before:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a later `get` opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _HTTPResponse:
    """A `Response` over aiohttp's."""

    def __init__(self, raw: aiohttp.ClientResponse, silence: float) -> None:
        self._raw = raw
        self._silence = silence
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers

    async def body(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await self._chunk(self._deadline()):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise TransportError(f"a body longer than {MAX_BODY_BYTES} bytes")
        return b"".join(chunks)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        pending: list[bytes] = []
        size = 0
        deadline = self._deadline()
        while chunk := await self._chunk(deadline):
            *ends, rest = chunk.split(b"\n")
            del chunk  # or it would be kept until the next one comes
            if ends:
                ends[0] = b"".join((*pending, ends[0]))
                pending, size = [], 0
                for line in filter(bytes.strip, ends):
                    yield line
                ends.clear()
                # Only a complete line moves the deadline: a trickle of bytes is no sign of life.
                deadline = self._deadline()
            pending.append(rest)
            size += len(rest)
            if size > MAX_LINE_BYTES:
                raise TransportError(f"a line longer than {MAX_LINE_BYTES} bytes")
        if last := b"".join(pending).strip():
            yield last

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._silence

    async def _chunk(self, deadline: float) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._raw.content.readany()
        except TimeoutError as error:
            raise TransportError(f"silent for {self._silence:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportError(describe(error)) from error


async def _reload_in_cluster(configuration: Configuration) -> None:
    hook = configuration.refresh_api_key_hook
    if getattr(hook, "__module__", None) != load_incluster_config.__module__:
        return
    # The hook itself reads the file once a minute by the wall clock; a 401 cannot wait for that.
    fresh = Configuration()
    await asyncio.to_thread(load_incluster_config, client_configuration=fresh)
    configuration.api_key = fresh.api_key
    configuration.refresh_api_key_hook = fresh.refresh_api_key_hook


def _tls_material(configuration: Configuration) -> tuple[Any, ...]:
    return (
        configuration.host,
        configuration.ssl_ca_cert,
        configuration.cert_file,
        configuration.key_file,
        configuration.verify_ssl,
    )


def describe(error: BaseException) -> str:
    """An error in words that are safe to show: many of aiohttp's own texts hold URLs."""
    name = type(error).__name__
    certificate = getattr(error, "certificate_error", None)
    system = getattr(error, "os_error", error)
    code = getattr(system, "errno", None) or 0
    if verdict := getattr(certificate, "verify_message", None):
        return f"{name}: {verdict}"
    if code > 0 and not isinstance(system, ssl.SSLError):
        # Not strerror: asyncio puts the address into it.
        return f"{name}: {os.strerror(code)}"
    reason = getattr(system, "strerror", None)
    return f"{name}: {reason}" if reason else name
