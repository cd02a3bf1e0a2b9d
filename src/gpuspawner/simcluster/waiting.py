"""Waiting for something to come about, for so long and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, overload

T = TypeVar("T")

POLL_SECONDS = 0.01


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T | None]],
    timeout: float = ...,  # noqa: ASYNC109 - as below
) -> T: ...
@overload
async def wait_until(
    condition: Callable[[], T | None],
    timeout: float = ...,  # noqa: ASYNC109 - as below
) -> T: ...


async def wait_until(
    condition: Callable[[], object],
    timeout: float = 10.0,  # noqa: ASYNC109 - the error says for what and for how long
) -> object:
    """Wait until `condition` gives something true; that.

    Args:
        condition: a function, or a coroutine function, without arguments.
        timeout: the longest to wait, in seconds.

    Raises:
        TimeoutError: it did not within `timeout`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        answer = condition()
        outcome: object = await answer if isawaitable(answer) else answer
        if outcome:
            return outcome
        if loop.time() >= deadline:
            raise TimeoutError(f"{condition!r} did not come true within {timeout:g} s")
        await asyncio.sleep(POLL_SECONDS)
