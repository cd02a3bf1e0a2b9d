"""Revisions are saved and read, on each kind of database, by two at once and through outages."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.builders import a_catalog, a_profile
from tests.postgres import Server

from gpuspawner.access import Draft, Revision, as_written, effective
from gpuspawner.catalog import CatalogError
from gpuspawner.database import (
    AUDIT_LOG,
    AccessStore,
    ConflictError,
    DatabaseAwayError,
    UnchangedError,
    engine_for,
)

NOW = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
FILE = a_catalog(a_profile("gpu"))
HPC = {"groups": ["hpc"], "profiles": ["gpu"]}
BIO = {"groups": ["bio"], "profiles": ["gpu"]}
NewStore = Callable[[], AccessStore]


def draft(*access: Any, parent: int = 0, who: str = "root", **fields: Any) -> Draft:
    return Draft(tuple(access), parent, who, **fields)


@pytest.fixture
def new_store(url: str) -> Iterator[NewStore]:
    """Another hub's, each time."""
    stores: list[AccessStore] = []

    def new() -> AccessStore:
        stores.append(AccessStore(lambda: engine_for(url), lambda: NOW))
        return stores[-1]

    yield new
    for store in stores:
        store.close()


@pytest.fixture
def store(new_store: NewStore) -> AccessStore:
    return new_store()


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.INFO, AUDIT_LOG)
    return lambda: [json.loads(r.getMessage()) for r in caplog.records if r.name == AUDIT_LOG]


def test_nothing_was_saved_at_first(store: AccessStore) -> None:
    assert store.latest() is None
    assert store.latest_mark() is None
    assert store.revision(1) is None
    assert store.history() == ()
    assert store.entries() == ()


def test_what_is_saved_is_what_is_read(store: AccessStore, new_store: NewStore) -> None:
    saved = store.save(draft(HPC, who="grace", why="For the ä project"), FILE)
    assert saved == Revision(
        1, (HPC,), "grace", NOW, "For the ä project", 0, as_written(FILE.access), ("cpu", "gpu")
    )
    other = new_store()
    assert other.latest() == saved
    assert other.latest_mark() == (1, NOW)
    assert other.revision(1) == saved
    assert effective(FILE, other.latest()).problems == ()


def test_history_goes_back_page_by_page(store: AccessStore) -> None:
    for number in range(5):
        store.save(draft(HPC if number % 2 else BIO, parent=number), FILE)
    assert [r.number for r in store.history(2)] == [5, 4]
    assert [r.number for r in store.history(2, before=4)] == [3, 2]
    assert [r.number for r in store.history(9, before=2)] == [1]


def test_an_undo_is_a_revision_that_says_the_same_as_an_earlier_one(
    store: AccessStore, audited: Callable[[], list[dict[str, Any]]]
) -> None:
    first = store.save(draft(HPC), FILE)
    store.save(draft(BIO, parent=1), FILE)
    undone = store.save(draft(*first.access, parent=2, restores=1), FILE)
    assert (undone.number, undone.access, undone.restores) == (3, first.access, 1)
    assert [entry["action"] for entry in audited()] == ["save", "save", "undo"]
    back = store.save(draft(*as_written(FILE.access), parent=3, restores=0), FILE)
    assert effective(FILE, back).catalog == FILE


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param(0, id="of the file"),
        pytest.param(2, id="of one that is not there"),
        pytest.param(-1, id="of none"),
    ],
)
def test_an_edit_that_is_not_of_the_last_revision_is_a_conflict(
    parent: int, store: AccessStore
) -> None:
    first = store.save(draft(HPC, who="ada"), FILE)
    with pytest.raises(ConflictError, match="ada has saved revision 1") as raised:
        store.save(draft(BIO, parent=parent), FILE)
    assert raised.value.latest == first
    assert store.latest() == first


