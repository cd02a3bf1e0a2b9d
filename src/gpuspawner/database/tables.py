"""The tables, as they are now; the migrations make them so."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, DateTime, Integer, MetaData, String, Table, Text

VERSION_TABLE: Final = "gpuspawner_alembic_version"
"""JupyterHub's own migrations count in ``alembic_version``."""

metadata = MetaData()

# Times are UTC without saying so, which every database can store. JSON is text: one that cannot be
# read is then this program's to judge, and not an error of the driver.
revisions = Table(
    "gpuspawner_access_revisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer, nullable=False, unique=True),
    Column("saved_at", DateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("access", Text, nullable=False),
    Column("base_access", Text, nullable=False),
    Column("base_digest", String(64), nullable=False),
    Column("profiles", Text, nullable=False),
    Column("restores", Integer, nullable=True),
    CheckConstraint("parent = number - 1", name="gpuspawner_access_revisions_no_gap"),
)

audit = Table(
    "gpuspawner_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("parent", Integer, nullable=True),
    Column("number", Integer, nullable=True),
    Column("changes", Text, nullable=False),
)
