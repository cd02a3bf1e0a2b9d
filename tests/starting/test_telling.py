"""What is told of a start, and how one is cancelled, without a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.refusals import SpawnRefusedError
from gpuspawner.starting import telling
from gpuspawner.starting.measured import Measured, key_of_pool
from gpuspawner.starting.measuring import Ground
from gpuspawner.starting.stages import Stage, stage_of
from gpuspawner.starting.telling import TellingKubeSpawner, measured

from .pods import IMAGE, NOW, a_pod, a_time, of_notebook

ASKED = stage_of(None, [], NOW)
PLACED = stage_of(a_pod(node="n1"), [], NOW)
PULLED = stage_of(a_pod(node="n1"), [of_notebook("Pulled", "already present")], NOW)


class Spawner(TellingKubeSpawner):
    """One whose stages are given, and which starts and stops as a test says."""

    def __init__(self, *stages: Stage) -> None:
        super().__init__(_mock=True)
        self.stages = list(stages)
        self.looks = 0
        self.stops = 0
        self._spawn_pending = True

    @property
    def stage(self) -> Stage:
        """The next of the given ones; the last one is the end."""
        now = self.stages[min(self.looks, len(self.stages) - 1)]
        self.looks += 1
        self._spawn_pending = self.looks < len(self.stages)
        return now

    async def stop(self, now: bool = False) -> None:
        """Count it."""
        del now
        self.stops += 1


@pytest.fixture
def under_way(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """KubeSpawner's start, which is under way once this is set, and never ends."""
    event = asyncio.Event()

    async def start(_: KubeSpawner) -> None:
        event.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(KubeSpawner, "_start", start)
    return event


async def test_every_stage_is_told_once_and_the_last_one_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "PERIOD", 0)
    spawner = Spawner(ASKED, ASKED, PLACED, PLACED, PULLED)
    told = [event async for event in spawner.progress()]
    assert [event["message"] for event in told] == [
        ASKED.sentence,
        PLACED.sentence,
        PULLED.sentence,
    ]


async def test_what_is_shown_of_the_progress_never_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "PERIOD", 0)
    spawner = Spawner(PULLED, ASKED, PLACED)
    assert [event["progress"] async for event in spawner.progress()] == [PULLED.percent] * 3


async def test_between_two_looks_there_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PERIOD", 3600)
    spawner = Spawner(ASKED, PLACED, PULLED)
    progress = spawner.progress()
    await anext(progress)
    following = asyncio.ensure_future(anext(progress))
    for _ in range(100):
        await asyncio.sleep(0)
    assert spawner.looks == 1
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_a_start_that_is_cancelled_is_refused_and_its_pod_deleted(
    under_way: asyncio.Event,
) -> None:
    spawner = Spawner(ASKED)
    start = asyncio.create_task(spawner._start())
    await under_way.wait()
    assert spawner.cancel_start()
    with pytest.raises(SpawnRefusedError) as refusal:
        await start
    assert refusal.value.code == "cancelled"
    assert spawner.stops == 1


async def test_a_start_that_is_cancelled_before_it_began_does_not_begin(
    under_way: asyncio.Event,
) -> None:
    spawner = Spawner(ASKED)
    assert spawner.cancel_start()
    with pytest.raises(SpawnRefusedError):
        await spawner._start()
    assert not under_way.is_set()


async def test_a_start_that_times_out_stays_a_time_out(under_way: asyncio.Event) -> None:
    spawner = Spawner(ASKED)
    start = asyncio.create_task(spawner._start())
    await under_way.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start


async def test_a_start_that_has_returned_is_for_the_caller_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start(_: KubeSpawner) -> str:
        return "http://10.0.0.1:8888"

    monkeypatch.setattr(KubeSpawner, "_start", start)
    spawner = Spawner(ASKED)
    assert await spawner._start() == "http://10.0.0.1:8888"
    assert not spawner.cancel_start()


async def test_the_next_start_is_not_cancelled(under_way: asyncio.Event) -> None:
    spawner = Spawner(ASKED)
    spawner.cancel_start()
    spawner.clear_state()
    start = asyncio.create_task(spawner._start())
    await under_way.wait()
    assert spawner.cancel_start()
    with pytest.raises(SpawnRefusedError):
        await start


