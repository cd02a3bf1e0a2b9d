"""People who wait for room, in the order in which they came.

First come, first served among those who could use what became free. So that who asks for much is
not overtaken for ever by who asks for little, each who waits has a node of which the room is kept
for them (`keeping`): others go elsewhere, or wait behind. Who fits anywhere else sooner goes there.
"""

from __future__ import annotations

from gpuspawner.line.bounds import free_by, proven_by
from gpuspawner.line.choosing import choosing
from gpuspawner.line.keeping import Left, competitors, kept_by, left_by, may_be_kept
from gpuspawner.line.waiters import Key, Line, LineFullError, Waiter

__all__ = [
    "Key",
    "Left",
    "Line",
    "LineFullError",
    "Waiter",
    "choosing",
    "competitors",
    "free_by",
    "kept_by",
    "left_by",
    "may_be_kept",
    "proven_by",
]
