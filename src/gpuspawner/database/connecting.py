"""Connections to the hub's database, with its tables there, and what can be wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from gpuspawner.database.engines import writing as transaction
from gpuspawner.database.migrating import migrate
from gpuspawner.errors import GPUSpawnerError


class DatabaseAwayError(GPUSpawnerError):
    """The hub's database cannot be read or written at the moment. Its cause is for operators."""


class TakenError(Exception):
    """The number is taken."""


class Connections:
    """Transactions, of as many threads as there are.

    Args:
        engine: makes the way there, when it is needed.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._make = engine
        self._made: Engine | None = None
        self._is_migrated = False
        self._guard = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            DatabaseAwayError: the database cannot be read.
        """
        with self._guarded(), self._engine().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes.

        Raises:
            TakenError: a row of that number is there already.
            DatabaseAwayError: the database cannot be written.
        """
        with self._guarded(), transaction(self._engine()) as connection:
            yield connection

    def close(self) -> None:
        """Let go of every connection; the next use makes new ones."""
        with self._guard:
            if self._made is not None:
                self._made.dispose()
            self._made, self._is_migrated = None, False

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            # One in memory has one connection, and that one transaction at a time.
            with self._guard:
                yield
        except IntegrityError as error:
            raise TakenError from error
        except (SQLAlchemyError, ImportError) as error:
            raise DatabaseAwayError(
                f"the hub's database does not answer as it should: {kind_of(error)}"
            ) from error
        except CommandError as error:
            raise DatabaseAwayError(
                "the tables in the hub's database are of a later version of gpuspawner; install "
                "that version again"
            ) from error

    def _engine(self) -> Engine:
        if self._made is None:
            self._made = self._make()
        if not self._is_migrated:
            migrate(self._made)
            self._is_migrated = True
        return self._made


def kind_of(error: Exception) -> str:
    """What is wrong, without the words of a driver, which may name hosts and statements."""
    return type(getattr(error, "orig", None) or error).__name__
