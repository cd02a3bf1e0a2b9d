"""A way to the hub's database that is not the hub's own session, which lives on the event loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool, StaticPool

_WRITES: Final = "gpuspawner_writes"
_LIBPQ: Final = ("psycopg", "psycopg2")
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 10


def engine_for(url: str, options: Mapping[str, Any] | None = None) -> Engine:
    """An engine for the hub's ``db_url`` and its ``db_kwargs``.

    One that is in memory is the hub's alone; what this engine keeps then is in a memory of its own,
    and ends with the process in the same way.

    Raises:
        SQLAlchemyError, ImportError: of `sqlalchemy.create_engine`.
    """
    parsed = make_url(url)
    given = dict(options or {})
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, given)
    arguments = dict(given.pop("connect_args", {}))
    if parsed.get_driver_name() in _LIBPQ:
        # Else a database that has gone without a word is waited for for many minutes.
        arguments.setdefault("connect_timeout", _CONNECT_SECONDS)
        arguments.setdefault("tcp_user_timeout", _ANSWER_SECONDS * 1000)
    engine = create_engine(
        parsed, **{"pool_pre_ping": True, **given, "connect_args": arguments, "future": True}
    )
    if engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _bounded)
    return engine


def is_in_memory(url: str | URL) -> bool:
    """Whether a database is in the memory of the hub's own session, where no other engine sees it.

    Raises:
        ArgumentError: it is no URL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return False
    return ":memory:" in (parsed.database or ":memory:") or parsed.query.get("mode") == "memory"


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write; on SQLite it has the right to from its beginning."""
    with engine.connect() as connection:
        writer = connection.execution_options(**{_WRITES: True})
        with writer.begin():
            yield writer


def _bounded(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_ANSWER_SECONDS * 1000}")


def _sqlite(url: URL, options: dict[str, Any]) -> Engine:
    arguments = {**options.pop("connect_args", {}), "check_same_thread": False}
    # A connection to a file costs next to nothing, and belongs to no thread.
    pool: type[Any] = StaticPool if is_in_memory(url) else NullPool
    echo = bool(options.get("echo"))
    engine = create_engine(url, connect_args=arguments, poolclass=pool, echo=echo, future=True)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # Python's sqlite3 would begin late, and without the right to write.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
