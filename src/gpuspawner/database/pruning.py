"""Which refusals stay in the audit: whoever can sign in can be refused for ever.

Changes stay for good, and in the log is each refusal, too. Of one person only so many stay that
nobody can push out those of others.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, desc, or_, select

from gpuspawner.database.audit import REFUSED
from gpuspawner.database.tables import audit

MOST_OF_ALL: Final = 10_000
MOST_OF_ONE: Final = 500
LONGEST: Final = timedelta(days=90)
_MOST_AT_ONCE: Final = 1000
"""Rows: what an earlier version left goes little by little, in transactions that are short."""


def prune(connection: Connection, who: str, now: datetime) -> None:
    """Delete refusals that are too many or too old; after one of a person's was inserted.

    Args:
        connection: in a transaction that writes.
        who: the person.
        now: the time of day.
    """
    oldest = (now - LONGEST).astimezone(UTC).replace(tzinfo=None)
    goes = or_(
        audit.c.at < oldest,
        audit.c.id <= _last_beyond(MOST_OF_ALL),
        and_(audit.c.who == who, audit.c.id <= _last_beyond(MOST_OF_ONE, audit.c.who == who)),
    )
    gone = select(audit.c.id).where(audit.c.outcome == REFUSED, goes)
    gone = gone.order_by(audit.c.id).limit(_MOST_AT_ONCE)
    connection.execute(delete(audit).where(audit.c.id.in_(gone), audit.c.outcome == REFUSED))


def _last_beyond(most: int, *whose: ColumnElement[bool]) -> Any:
    """The newest refusal that there are `most` newer ones of; NULL, which nothing is below."""
    refused = select(audit.c.id).where(audit.c.outcome == REFUSED, *whose)
    return refused.order_by(desc(audit.c.id)).offset(most).limit(1).scalar_subquery()
