"""Brings the tables to the form that this version knows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

from gpuspawner.database.engines import writing

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7_307_195_043_125_508_144
"""Any number that no one else is likely to take."""


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that a database has not had; two hubs at once do it one by one.

    Raises:
        SQLAlchemyError: the database cannot be reached or changed.
        CommandError: of alembic: the tables are of a later version of this program.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        _wait_for_others(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _wait_for_others(connection: Connection) -> None:
    """Until the end of the transaction; on SQLite, whoever writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
