"""A page that is long to make lets the event loop go on."""

from __future__ import annotations

import asyncio
import time

from jinja2 import Environment

from gpuspawner.hub.long_pages import InParts

LIST = "{% for each in rows %}<li>{{ each }}</li>{% endfor %}"


async def test_it_is_the_page_that_the_template_makes() -> None:
    template = Environment(enable_async=True, autoescape=True).from_string(LIST)
    rows = ["<a>", 2, "drei"]
    assert await InParts(template).render_async(rows=rows) == await template.render_async(rows=rows)


async def test_others_have_their_turn_meanwhile() -> None:
    turns: list[int] = []
    made: list[int] = []

    def row(number: int) -> int:
        # As long as a part takes that is made of much.
        ends = time.perf_counter() + 0.006
        while time.perf_counter() < ends:
            pass
        made.append(number)
        return number

    async def other() -> None:
        while len(made) < 5:
            turns.append(len(made))
            await asyncio.sleep(0)

    template = Environment(enable_async=True, autoescape=True).from_string(
        "{% for each in rows %}<li>{{ row(each) }}</li>{% endfor %}"
    )
    task = asyncio.create_task(other())
    await InParts(template).render_async(rows=range(5), row=row)
    await task
    assert set(turns) >= {1, 2, 3, 4}
