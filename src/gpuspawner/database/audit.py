"""Who changed the access, and who wanted to: to the log and to a table.

A change is never taken back; of refusals the table keeps the last ones (`pruning`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

AUDIT_LOG: Final = "gpuspawner.audit"
"""The name of the logger that has each entry as a line of JSON."""

Outcome = Literal["done", "refused"]
DONE: Final = "done"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change, or a change that was refused.

    Attributes:
        at: the time of day.
        who: the name in the hub of who did it, or wanted to; empty if nobody was signed in.
        action: what it is called, such as "save" or "undo".
        code: why it was refused, for programs; empty if it was done.
        reason: in words: why it was done, as who did it says, or why it was refused.
        parent: the number of the revision that they made it from; None if they did not say.
        number: of the revision that came of it; None if none did.
        changes: what is different of the parent, in words.
    """

    at: datetime
    who: str
    action: str
    outcome: Outcome
    code: str = ""
    reason: str = ""
    parent: int | None = None
    number: int | None = None
    changes: tuple[str, ...] = ()

    def line(self) -> str:
        """The entry as one line of JSON."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()}, ensure_ascii=True)
