"""A notebook that is asked until it answers, without a hub; with one: tests/hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.resuming import ResumingKubeSpawner
from gpuspawner.simcluster.waiting import wait_until
from gpuspawner.starting import answering
from gpuspawner.starting.answering import AnsweringKubeSpawner, answers
from gpuspawner.starting.lost import Ran

HANG = 0


@asynccontextmanager
async def a_notebook(*statuses: int) -> AsyncIterator[tuple[str, list[str]]]:
    """One that answers with each status in turn; its URL, and the paths it was asked for."""
    asked: list[str] = []
    is_over = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        status = statuses[min(len(asked), len(statuses)) - 1]
        if status == HANG:
            await is_over.wait()
            status = 200
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}", asked
    finally:
        is_over.set()
        await runner.cleanup()


@pytest.mark.parametrize("status", [200, 302, 403, 404])
async def test_any_answer_but_a_server_error_will_do(status: int) -> None:
    async with a_notebook(status) as (url, asked):
        assert await answers(f"{url}/user/ada/api", 30)
    assert asked == ["/user/ada/api"]


async def test_it_is_asked_again_until_it_answers() -> None:
    async with a_notebook(503, 502, 200) as (url, asked):
        assert await answers(url, 30)
    assert len(asked) == 3


async def test_a_question_that_hangs_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "LONGEST_QUESTION", 0.1)
    async with a_notebook(HANG, 200) as (url, asked):
        assert await answers(url, 30)
    assert len(asked) == 2


async def test_nothing_that_answers_is_said_to_be_so() -> None:
    async with a_notebook(200) as (url, _):
        pass
    assert not await answers(url, 0.3)
    assert not await answers(url, -1)


async def test_who_cancels_the_wait_ends_it() -> None:
    async with a_notebook(HANG) as (url, asked):
        task = asyncio.create_task(answers(url, 30))
        await wait_until(lambda: bool(asked))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


POD = {
    "spec": {"containers": [{"name": "notebook"}]},
    "status": {"containerStatuses": [{"name": "notebook", "restartCount": 2}]},
}


@pytest.fixture
def spawner(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A spawner whose pod runs at once; `url` is what KubeSpawner gives."""

    async def start(self: Any) -> Any:
        return self.url

    class Spawner(AnsweringKubeSpawner):
        http_timeout = 30
        _pod = POD
        url: Any = "http://10.0.0.5:8888"
        user = SimpleNamespace(settings={})
        orm_spawner = SimpleNamespace(server=SimpleNamespace(base_url="/user/ada/"))

    monkeypatch.setattr(ResumingKubeSpawner, "_start", start)
    return object.__new__(Spawner)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch, spawner: Any) -> list[Any]:
    """What was asked: URL, seconds and what a look knows then; the answer is `spawner.answer`."""
    asked: list[Any] = []

    async def ask(url: str, within: float, _: Any) -> bool:
        asked.append((url, round(within), spawner._ran))
        return bool(spawner.answer)

    monkeypatch.setattr(answering, "answers", ask)
    spawner.answer = True
    return asked


async def test_the_notebook_is_asked_at_the_address_that_the_hub_asks(
    spawner: Any, questions: list[Any]
) -> None:
    assert await spawner._start() == spawner.url
    assert questions == [("http://10.0.0.5:8888/user/ada/api", 30, Ran(2))]
    assert spawner._ran is None


async def test_no_answer_is_a_refusal_in_words(spawner: Any, questions: list[Any]) -> None:
    spawner.answer = False
    with pytest.raises(SpawnRefusedError) as refused:
        await spawner._start()
    assert (refused.value.status_code, refused.value.code) == (503, "no-answer")
    words = "The server runs, but its notebook did not answer within 30 s."
    assert words in refused.value.jupyterhub_message
    assert len(questions) == 1
    assert spawner._ran is None


async def test_when_the_start_is_out_of_time_first_the_hub_goes_on_waiting(
    spawner: Any, questions: list[Any]
) -> None:
    spawner.answer = False
    async with asyncio.timeout(20) as spawner._start_limit:
        assert await spawner._start() == spawner.url
    assert questions[0][1] == 20 - answering.HEADROOM


async def test_a_start_without_a_limit_asks_for_as_long_as_the_hub_would(
    spawner: Any, questions: list[Any]
) -> None:
    async with asyncio.timeout(None) as spawner._start_limit:
        assert await spawner._start() == spawner.url
    assert questions[0][1] == 30


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"url": ("10.0.0.5", 8888)}, id="a hook gives an address of another kind"),
        pytest.param({"url": None}, id="a hook gives none"),
        pytest.param({"orm_spawner": SimpleNamespace(server=None)}, id="the hub gave it up"),
    ],
)
async def test_what_cannot_be_asked_is_left_to_the_hub(
    spawner: Any, questions: list[Any], change: dict[str, Any]
) -> None:
    for name, value in change.items():
        setattr(type(spawner), name, value)
    assert await spawner._start() == spawner.url
    assert questions == []
