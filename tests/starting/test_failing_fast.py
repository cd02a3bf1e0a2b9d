"""A start beside the watch on its pod: which of the two ends it, and what is left behind."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.resuming import ResumingKubeSpawner
from gpuspawner.starting import failing_fast
from gpuspawner.starting.answering import AnsweringKubeSpawner
from gpuspawner.starting.failing_fast import (
    FailingFastKubeSpawner,
    Persistence,
    Sight,
    events_of,
    unless_hopeless,
)
from gpuspawner.starting.hopeless import Hopeless, unplaced
from gpuspawner.starting.lost import Ran

Json = dict[str, Any]
log = logging.getLogger("test")
FINE: Json = {"metadata": {"uid": "u1"}, "spec": {"nodeName": "n1"}, "status": {}}
BAD: Json = {
    "metadata": {"uid": "u1"},
    "spec": {"nodeName": "n1", "containers": [{"name": "notebook", "image": "no such"}]},
    "status": {
        "containerStatuses": [
            {
                "name": "notebook",
                "state": {"waiting": {"reason": "InvalidImageName", "message": "in the log"}},
            }
        ]
    },
}


NO_NODE: Json = {
    "metadata": {"uid": "u1"},
    "spec": {},
    "status": {
        "conditions": [
            {
                "type": "PodScheduled",
                "message": "0/2 nodes are available: 2 node(s) didn't match Pod's node "
                "affinity/selector.",
            }
        ]
    },
}


class Start:
    """A start that goes on until it is told how to end."""

    def __init__(self) -> None:
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled = False
        self.at_cancel: str | Exception | None = None

    async def __call__(self) -> str:
        try:
            return await asyncio.shield(self.end)
        except asyncio.CancelledError:
            self.cancelled = True
            if isinstance(self.at_cancel, Exception):
                raise self.at_cancel from None
            if self.at_cancel:
                return self.at_cancel
            raise


def looks(*pods: Json | None) -> failing_fast.Look:
    """Look by look; the last is seen for ever."""
    left = list(pods)

    def look() -> Sight:
        return Sight(left.pop(0) if len(left) > 1 else left[0])

    return look


async def run(start: Start, look: failing_fast.Look) -> str:
    return await unless_hopeless(start(), look, log, period=0.001)


async def test_a_start_that_succeeds_is_left_alone() -> None:
    start = Start()
    asyncio.get_running_loop().call_later(0.02, start.end.set_result, "url")
    assert await run(start, looks(None, FINE)) == "url"
    assert not start.cancelled


async def test_a_failure_of_the_start_passes_through() -> None:
    start = Start()
    start.end.set_exception(LookupError("its own"))
    with pytest.raises(LookupError, match="its own"):
        await run(start, looks(None))


async def test_a_hopeless_start_is_cancelled_and_refused_in_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start = Start()
    with pytest.raises(SpawnRefusedError) as refused:
        await run(start, looks(None, FINE, BAD))
    assert start.cancelled
    assert refused.value.code == "image"
    assert refused.value.status_code == 503
    assert "no such is not the name of an image" in refused.value.jupyterhub_message
    assert "in the log" in caplog.text


async def test_a_start_that_has_ended_wins_over_what_was_found_at_the_same_time() -> None:
    async def at_once() -> str:
        return "url"

    assert await unless_hopeless(at_once(), looks(BAD), log) == "url"


def being_deleted(pod: Json) -> Json:
    return pod | {"metadata": pod["metadata"] | {"deletionTimestamp": "2026-01-01T12:00:00Z"}}


CRASHED: Json = FINE | {
    "spec": {"nodeName": "n1", "containers": [{"name": "notebook"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "notebook",
                "restartCount": 1,
                "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
            }
        ],
    },
}


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        pytest.param([FINE, None], "was deleted in the cluster", id="it is gone"),
        pytest.param([being_deleted(FINE)], "was deleted in the cluster", id="it is on its way"),
        pytest.param([NO_NODE, being_deleted(NO_NODE)], "No node of the cluster", id="in vain"),
    ],
)
async def test_a_start_whose_pod_is_deleted_ends_with_the_best_reason_that_is_known(
    pods: list[Json | None], words: str
) -> None:
    start = Start()
    with pytest.raises(SpawnRefusedError, match=words):
        await run(start, looks(*pods))
    assert start.cancelled


async def test_that_a_pod_is_gone_which_the_start_ends_itself_says_nothing() -> None:
    start = Start()
    asyncio.get_running_loop().call_later(0.02, start.end.set_exception, LookupError("its own"))
    seen = [Sight(FINE), Sight(is_ours=False)]
    with pytest.raises(LookupError, match="its own"):
        await run(start, lambda: seen.pop(0) if len(seen) > 1 else seen[0])


@pytest.mark.parametrize(
    ("pod", "code"),
    [
        pytest.param(NO_NODE, "never-fits", id="it was hopeless, though not for long enough"),
        pytest.param(FINE, "deleted", id="nothing spoke against it"),
    ],
)
async def test_a_start_that_finds_its_pod_gone_is_told_by_what_is_better_known(
    pod: Json, code: str
) -> None:
    seen = asyncio.Event()

    async def found_gone() -> str:
        await seen.wait()
        raise SpawnRefusedError(503, "deleted", "The server is no longer in the cluster.")

    def look() -> Sight:
        if seen.is_set():
            return Sight(being_deleted(pod))
        seen.set()
        return Sight(pod)

    with pytest.raises(SpawnRefusedError) as refused:
        await unless_hopeless(found_gone(), look, log)
    assert refused.value.code == code


async def test_of_a_notebook_that_is_asked_no_restart_is_waited_for() -> None:
    start = Start()
    with pytest.raises(SpawnRefusedError, match="exit code 3"):
        await run(start, lambda: Sight(CRASHED, ran=Ran(0)))
    for ran in (None, Ran(1)):
        start = Start()
        asyncio.get_running_loop().call_later(0.02, start.end.set_result, "url")
        assert await run(start, lambda ran=ran: Sight(CRASHED, ran=ran)) == "url"  # type: ignore[misc]


async def test_a_start_that_stops_its_pod_does_not_find_it_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stops = []

    async def stop(*_: Any) -> None:
        stops.append(FailingFastKubeSpawner._look(spawner))

    monkeypatch.setattr(AnsweringKubeSpawner, "stop", stop)
    monkeypatch.setattr(FailingFastKubeSpawner, "_known_pod", being_deleted(FINE))
    spawner = object.__new__(FailingFastKubeSpawner)
    spawner._is_pod_created = True
    await spawner.stop()
    assert stops == [Sight(is_ours=False)]


async def test_a_pod_that_has_run_and_was_never_seen_is_gone() -> None:
    with pytest.raises(SpawnRefusedError, match="was deleted in the cluster"):
        await run(Start(), lambda: Sight(ran=Ran(0)))


async def test_a_start_that_succeeds_while_it_is_cancelled_has_succeeded() -> None:
    start = Start()
    start.at_cancel = "url"
    assert await run(start, looks(BAD)) == "url"
    assert start.cancelled


async def test_a_start_that_fails_while_it_is_cancelled_is_told_as_the_cause() -> None:
    start = Start()
    start.at_cancel = LookupError("while it was cleaned up")
    with pytest.raises(SpawnRefusedError) as refused:
        await run(start, looks(BAD))
    assert refused.value.__cause__ is start.at_cancel


async def test_who_cancels_it_cancels_the_start_and_the_watch() -> None:
    start = Start()
    before = asyncio.all_tasks()
    task = asyncio.create_task(run(start, looks(FINE)))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert start.cancelled
    assert asyncio.all_tasks() <= before


async def test_a_timeout_around_it_is_a_timeout() -> None:
    start = Start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run(start, looks(FINE))
    assert start.cancelled


async def test_a_start_that_cancels_itself_is_cancelled() -> None:
    start = Start()
    start.end.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run(start, looks(FINE))


async def test_a_watch_that_fails_is_logged_and_leaves_the_start_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start = Start()

    def look() -> Sight:
        asyncio.get_running_loop().call_later(0.01, start.end.set_result, "url")
        raise LookupError("of the watch")

    assert await run(start, look) == "url"
    assert "of the watch" in caplog.text


async def test_what_may_pass_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Hopeless("crash", "words", patience=1000)
    monkeypatch.setattr(failing_fast, "hopeless", lambda *_, **__: found)
    start = Start()
    asyncio.get_running_loop().call_later(0.02, start.end.set_result, "url")
    assert await run(start, looks(FINE)) == "url"


IMAGE = Hopeless("image", "", patience=10)
CRASH = Hopeless("crash", "", patience=10)
AT_ONCE = Hopeless("image", "", patience=0)


@pytest.mark.parametrize(
    ("seen", "enough"),
    [
        pytest.param([(0, "u1", None)], False, id="nothing is wrong"),
        pytest.param([(0, "u1", AT_ONCE)], True, id="what has no patience counts at once"),
        pytest.param([(0, "u1", IMAGE), (9.9, "u1", IMAGE)], False, id="not yet"),
        pytest.param([(0, "u1", IMAGE), (10, "u1", IMAGE)], True, id="for long enough"),
        pytest.param(
            [(0, "u1", IMAGE), (5, "u1", None), (10, "u1", IMAGE)], False, id="it went away between"
        ),
        pytest.param(
            [(0, "u1", IMAGE), (5, "u1", CRASH), (10, "u1", CRASH)], False, id="something else"
        ),
        pytest.param(
            [(0, "u1", IMAGE), (5, "u2", IMAGE), (10, "u2", IMAGE)], False, id="another pod"
        ),
        pytest.param(
            [(0, "u1", IMAGE), (1, "u1", AT_ONCE)], True, id="it has become certain meanwhile"
        ),
    ],
)
def test_for_how_long_it_has_been_wrong(
    seen: list[tuple[float, str, Hopeless | None]], enough: bool
) -> None:
    persistence = Persistence()
    answers = [persistence.is_enough(uid, found, now) for now, uid, found in seen]
    assert answers[:-1] == [False] * (len(seen) - 1)
    assert answers[-1] is enough


@pytest.mark.parametrize(
    ("pod", "is_created", "before", "is_judged"),
    [
        pytest.param(None, True, None, False, id="the watch has not shown it yet"),
        pytest.param(BAD, False, None, False, id="it is there before this start has made one"),
        pytest.param(BAD, True, "u1", False, id="it is the one before, which is gone by now"),
        pytest.param(BAD, True, "u0", True, id="it has taken the place of another"),
        pytest.param(BAD, True, None, True, id="it is the first of its name"),
        pytest.param({"metadata": {}}, True, None, False, id="it has no uid"),
    ],
)
def test_only_the_pod_that_this_start_has_made_is_judged(
    pod: Json | None, is_created: bool, before: str | None, is_judged: bool
) -> None:
    spawner = a_spawner(pod, _is_pod_created=is_created, _uid_before=before)
    assert FailingFastKubeSpawner._look(spawner).pod == (pod if is_judged else None)


@pytest.mark.parametrize(
    ("reflected", "more", "may_grow"),
    [
        pytest.param((True, ""), {}, False, id="its events are known, and tell of a new node"),
        pytest.param(None, {}, True, id="events are switched off"),
        pytest.param((False, ""), {}, True, id="events were never listed"),
        pytest.param((True, "HTTP 403"), {}, True, id="events are not to be had any more"),
        pytest.param((True, ""), {"may_start_node": True}, True, id="a node is to be started"),
        pytest.param((True, ""), {"is_resumed": True}, True, id="another hub let it through"),
    ],
)
async def test_whether_a_node_may_be_on_its_way_unseen(
    reflected: tuple[bool, str] | None, more: Json, *, may_grow: bool
) -> None:
    reflector = None if reflected is None else _Reflector({}, *reflected)
    spawner = a_spawner(BAD, event_reflector=reflector, **more)
    assert FailingFastKubeSpawner._look(spawner).may_grow is may_grow


async def test_a_start_for_which_a_node_may_come_is_not_ended_for_want_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unplaced, "GROWING", 0.0)
    refused = asyncio.create_task(run(Start(), lambda: Sight(NO_NODE)))
    with pytest.raises(SpawnRefusedError, match="No node of the cluster can ever run"):
        await refused
    start = Start()
    asyncio.get_running_loop().call_later(0.02, start.end.set_result, "url")
    assert await run(start, lambda: Sight(NO_NODE, may_grow=True)) == "url"


async def test_a_node_is_to_be_started_for_one_start_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ResumingKubeSpawner, "clear_state", lambda _: None)
    spawner = object.__new__(FailingFastKubeSpawner)
    assert not spawner.may_start_node
    spawner.may_start_node = True
    spawner.clear_state()
    assert not spawner.may_start_node


def a_spawner(pod: Json | None, **more: Any) -> Any:
    """As far as a look needs one, by default with the first pod that it has made."""
    fields: Json = {
        "_known_pod": pod,
        "_is_pod_created": True,
        "_uid_before": None,
        "event_reflector": None,
        "may_start_node": False,
        "is_resumed": False,
        "_ran": None,
    }
    return SimpleNamespace(**fields | more)


def test_events_are_sorted_by_pod_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    first = {"involvedObject": {"uid": "u1"}, "reason": "Scheduled"}
    reflector = _Reflector({"a": first, "b": {"involvedObject": {"uid": "u2"}}, "c": {}})
    assert events_of(reflector, "u1") == [first]
    second = {"involvedObject": {"uid": "u1"}, "reason": "Pulling"}
    reflector.resources["d"] = second
    assert events_of(reflector, "u1") == [first]
    now += 1
    assert events_of(reflector, "u1") == [first, second]
    assert events_of(reflector, "u3") == []


class _Reflector:
    def __init__(self, resources: Json, is_loaded: bool = True, failure: str = "") -> None:
        self.resources = resources
        self.failure = failure
        self.first_load_future = SimpleNamespace(done=lambda: is_loaded)
