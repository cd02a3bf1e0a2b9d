"""What is asked of the API server about one resource: pages of its list, and its watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from gpuspawner.capacity.backoff import Random
from gpuspawner.capacity.failures import check
from gpuspawner.capacity.feeds import Feed
from gpuspawner.capacity.stream import ListPage, read_list_page
from gpuspawner.capacity.timing import WatchTiming
from gpuspawner.capacity.transport import Response, Transport
from gpuspawner.capacity.vitals import Vitals

AS_A_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
"""Parameters of a watch that begins with every object; a marked bookmark ends those."""


class ResourceAPI:
    """The requests for one resource; every answer that is let pass grants its verb.

    Attributes:
        verb: of the newest request.
    """

    def __init__(
        self,
        feed: Feed,
        transport: Transport,
        vitals: Vitals,
        *,
        timing: WatchTiming,
        random: Random,
    ) -> None:
        self.verb = "list"
        self._feed = feed
        self._transport = transport
        self._vitals = vitals
        self._timing = timing
        self._random = random

    async def page(self, token: str) -> ListPage:
        """One page of a list; the first if `token` is empty.

        Raises:
            StatusError, TransportError, MalformedObjectError, TimeoutError: there was none.
        """
        parameters = {"limit": str(self._timing.page_size)}
        if token:
            parameters["continue"] = token
        async with asyncio.timeout(self._timing.page), self._get("list", parameters) as response:
            await self._check(response)
            return read_list_page(await response.body())

    @asynccontextmanager
    async def watch(self, **parameters: str) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The lines of a watch that the API server ends by itself, a while later.

        Raises:
            StatusError, TransportError: it was not accepted.
        """
        window = self._timing.window * (1 - 0.2 * self._random())
        parameters |= {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(window))),
        }
        async with self._get("watch", parameters) as response:
            await self._check(response)
            async with aclosing(response.lines()) as lines:
                yield lines

    async def reload_credentials(self) -> None:
        """Read the credentials again. Raises `TransportError`, `TimeoutError`."""
        async with asyncio.timeout(self._timing.page):
            await self._transport.reload_credentials()

    def _get(self, verb: str, parameters: dict[str, str]) -> AbstractAsyncContextManager[Response]:
        self.verb = verb
        return self._transport.get(
            self._feed.path,
            {**parameters, **self._feed.parameters},
            answer_within=self._timing.answer,
            silence=self._timing.silence,
        )

    async def _check(self, response: Response) -> None:
        await check(response, self._feed.path)
        self._vitals.granted(self.verb)
