"""Pages that are long: the event loop goes on while one is made."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from jinja2 import Template

_WITHOUT_A_BREAK: Final = 0.005
"""Seconds for which a page is made at most, if its parts are small."""


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
