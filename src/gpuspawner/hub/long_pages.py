"""Pages that are long, or made for the first time: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final
from weakref import WeakSet

from jinja2 import Environment, Template

_WITHOUT_A_BREAK: Final = 0.005
"""Seconds for which a page is made at most, if its parts are small."""


_compiled = WeakSet[Environment]()


async def compiled(environment: Environment) -> None:
    """Have our templates compiled, once in the life of a hub, which takes longer than a page."""
    if environment not in _compiled:
        await asyncio.to_thread(_compile, environment)
        _compiled.add(environment)


def _compile(environment: Environment) -> None:
    for name in environment.list_templates(filter_func=lambda name: name.startswith("gpuspawner/")):
        environment.get_template(name)


class InParts:
    """A template that lets the event loop go on between the parts that it yields.

    A macro is one part, however long: what there can be much of is included instead.
    """

    def __init__(self, template: Template) -> None:
        self._template = template

    async def render_async(self, **values: Any) -> str:
        """What `jinja2.Template.render_async` gives."""
        parts = []
        ends = time.perf_counter() + _WITHOUT_A_BREAK
        async for part in self._template.generate_async(**values):
            parts.append(part)
            if time.perf_counter() > ends:
                await asyncio.sleep(0)
                ends = time.perf_counter() + _WITHOUT_A_BREAK
        return "".join(parts)
