"""An open spawn page without a browser: what it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from .conftest import Hub

Event = dict[str, Any]
PATIENCE = 20.0
STREAM = {"Accept": "text/event-stream"}


class Stream:
    """The events of a page, as they come."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.heard: list[Event] = []

    async def next(self) -> Event:
        """The next event.

        Raises:
            EOFError: the stream has ended.
        """
        async with asyncio.timeout(PATIENCE):
            while line := await self.answer.content.readline():
                if line.startswith(b"data: "):
                    self.heard.append(json.loads(line.removeprefix(b"data: ")))
                    return self.heard[-1]
        raise EOFError

    async def until(self, holds: Callable[[Event], object]) -> Event:
        """The first event of which something holds."""
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self.next()
                if holds(event):
                    return event

    async def card(self, slug: str, standing: str) -> Event:
        """The first card that says that a profile stands so."""
        event = await self.until(lambda event: standing_of(event, slug) == standing)
        [card] = (card for card in event["cards"] if card["slug"] == slug)
        return dict(card)

    async def end(self) -> None:
        """Wait until the hub ends the stream."""
        with suppress(EOFError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.next()


def standing_of(event: Event, slug: str) -> str | None:
    """Where an event says that a profile stands; None if it says nothing of it."""
    found = {card["slug"]: card["standing"] for card in event.get("cards", ())}
    return found.get(slug)


def address(hub: Hub, name: str, server: str = "") -> str:
    """Of the hub itself: the proxy that is written in Python keeps streams back."""
    path = f"{name}/{server}" if server else name
    return f"{hub.app.hub.url}gpuspawner/live/{path}"


@asynccontextmanager
async def listening(
    hub: Hub, who: str, name: str = "", server: str = "", **headers: str
) -> AsyncIterator[Stream]:
    """`who` has the spawn page of `name` open, by default their own."""
    session = (await hub.visitor(who)).session
    url = address(hub, name or who, server)
    async with session.get(url, headers={**STREAM, **headers}) as answer:
        yield Stream(answer)
