"""The tables come into being, from nothing and from each released form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from jupyterhub import orm
from sqlalchemy import Engine, inspect, text

from gpuspawner.database import AccessStore, DatabaseAwayError, engine_for, migrate
from gpuspawner.database.tables import VERSION_TABLE, metadata

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
