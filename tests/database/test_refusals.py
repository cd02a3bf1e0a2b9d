"""Whoever can sign in can be refused without end, and must not fill the hub's database by it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.builders import a_catalog, a_profile

from gpuspawner.access import Draft
from gpuspawner.database import AUDIT_LOG, AccessStore, engine_for, pruning

FILE = a_catalog(a_profile("gpu"))
RULES = tuple({"groups": [name], "profiles": ["gpu"]} for name in ("hpc", "bio"))
MINUTE = timedelta(minutes=1)


def test_of_one_person_only_so_many_refusals_a_minute_are_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, AUDIT_LOG)
    now = [datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)]
    store = AccessStore(lambda: engine_for(f"sqlite:///{tmp_path}/hub.sqlite"), lambda: now[0])
    for _ in range(100):
        store.refused("eve", "edit", "forbidden", "no")
    assert len(store.entries(500)) == 60
    lines = [message for message in caplog.messages if message.startswith("{")]
    assert len(lines) == 100, "in the log is each"
    assert (
        caplog.messages.count("Refusals of 'eve' are in the log only for the rest of the minute")
        == 1
    )
    store.refused("ada", "edit", "forbidden", "no")
    now[0] += timedelta(minutes=1)
    store.refused("eve", "edit", "forbidden", "no")
    assert [entry.who for entry in store.entries(2)] == ["eve", "ada"]
    store.close()


class Years:
    """A store, and the time of day in which it lives."""

    def __init__(self, url: str) -> None:
        self.now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.store = AccessStore(lambda: engine_for(url), lambda: self.now)
        self.saved = 0

    def save(self) -> None:
        self.now += MINUTE
        self.store.save(Draft(RULES[self.saved % 2 :][:1], self.saved, "root"), FILE)
        self.saved += 1

    def refuse(self, who: str, times: int = 1) -> None:
        for _ in range(times):
            self.now += MINUTE
            self.store.refused(who, "edit", "forbidden", "no")

    def kept(self) -> Counter[tuple[str, str]]:
        return Counter((entry.who, entry.outcome) for entry in self.store.entries(1000))


@pytest.fixture
def years(url: str) -> Iterator[Years]:
    years = Years(url)
    yield years
    years.store.close()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def bound(**most: int) -> None:
        for name, number in most.items():
            monkeypatch.setattr(pruning, name, number)

    return bound


def test_changes_stay_for_ever_and_refusals_for_so_many_days(
    years: Years, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, AUDIT_LOG)
    years.save()
    years.refuse("eve", 3)
    years.save()
    years.now += pruning.LONGEST
    years.refuse("ada")
    assert years.kept() == {("root", "done"): 2, ("ada", "refused"): 1}
    assert len([line for line in caplog.messages if '"forbidden"' in line]) == 4, (
        "in the log is each"
    )


def test_nobody_pushes_out_the_refusals_of_others(years: Years, bound: Callable[..., None]) -> None:
    bound(MOST_OF_ONE=5)
    years.refuse("ada", 2)
    years.save()
    years.refuse("eve", 12)
    assert years.kept() == {("ada", "refused"): 2, ("root", "done"): 1, ("eve", "refused"): 5}
    newest = [entry.at for entry in years.store.entries(5)]
    assert newest == [years.now - number * MINUTE for number in range(5)], "the last ones stay"
    years.refuse("ada")
    assert years.kept()["ada", "refused"] == 3, "hers are the older ones, and few"


def test_of_all_together_only_so_many_stay(years: Years, bound: Callable[..., None]) -> None:
    bound(MOST_OF_ALL=7)
    for number in range(12):
        years.refuse(f"person{number}")
        years.save()
    kept = years.kept()
    assert kept.pop(("root", "done")) == 12
    assert kept == {(f"person{number}", "refused"): 1 for number in range(5, 12)}


def test_what_an_earlier_version_left_goes_little_by_little(
    years: Years, bound: Callable[..., None]
) -> None:
    years.refuse("eve", 20)
    bound(MOST_OF_ALL=3, _MOST_AT_ONCE=6)
    sizes = []
    for _ in range(5):
        years.refuse("ada")
        sizes.append(years.kept().total())
    assert sizes == [15, 10, 5, 3, 3]


def test_a_refusal_is_kept_where_older_ones_cannot_be_let_go(
    years: Years, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("DELETE", {}, Exception("not now"))

    monkeypatch.setattr("gpuspawner.database.store.prune", locked)
    years.refuse("eve")
    assert years.kept() == {("eve", "refused"): 1}
    [warning] = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warning.startswith("Refusals that are too old or too many stay for now, since the hub's")


def test_of_many_in_a_minute_some_look_for_what_is_too_much(
    years: Years, bound: Callable[..., None]
) -> None:
    bound(MOST_OF_ONE=5)
    years.now = years.now.replace(second=0, microsecond=0)
    for _ in range(100):
        years.store.refused("eve", "edit", "forbidden", "no")
    assert 5 <= years.kept().total() < 5 + 30
