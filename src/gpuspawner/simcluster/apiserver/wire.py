"""The sending side of an answer, with the faults that strike after the headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from gpuspawner.simcluster.apiserver.faults import (
    CutOff,
    Fault,
    HalfOpen,
    RawLine,
    Rewrite,
    Trickle,
)

JSON = "application/json"
encode: Callable[[Any], bytes] = msgspec.json.encode


async def hang() -> NoReturn:
    """Wait until the request is cancelled: the client went away or the server stops."""
    await asyncio.Event().wait()
    raise AssertionError("an event that nobody sets was set")


def break_connection(request: web.Request) -> NoReturn:
    """Close the connection without a word, as a crashed server's kernel does."""
    if request.transport is not None:
        request.transport.abort()
    # aiohttp takes a cancelled handler for a client that has gone and writes nothing more.
    raise asyncio.CancelledError


async def send_json(
    request: web.Request, value: Any, *, code: int = 200, fault: Fault | None = None
) -> web.StreamResponse:
    """Answer with one JSON document."""
    body = encode(value)
    if fault is None:
        return web.Response(body=body, status=code, content_type=JSON)
    stream = LineStream(request, fault)
    await stream.start(code, {"Content-Length": str(len(body))})
    await stream.send_body(body)
    return stream.response


class LineStream:
    """An answer that is sent line by line.

    Args:
        request: the request to answer.
        fault: what goes wrong; faults that strike before the headers do nothing here.
    """

    def __init__(self, request: web.Request, fault: Fault | None) -> None:
        self.response = web.StreamResponse()
        self._request = request
        self._fault = fault
        self._sent = 0

    async def start(self, code: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send the headers, and what a fault sends before the first line."""
        self.response.set_status(code)
        self.response.content_type = JSON
        self.response.headers.update(headers or {})
        await self.response.prepare(self._request)
        if isinstance(self._fault, RawLine) and "Content-Length" not in self.response.headers:
            await self._before_line()

    async def send_line(self, line: bytes) -> None:
        """Send a line of a watch; a line feed is added."""
        for item in self._edited(line):
            await self._before_line()
            if isinstance(self._fault, CutOff) and self._sent >= self._fault.lines:
                await self._cut_off(item)
            await self._write(item + b"\n")
            self._sent += 1
        await self._before_line()

    async def send_body(self, body: bytes) -> None:
        """Send a whole body that is no sequence of lines."""
        if isinstance(self._fault, HalfOpen):
            await self.response.write(body[: len(body) // 2])
            await hang()
        if isinstance(self._fault, CutOff):
            await self._cut_off(body)
        await self._write(body)

    def _edited(self, line: bytes) -> Iterable[bytes]:
        return self._fault.edit(line) if isinstance(self._fault, Rewrite) else (line,)

    async def _before_line(self) -> None:
        """Do what a fault does once so many lines have been sent."""
        match self._fault:
            case HalfOpen(lines) if self._sent >= lines:
                await hang()
            case RawLine(line, after) if self._sent >= after:
                self._fault = None
                await self.response.write(line + b"\n")

    async def _cut_off(self, data: bytes) -> NoReturn:
        await self.response.write(data[: len(data) // 2])
        # One turn of the loop lets the half line leave before the connection is closed.
        await asyncio.sleep(0)
        if self._request.transport is not None:
            self._request.transport.close()
        raise asyncio.CancelledError

    async def _write(self, data: bytes) -> None:
        if isinstance(self._fault, Trickle):
            for start in range(0, len(data), self._fault.size):
                await self.response.write(data[start : start + self._fault.size])
                await asyncio.sleep(self._fault.seconds)
        else:
            await self.response.write(data)