async def test_a_pod_that_is_being_made_is_made_before_the_start_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answer, made = asyncio.Event(), asyncio.Event(), []

    async def make(*_: Any) -> bool:
        asked.set()
        await answer.wait()
        made.append("pod")
        return True

    monkeypatch.setattr(KubeSpawner, "_make_create_pod_request", make)
    making = asyncio.create_task(Spawner(ASKED)._make_create_pod_request("pod", 3))
    await asked.wait()
    making.cancel()
    asyncio.get_running_loop().call_soon(answer.set)
    with pytest.raises(asyncio.CancelledError):
        await making
    assert made == ["pod"]


class Holding:
    """A reflector that holds these objects."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.resources = {str(number): held for number, held in enumerate(objects)}


class Measuring(TellingKubeSpawner):
    """One whose pod, events and node are given."""

    pod: dict[str, Any] | None = None
    event_reflector: Holding | None = None

    @property
    def _pod_in_sight(self) -> dict[str, Any] | None:
        return self.pod

    def _ground_of(self, node: str) -> Ground | None:
        return Ground(a_time(90), "the A100 pool") if node == "n1" else None


PULL = of_notebook("Pulled", f'Successfully pulled image "{IMAGE}" in 4m0s')


def measuring(node: str = "n1") -> Measuring:
    scheduled = {"status": "True", "lastTransitionTime": a_time(60)}
    spawner = Measuring(_mock=True)
    spawner.pod = a_pod(
        node=node,
        conditions={"PodScheduled": scheduled},
        metadata={"creationTimestamp": a_time(600)},
    )
    spawner.event_reflector = Holding(PULL, {**PULL, "involvedObject": {"uid": "u-9"}}, {})
    spawner.pool_to_grow = "the A100 pool"
    return spawner


async def at_once(_: KubeSpawner) -> str:
    return "http://10.0.0.1:8888"


async def fails(_: KubeSpawner) -> str:
    raise LookupError


@pytest.mark.parametrize("start", [at_once, fails])
async def test_however_a_start_ends_it_tells_how_long_node_and_image_took(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[KubeSpawner], Any]
) -> None:
    monkeypatch.setattr(KubeSpawner, "_start", start)
    assert measured() == Measured()
    with suppress(LookupError):
        await measuring()._start()
    assert measured() == Measured().and_image(IMAGE, 240).and_node(
        (key_of_pool("the A100 pool"),), 540
    )


async def test_a_start_that_is_cancelled_tells_too(under_way: asyncio.Event) -> None:
    spawner = measuring()
    start = asyncio.create_task(spawner._start())
    await under_way.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert measured().images.lasts == {IMAGE: (240,)}


async def test_a_pod_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the server before is there when the next start is refused."""
    monkeypatch.setattr(KubeSpawner, "_start", at_once)
    spawner = measuring()
    await spawner._start()
    spawner.clear_state()
    await spawner._start()
    assert measured().images.lasts == {IMAGE: (240,)}


async def test_an_image_is_measured_where_nothing_is_known_of_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KubeSpawner, "_start", at_once)
    await measuring(node="n2")._start()
    assert measured() == Measured().and_image(IMAGE, 240)


async def test_a_node_is_measured_where_events_are_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KubeSpawner, "_start", at_once)
    spawner = measuring()
    spawner.event_reflector = None
    await spawner._start()
    assert measured() == Measured().and_node((key_of_pool("the A100 pool"),), 540)


async def test_a_start_succeeds_though_it_cannot_be_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: Measuring, node: str) -> Ground:
        raise LookupError(node)

    monkeypatch.setattr(KubeSpawner, "_start", at_once)
    monkeypatch.setattr(Measuring, "_ground_of", broken)
    assert await measuring()._start() == "http://10.0.0.1:8888"
    assert measured() == Measured()


async def test_what_was_measured_is_said_of_the_next_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KubeSpawner, "_start", at_once)
    await measuring()._start()
    spawner = measuring()
    spawner.pod = a_pod(node="n1")
    monkeypatch.setattr(
        telling, "events_of", lambda *_: [of_notebook("Pulling", f'Pulling image "{IMAGE}"')]
    )
    assert spawner.stage.sentence.endswith("; last time it took 4 min.")


async def test_what_was_to_grow_for_the_last_server_is_not_for_the_next() -> None:
    spawner = measuring()
    spawner.clear_state()
    assert spawner.pool_to_grow == ""
