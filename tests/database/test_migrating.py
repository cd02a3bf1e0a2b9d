"""The tables come into being, from nothing and from each released form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from jupyterhub import orm
from sqlalchemy import Engine, inspect, text
from tests.builders import a_catalog, a_profile

from gpuspawner.access import Draft, Revision
from gpuspawner.database import AccessStore, DatabaseAwayError, engine_for, migrate, migrations
from gpuspawner.database.tables import VERSION_TABLE, metadata

FILE = a_catalog(a_profile("gpu"))
TABLES = {"gpuspawner_access_revisions", "gpuspawner_audit", VERSION_TABLE}


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = engine_for(url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_from_an_empty_database_and_again(engine: Engine) -> None:
    migrate(engine)
    assert tables(engine) == TABLES
    migrate(engine)
    assert tables(engine) == TABLES


def test_the_migrations_make_what_the_tables_say(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        ours: Any = {"include_name": lambda name, kind, _: kind != "table" or name in TABLES}
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, **ours}
        )
        assert compare_metadata(context, metadata) == []


def test_beside_the_hub_s_own_tables(url: str, engine: Engine) -> None:
    factory = orm.new_session_factory(url)
    migrate(engine)
    orm.check_db_revision(factory.kw["bind"])
    with factory() as session:
        assert session.query(orm.User).count() == 0
    factory.kw["bind"].dispose()
    assert TABLES.issubset(tables(engine))
    again = orm.new_session_factory(url)
    again.kw["bind"].dispose()


def test_before_the_hub_s_own_tables(url: str, engine: Engine) -> None:
    migrate(engine)
    factory = orm.new_session_factory(url)
    with factory() as session:
        assert session.query(orm.User).count() == 0
    factory.kw["bind"].dispose()


def test_hubs_that_begin_at_once_do_it_once(url: str) -> None:
    engines = [engine_for(url) for _ in range(4)]
    together = threading.Barrier(len(engines))
    faults: list[Exception] = []

    def begin(engine: Engine) -> None:
        together.wait(30)
        try:
            migrate(engine)
        except Exception as error:  # noqa: BLE001 - for the assertion
            faults.append(error)

    threads = [threading.Thread(target=begin, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    with engines[0].connect() as connection:
        assert connection.execute(text(f"SELECT * FROM {VERSION_TABLE}")).all() == [("0001",)]
    for engine in engines:
        engine.dispose()


def test_tables_of_a_later_version_are_left_alone(url: str, engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    store = AccessStore(lambda: engine_for(url))
    with pytest.raises(DatabaseAwayError, match="of a later version of gpuspawner"):
        store.latest()
    store.close()


OF_0001: Any = {
    "gpuspawner_access_revisions": [
        {
            "number": 1,
            "parent": 0,
            "saved_at": "2026-01-02 03:04:05.678901",
            "who": "ada",
            "why": "for the \u00e4 project",
            "access": '[{"groups": ["hpc"], "profiles": ["gpu"]}]',
            "base_access": '[{"users": ["*"], "profiles": ["*"]}]',
            "base_digest": "d" * 64,
            "profiles": '["cpu", "gpu"]',
            "restores": None,
        },
        {
            "number": 2,
            "parent": 1,
            "saved_at": "2026-01-02 04:00:00",
            "who": "service keeper",
            "why": "",
            "access": "[]",
            "base_access": "[]",
            "base_digest": "e" * 64,
            "profiles": '["cpu"]',
            "restores": 1,
        },
    ],
    "gpuspawner_audit": [
        {
            "id": 7,
            "at": "2026-01-02 03:04:05",
            "who": "eve",
            "action": "save",
            "outcome": "refused",
            "code": "conflict",
            "reason": "somebody else has saved",
            "parent": 0,
            "number": None,
            "changes": '["rule 1 is gone: everyone may have *"]',
        }
    ],
}
RELEASED: dict[str, Any] = {"0001": OF_0001}
"""What tables of each revision may hold, as it was written then."""


def test_each_revision_has_rows_to_come_from() -> None:
    directory = Path(migrations.__file__).parent / "versions"
    released = {path.name.partition("_")[0] for path in directory.glob("[0-9]*.py")}
    assert released == RELEASED.keys(), "add rows as the new revision writes them"


@pytest.mark.parametrize("revision", RELEASED)
@pytest.mark.parametrize("hubs", [1, 3])
def test_what_was_saved_survives_from_each_revision(
    url: str, engine: Engine, revision: str, hubs: int
) -> None:
    migrate(engine, revision)
    kept = RELEASED[revision]
    with engine.begin() as connection:
        for table, rows in kept.items():
            for row in rows:
                names = ", ".join(row)
                places = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
    stores = [AccessStore(lambda: engine_for(url)) for _ in range(hubs)]
    together, found = threading.Barrier(hubs), []

    def begin(store: AccessStore) -> None:
        together.wait(30)
        found.append((store.history(), store.entries()))

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == hubs
    for history, entries in found:
        assert history == (
            Revision(
                2, (), "service keeper", datetime(2026, 1, 2, 4, tzinfo=UTC), "", 1, (), ("cpu",), 1
            ),
            Revision(
                1,
                ({"groups": ["hpc"], "profiles": ["gpu"]},),
                "ada",
                datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
                "for the \u00e4 project",
                0,
                ({"users": ["*"], "profiles": ["*"]},),
                ("cpu", "gpu"),
            ),
        )
        [entry] = entries
        assert (entry.who, entry.outcome, entry.code, entry.parent, entry.number) == (
            "eve",
            "refused",
            "conflict",
            0,
            None,
        )
        assert entry.changes == ("rule 1 is gone: everyone may have *",)
    saved = stores[0].save(Draft(({"users": ["*"], "profiles": ["gpu"]},), 2, "ada"), FILE)
    assert saved.number == 3
    for store in stores:
        store.close()
