"""Revisions of the access, and the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "gpuspawner_access_revisions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent", sa.Integer, nullable=False, unique=True),
        sa.Column("saved_at", sa.DateTime, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("access", sa.Text, nullable=False),
        sa.Column("base_access", sa.Text, nullable=False),
        sa.Column("base_digest", sa.String(64), nullable=False),
        sa.Column("profiles", sa.Text, nullable=False),
        sa.Column("restores", sa.Integer, nullable=True),
        sa.CheckConstraint("parent = number - 1", name="gpuspawner_access_revisions_no_gap"),
    )
    op.create_table(
        "gpuspawner_audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("parent", sa.Integer, nullable=True),
        sa.Column("number", sa.Integer, nullable=True),
        sa.Column("changes", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("gpuspawner_audit")
    op.drop_table("gpuspawner_access_revisions")
