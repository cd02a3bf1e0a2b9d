"""Alembic runs this; the connection, and its transaction, are `gpuspawner.database.migrate`'s."""

from __future__ import annotations

from alembic import context

from gpuspawner.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
