"""The latest revision as a process knows it, while others save and the database comes and goes."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import pytest

from gpuspawner.access import Revision
from gpuspawner.database import AccessStore, DatabaseAwayError, LatestRevision

LOG = logging.getLogger("tests.following")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def revision(number: int, who: str = "ada", hour: int = 1) -> Revision:
    when = datetime(2026, 1, 1, hour, tzinfo=UTC)
    return Revision(number, (), who, when, "", number - 1, (), ())


class Shared(AccessStore):
    """What several hubs see of one database."""

    def __init__(self) -> None:
        self.last: Revision | None = None
        self.fault: Exception | None = None
        self.reads = 0
        self.hold: threading.Event | None = None

    def latest_mark(self) -> tuple[int, datetime] | None:
        last, fault = self.last, self.fault
        if self.hold is not None:
            self.hold.wait(30)
        if fault is not None:
            raise fault
        return (last.number, last.when) if last is not None else None

    def latest(self) -> Revision | None:
        self.reads += 1
        return self.last


class Hub:
    def __init__(self, shared: Shared) -> None:
        self.seconds = 0.0
        self.latest = LatestRevision(shared, LOG, clock=lambda: self.seconds, now=lambda: NOON)

    async def sees(self) -> Revision | None:
        self.seconds += 1
        return (await self.latest.fresh()).revision


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def hub(shared: Shared) -> Hub:
    return Hub(shared)


async def test_what_another_hub_saves_is_seen_and_read_once(hub: Hub, shared: Shared) -> None:
    assert await hub.sees() is None
    assert hub.latest.status.is_known
    for number in (1, 2):
        shared.last = revision(number)
        assert [await hub.sees() for _ in range(3)] == [shared.last] * 3
    assert shared.reads == 3


async def test_a_database_that_was_put_back_is_believed(hub: Hub, shared: Shared) -> None:
    for last in (revision(2), revision(1), revision(1, "grace", hour=2), None):
        shared.last = last
        assert await hub.sees() == last


async def test_while_it_is_away_the_last_that_was_read_stays(
    hub: Hub, shared: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shared.last = known = revision(1)
    await hub.sees()
    shared.fault = DatabaseAwayError("it is away")
    shared.last = revision(2)
    for _ in range(3):
        assert await hub.sees() is known
    status = hub.latest.status
    assert (status.is_known, status.problem, status.problem_since) == (True, shared.fault, NOON)
    shared.fault = None
    assert await hub.sees() == revision(2)
    assert (hub.latest.status.problem, hub.latest.status.problem_since) == (None, None)
    levels = [record.levelname for record in caplog.records if record.name == LOG.name]
    assert levels == ["ERROR", "INFO"], "once when it goes, once when it is back"


@pytest.mark.parametrize("fault", [DatabaseAwayError("away"), ZeroDivisionError()])
async def test_one_that_never_answered_is_not_one_where_nothing_was_saved(
    fault: Exception, hub: Hub, shared: Shared
) -> None:
    shared.fault = fault
    assert await hub.sees() is None
    assert not hub.latest.status.is_known
    assert isinstance(hub.latest.status.problem, DatabaseAwayError)


async def test_what_was_saved_here_is_not_undone_by_an_answer_from_before(
    hub: Hub, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.last = revision(1)
    await hub.sees()
    monkeypatch.setattr(hub.latest._polled, "_patience", 0.01)
    shared.hold = threading.Event()
    await hub.sees()
    shared.last = revision(2)
    hub.latest.saved(shared.last)
    shared.hold.set()
    monkeypatch.setattr(hub.latest._polled, "_patience", 30)
    assert (await hub.latest.fresh()).revision == revision(2)
    assert await hub.sees() == revision(2)