def test_of_several_who_save_at_once_all_but_one_are_told_of_that(new_store: NewStore) -> None:
    names = ["ada", "grace", "alan"]
    stores = {name: new_store() for name in names}
    for one in stores.values():
        one.latest()
    together = threading.Barrier(len(names))
    saved: list[Revision] = []
    told: list[tuple[str, Revision | None]] = []

    def save(name: str) -> None:
        together.wait(30)
        try:
            access = {"users": [name], "profiles": ["gpu"]}
            saved.append(stores[name].save(draft(access, who=name), FILE))
        except ConflictError as error:
            told.append((name, error.latest))

    threads = [threading.Thread(target=save, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [winner] = saved
    assert {name for name, _ in told} == set(names) - {winner.who}
    assert all(latest == winner for _, latest in told)
    assert new_store().history() == (winner,)


def test_the_database_itself_refuses_a_second_child(
    store: AccessStore, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question for the last revision is answered from before the other's transaction."""
    first = store.save(draft(HPC, who="ada"), FILE)
    monkeypatch.setattr("gpuspawner.database.store._latest", lambda _: None)
    late = new_store()
    monkeypatch.setattr(late, "latest", lambda: first)
    with pytest.raises(ConflictError) as raised:
        late.save(draft(BIO), FILE)
    assert raised.value.latest == first
    assert store.revision(1) == first


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        pytest.param({"groups": ["a"], "profiles": ["gpuu"]}, "profiles[0]", id="no such profile"),
        pytest.param({**HPC, "kubespawner_override": {}}, "kubespawner_override", id="no access"),
        pytest.param({"profiles": ["gpu"]}, "groups", id="for nobody"),
        pytest.param({**HPC, "groups": ["a\0"]}, "groups[0]", id="what no database can keep"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_places(
    rule: dict[str, Any], field: str, store: AccessStore
) -> None:
    with pytest.raises(CatalogError) as raised:
        store.save(draft(HPC, rule), FILE)
    assert raised.value.problems[0].field == f"access[1].{field}"
    assert store.latest() is None
    [entry] = store.entries()
    assert (entry.outcome, entry.code, entry.who) == ("refused", "not-valid", "root")


def test_what_changes_nothing_is_refused(store: AccessStore) -> None:
    with pytest.raises(UnchangedError):
        store.save(draft(*as_written(FILE.access)), FILE)
    store.save(draft(HPC), FILE)
    with pytest.raises(UnchangedError):
        store.save(draft(HPC, parent=1), FILE)
    other = a_catalog(a_profile("gpu"), access=[BIO])
    kept = store.save(draft(HPC, parent=1), other)
    assert kept.base == (BIO,), "to keep one's own over a file that has changed is a change"
    assert not effective(other, kept).has_drifted


def test_every_end_is_in_the_audit_and_in_the_log(
    store: AccessStore, audited: Callable[[], list[dict[str, Any]]]
) -> None:
    store.save(draft(HPC, why="new\nproject"), FILE)
    with pytest.raises(ConflictError):
        store.save(draft(BIO, who="ada"), FILE)
    store.refused("eve", "save", "not-allowed", "no scope", parent=1)
    expected = [
        ("root", "save", "done", "", 0, 1),
        ("ada", "save", "refused", "conflict", 0, None),
        ("eve", "save", "refused", "not-allowed", 1, None),
    ]
    found = [(e.who, e.action, e.outcome, e.code, e.parent, e.number) for e in store.entries()]
    assert found == expected[::-1]
    done = store.entries()[-1]
    assert done.at == NOW
    assert done.changes == (
        "rule 1 is gone: everyone may have *",
        "rule 1 is new: group hpc may have gpu",
    )
    lines = audited()
    assert [(e["who"], e["code"], e["number"]) for e in lines] == [
        ("root", "", 1),
        ("ada", "conflict", None),
        ("eve", "not-allowed", None),
    ]
    assert lines[0]["at"] == "2026-05-06T07:08:09.123456+00:00"


@pytest.mark.parametrize(
    "nonsense", ["", "[", "{}", "7", '[{"groups": ["*"], "until": 1}]', "[" * 100_000]
)
def test_a_row_that_cannot_be_read_gives_nothing(
    nonsense: str, store: AccessStore, url: str
) -> None:
    store.save(draft(HPC), FILE)
    engine = engine_for(url)
    with engine.begin() as connection:
        for column in ("access", "base_access", "profiles"):
            statement = f"UPDATE gpuspawner_access_revisions SET {column} = :text"
            connection.execute(text(statement), {"text": nonsense})
    engine.dispose()
    found = effective(FILE, store.latest())
    assert found.problems or found.catalog.access == ()
    assert not any(rule.deny is False for rule in found.catalog.access)


def test_a_database_that_is_away_is_said_to_be_and_comes_back(
    postgres: Server, audited: Callable[[], list[dict[str, Any]]]
) -> None:
    url = postgres.new_database()
    store = AccessStore(lambda: engine_for(url), lambda: NOW)
    saved = store.save(draft(HPC), FILE)
    postgres.end()
    try:
        with pytest.raises(DatabaseAwayError, match="OperationalError"):
            store.latest()
        with pytest.raises(DatabaseAwayError):
            store.save(draft(BIO, parent=1, who="ada"), FILE)
        assert [e["code"] for e in audited() if e["who"] == "ada"] == ["database-away"]
    finally:
        postgres.begin()
    assert store.latest() == saved
    assert store.save(draft(BIO, parent=1), FILE).number == 2
    store.close()


def test_a_database_that_was_never_there_is_looked_for_again(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    store = AccessStore(lambda: engine_for(f"sqlite:///{directory}/hub.sqlite"))
    with pytest.raises(DatabaseAwayError):
        store.latest()
    directory.mkdir()
    assert store.latest() is None


def test_one_in_memory_is_kept_as_long_as_the_process() -> None:
    store = AccessStore(lambda: engine_for("sqlite://"))
    saved = store.save(draft(HPC), FILE)
    found: list[Revision | None] = []
    thread = threading.Thread(target=lambda: found.append(store.latest()))
    thread.start()
    thread.join(30)
    assert found == [saved]
    store.close()


def test_no_password_is_in_what_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = AccessStore(lambda: engine_for("postgresql+psycopg://hub:s3cret@127.0.0.1:1/hub"))
    with pytest.raises(DatabaseAwayError) as raised:
        store.save(draft(HPC), FILE)
    assert "s3cret" not in str(raised.value) + caplog.text
    store.close()
