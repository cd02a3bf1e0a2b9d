"""A start that an earlier hub began, without the hub: what a pod tells, and what can go wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.resuming import ResumingKubeSpawner, traces

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMESPACE = "jupyterhub"
NAME = "jupyter-ada"


def a_pod(**parts: Any) -> dict[str, Any]:
    notebook = {
        "name": "notebook",
        "ports": [
            {"name": "metrics", "containerPort": 9100},
            {"name": "notebook-port", "containerPort": 9999},
        ],
        "env": [
            {"name": "HOME", "value": "/home"},
            {"name": "JUPYTERHUB_API_TOKEN", "value": "s3cret"},
        ],
    }
    pod = {
        "metadata": {"namespace": NAMESPACE, "name": NAME, "uid": "new"},
        "spec": {"containers": [notebook, {"name": "sidecar"}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.5",
            "containerStatuses": [{"name": "notebook", "ready": True}],
        },
    }
    return pod | parts


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        pytest.param(0, 600, id="all of it at once"),
        pytest.param(100, 500, id="what was not yet waited for"),
        pytest.param(10_000, 5, id="a moment to find that it runs by now"),
        pytest.param(-10_000, 600, id="all of it after the clock was set back"),
    ],
)
def test_seconds_left(gone: float, left: float) -> None:
    assert traces.seconds_left(600, NOON, NOON + timedelta(seconds=gone)) == left


@pytest.mark.parametrize(
    ("pod", "is_there"),
    [
        pytest.param(None, False, id="no pod is none"),
        pytest.param(a_pod(), True, id="one that runs"),
        pytest.param(a_pod(status={"phase": "Pending"}), True, id="one that waits"),
        pytest.param(
            a_pod(metadata={"deletionTimestamp": "2026-01-01T12:00:00Z"}),
            False,
            id="one that is being deleted is none",
        ),
    ],
)
def test_is_there(pod: dict[str, Any] | None, is_there: bool) -> None:
    assert traces.is_there(pod) is is_there


def test_a_pod_tells_the_port_and_the_token_of_its_notebook() -> None:
    assert (traces.port(a_pod()), traces.api_token(a_pod())) == (9999, "s3cret")


@pytest.mark.parametrize("spec", [None, {}, {"containers": [{"name": "notebook"}]}])
def test_a_pod_need_not_tell(spec: Any) -> None:
    pod = a_pod(spec=spec)
    assert (traces.port(pod), traces.api_token(pod)) == (None, "")


def events(*about: str) -> list[dict[str, Any]]:
    return [
        {"metadata": {"uid": f"event-{number}"}, "involvedObject": {"uid": uid}}
        for number, uid in enumerate(about)
    ]


@pytest.mark.parametrize(
    ("about", "last"),
    [
        pytest.param((), None, id="no events"),
        pytest.param(("new", "new"), None, id="only of this pod"),
        pytest.param(("old", "old", "new"), "event-1", id="the last of an earlier pod"),
    ],
)
def test_last_of_others(about: tuple[str, ...], last: str | None) -> None:
    assert traces.last_of_others(events(*about), a_pod()) == last


class User(SimpleNamespace):
    """The hub's side of a start, and a record of what was asked of it."""

    def __init__(self) -> None:
        super().__init__(name="ada", id=1, url="/user/ada/", state=None, asked=[], failing={})
        self.db = SimpleNamespace(commit=lambda: self.asked.append("commit"))
        start = asyncio.get_running_loop().create_future()
        start.set_result(None)
        self.settings = {
            "app": SimpleNamespace(_start_future=start),
            "proxy": SimpleNamespace(add_user=self._asked("add_user")),
            "eventlog": SimpleNamespace(emit=lambda **event: self.asked.append(event["data"])),
        }
        self.stop, self._wait_up = self._asked("stop"), self._asked("wait_up")

    def _asked(self, what: str) -> Any:
        async def ask(*_: Any) -> None:
            self.asked.append(what)
            if what in self.failing:
                raise self.failing[what]

        return ask


class Reflector(SimpleNamespace):
    pods: dict[str, Any]
    events: list[Any]


