"""How old the knowledge of the cluster is, and what may be said of it.

The guarantee: while the state is "live", the index holds every change that the API server which
answers had made visible `age` seconds ago, and `age` is at most ``stale_after`` (40 s by default)
for nodes and for pods alike; `unreadable` counts the objects it cannot hold. What comes on top is
only the way of an event to us: the network, and a backlog that is being read.

A clock starts anew for a resource only when bytes arrive that prove it, on the very stream the
events come by: a full list (counted from when it was asked for), a watch from our version that the
API server accepted and did not revoke within half a second (likewise), or a later line of that
watch. Answers on other connections prove
nothing, since a half-open stream stays silent while new connections work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

State = Literal["starting", "live", "stale", "denied"]


class Permission(NamedTuple):
    """A verb on a resource that RBAC must grant, in its words: ``list``, ``nodes``."""

    verb: str
    resource: str


@dataclass(frozen=True, slots=True)
class Health:
    """What the watch of one resource knows about itself.

    Attributes:
        synced: whether a full list has ever been taken in.
        confirmed_at: the moment for which the index was last known to be right, on the
            monotonic clock.
        missing: what the API server refuses with 403 at present.
        malformed: how many objects, lines and unknown events were skipped so far.
        unreadable: how many objects exist now that could not be read.
        served: whether the API server has the resource at all.
        last_error: why the last attempt failed; None if it did not.
        lists: how many full lists there were.
        failures: how many attempts failed so far.
    """

    synced: bool = False
    confirmed_at: float | None = None
    missing: tuple[Permission, ...] = ()
    malformed: int = 0
    unreadable: int = 0
    served: bool = True
    last_error: str | None = None
    lists: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the index can be trusted.

    Attributes:
        state: "starting" until nodes and pods were listed once; "live" as guaranteed above;
            "stale" when that cannot be said; "denied" while a permission is missing.
        age: seconds since the index was last known to be right; None if it never was.
        missing: the permissions that are missing.
        malformed: how often something was skipped because it could not be understood.
        unreadable: how many nodes and pods exist now that could not be read: what they offer and
            hold is not in the index, and is not free.
        last_error: what went wrong last, without secrets; None once that is over.
    """

    state: State
    age: float | None = None
    missing: tuple[Permission, ...] = ()
    malformed: int = 0
    unreadable: int = 0
    last_error: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether figures from the index may be shown as the present state."""
        return self.state == "live"


def judge(
    watches: Iterable[Health], *, now: float, stale_after: float, running: bool = True
) -> Freshness:
    """The freshness of an index that all of `watches` feed: the worst of them counts."""
    healths = tuple(watches)
    confirmed = [health.confirmed_at for health in healths if health.confirmed_at is not None]
    synced = all(health.synced for health in healths) and len(confirmed) == len(healths)
    age = max(0.0, now - min(confirmed)) if synced else None
    missing = tuple(sorted({permission for health in healths for permission in health.missing}))
    state: State
    if missing:
        state = "denied"
    elif age is None:
        state = "starting"
    else:
        state = "live" if running and age <= stale_after else "stale"
    return Freshness(
        state=state,
        age=age,
        missing=missing,
        malformed=sum(health.malformed for health in healths),
        unreadable=sum(health.unreadable for health in healths),
        last_error=next((health.last_error for health in healths if health.last_error), None),
    )
