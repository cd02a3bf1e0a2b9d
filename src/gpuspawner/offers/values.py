"""What an answer depends on, and the answer: where one profile stands for one person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gpuspawner.capacity.denials import Denial
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.catalog import WAIT, Accelerator, Catalog, Profile, Volume
from gpuspawner.fit import Growth, SmallPool, Verdict, judge
from gpuspawner.line import Waiter
from gpuspawner.pod import PodPlan, Settings
from gpuspawner.policy import Decision, Person
from gpuspawner.starting.measured import NOTHING_YET, Measured, Typical


class Standing(Enum):
    """Where a profile stands. Unknown is a word of its own: neither free nor zero."""

    FREE = "free"
    EVICTS = "evicts"
    """It fits once the scheduler has evicted pods of lower priority, which it will do."""
    CAN_START_NODE = "can-start-node"
    """No node takes it, but a pool can grow by one that does."""
    QUEUED = "queued"
    """It will be admitted, and then wait in a queue."""
    BUSY = "busy"
    NEVER = "never"
    UNKNOWN = "unknown"


STARTS = frozenset(Standing) - {Standing.BUSY, Standing.NEVER}
"""Those in which a start is let through."""


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as it was last known, and how far that can be trusted.

    Attributes:
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
        hidden: kinds of objects that RBAC hides, and the rights that are missing.
        ahead: those who wait and go before, the first first.
    """

    snapshot: Snapshot
    freshness: Freshness
    verdict_on: Callable[[PodRequest, Snapshot], Verdict] = judge
    hidden: Mapping[str, str] = field(default_factory=dict)
    ahead: tuple[Waiter, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an answer depends on.

    Attributes:
        base: the configured values of the traits `gpuspawner.pod.base_names` names.
        expand: replaces ``{username}`` and the like, as KubeSpawner will.
        resolve: gives the value of a setting where an override has a function for it.
        measured: how long the hub's starts took.
    """

    person: Person
    catalog: Catalog
    base: Settings
    view: View
    expand: Callable[[Any], Any] = lambda value: value
    measured: Measured = NOTHING_YET
    resolve: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile a person may have, and whether it can be started.

    Attributes:
        volumes: what the profile mounts, by its name in the catalog.
        verdict: None if there was nothing to judge: the cluster is not known, or `fault` is set.
        plan: what to start; None if `fault` is set.
        fault: what is wrong with the profile itself, for the operator.
        growths: the pools that could get a node for it, if no node takes it now.
        small_pools: those whose nodes are for it and too small, if no node that is there is.
        missing: rights for want of which it is not known whether it fits.
        denial: why the API server would not create the pod, if it said so.
        unadmitted: why it is not known what admission makes of the pod, where that may decide;
            for the operator. It is then never said to fit.
        contenders: how many servers that are being started decide, by where they go, whether this
            one fits; 0 if that is clear whatever they do.
        ahead: how many wait and go before, where this one could run, too.
        is_kept: whether it would fit, but for the room that is kept for those.
        avoids: nodes that its pod has to keep off, since room is kept there.
        node_takes: how long a new node of `pool_to_grow` takes; None if nobody measured it.
    """

    profile: Profile
    accelerator: Accelerator | None
    decision: Decision
    standing: Standing
    freshness: Freshness
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    verdict: Verdict | None = None
    plan: PodPlan | None = None
    fault: str = ""
    growths: tuple[Growth, ...] = ()
    small_pools: tuple[SmallPool, ...] = ()
    missing: tuple[str, ...] = ()
    denial: Denial | None = None
    unadmitted: str = ""
    contenders: int = 0
    ahead: int = 0
    is_kept: bool = False
    avoids: frozenset[str] = frozenset()
    node_takes: Typical | None = None

    @property
    def can_wait(self) -> bool:
        """Whether one may wait in line until it can be started."""
        is_full = self.standing is Standing.BUSY or self.contenders > 0
        return WAIT in self.profile.when_full and is_full and self.plan is not None

    @property
    def pool_to_grow(self) -> str:
        """The title of the pool that gets a node for it; empty if none has to, or can."""
        if self.standing is not Standing.CAN_START_NODE:
            return ""
        return next(growth.pool for growth in self.growths if not growth.hindrance)

    @property
    def can_start(self) -> bool:
        """Whether a start is let through: what is not known is tried, and said to be unknown."""
        return self.standing in STARTS and self.plan is not None