@pytest.fixture
async def spawner(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A spawner of a hub that has just begun; its pod is `spawner.seen`."""
    pods = Reflector(pods={f"{NAMESPACE}/{NAME}": a_pod()})
    heard = Reflector(events=events("old", "new"))
    for event in heard.events:
        event["involvedObject"]["name"] = NAME
    monkeypatch.setattr(ResumingKubeSpawner, "_start_watching_pods", _nothing)
    monkeypatch.setattr(ResumingKubeSpawner, "_start_watching_events", _nothing)
    reflectors = {("pods", NAMESPACE): pods, ("events", NAMESPACE): heard}
    monkeypatch.setattr(ResumingKubeSpawner, "reflectors", reflectors)
    server = SimpleNamespace(
        ip="", proto="http", port=1, base_url="/user/ada/", cookie_name="cookie"
    )
    spawner = ResumingKubeSpawner(_mock=True, user=User(), namespace=NAMESPACE)
    monkeypatch.setattr(
        ResumingKubeSpawner, "server", property(lambda self: self.orm_spawner.server)
    )
    spawner.pod_name = NAME
    spawner.orm_spawner = SimpleNamespace(server=None, started=None, state=None, name="")
    spawner.orm_spawner.server = server
    spawner.poll_interval = 0
    return spawner


async def _nothing(*_: Any, **__: Any) -> None:
    """What a reflector that is there already comes to."""


async def end_of(spawner: Any) -> BaseException | None:
    """How the start that an earlier hub began ends."""
    spawner._go_on()
    assert spawner.pending == "spawn"
    completion = spawner._spawn_future
    await asyncio.wait([completion], timeout=10)
    assert spawner.pending is None
    error: BaseException | None = completion.exception()
    return error


async def test_a_pod_that_runs_becomes_a_server(spawner: Any) -> None:
    assert await end_of(spawner) is None
    server = spawner.orm_spawner.server
    assert (server.proto, server.ip, server.port) == ("http", "10.0.0.5", 9999)
    assert spawner.api_token == "s3cret"
    assert [event["metadata"]["uid"] for event in spawner.events] == ["event-1"]
    started = {"action": "start", "username": "ada", "servername": ""}
    assert spawner.user.asked == ["commit", "wait_up", "add_user", started]
    assert spawner._spawn_future is None


async def test_the_timeouts_of_the_start_count_and_no_others(spawner: Any) -> None:
    timeouts = {"start_timeout": 1234, "http_timeout": 99, "cmd": ["something"]}
    spawner.orm_spawner.state = {"gpuspawner": timeouts}
    assert await end_of(spawner) is None
    assert (spawner.start_timeout, spawner.http_timeout) == (1234, 99)
    assert spawner.cmd != ["something"]


async def test_the_time_left_is_that_of_a_start_of_ones_own_otherwise(spawner: Any) -> None:
    spawner.orm_spawner.started = datetime(2020, 1, 1)
    assert spawner.seconds_left(60) == 60
    spawner.is_resumed = True
    assert spawner.seconds_left(60) == traces.LEAST_SECONDS


async def test_a_server_that_does_not_answer_is_told_in_words(spawner: Any) -> None:
    spawner.http_timeout = 30
    spawner.user.failing["wait_up"] = TimeoutError()
    error = await end_of(spawner)
    assert isinstance(error, SpawnRefusedError)
    assert "did not answer within 30 s" in error.jupyterhub_message
    assert "add_user" not in spawner.user.asked


async def test_a_server_that_the_proxy_does_not_take_is_stopped(spawner: Any) -> None:
    spawner.user.failing["add_user"] = RuntimeError("no route")
    error = await end_of(spawner)
    assert isinstance(error, SpawnRefusedError)
    assert "cannot make it reachable" in error.jupyterhub_message
    assert spawner.user.asked[-1] == "stop"
    assert spawner._proxy_pending is False


async def test_a_stop_that_fails_does_not_hide_why_the_start_did(spawner: Any) -> None:
    spawner.pod_reflector.pods.clear()
    spawner.user.failing["stop"] = RuntimeError("no stop")
    error = await end_of(spawner)
    assert isinstance(error, SpawnRefusedError)
    assert error.code == "deleted"
    assert spawner._spawn_future.exception() is error
