"""A page that is long to make, or made for the first time, lets the event loop go on."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from traitlets.config import Config

from gpuspawner import setup
from gpuspawner.form import rendering
from gpuspawner.hub.long_pages import InParts, compiled

from .conftest import HERE

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


async def test_our_templates_are_compiled_once_and_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiles: list[tuple[str, bool]] = []
    compile_one = Environment.compile

    def noted(self: Environment, source: Any, name: str, *others: Any, **more: Any) -> Any:
        compiles.append((name, threading.current_thread() is threading.main_thread()))
        return compile_one(self, source, name, *others, **more)

    monkeypatch.setattr(Environment, "compile", noted)
    loader = DictLoader({"gpuspawner/a.html": "a", "gpuspawner/b.html": "b", "page.html": "c"})
    environment = Environment(loader=loader, enable_async=True, autoescape=True)
    await compiled(environment)
    await compiled(environment)
    environment.get_template("gpuspawner/a.html")
    assert compiles == [("gpuspawner/a.html", False), ("gpuspawner/b.html", False)]


def test_a_hub_that_is_set_up_has_the_form_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    rendering._environment.cache_clear()
    setup(Config(), HERE / "catalog.yaml")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the first form waits for this")

    monkeypatch.setattr(Environment, "compile", never)
    rendering.template.cache_clear()
    for name in ("form.html", "card.html", "now.html", "options.html"):
        rendering.template(name)
