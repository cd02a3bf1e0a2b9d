"""Would a pod be scheduled now, how many more, and if not, why not?

Pure functions over frozen values: one scheduling rule a file, registered in `checks`.
"""

from __future__ import annotations

from gpuspawner.fit.certainty import (
    fits_somewhere,
    fits_wherever,
    makes_way,
    open_nodes,
    promised_once,
    room_requests,
)
from gpuspawner.fit.counting import Devices
from gpuspawner.fit.doubting import doubted
from gpuspawner.fit.preemption import node_by_eviction
from gpuspawner.fit.reasons import Hindrance, Reason
from gpuspawner.fit.scaling import (
    Growth,
    NodeTemplate,
    PoolState,
    SmallPool,
    Stuck,
    growths,
    pool_state,
    too_small,
)
from gpuspawner.fit.standing import StandingVerdicts
from gpuspawner.fit.transitions import Note, Transition, passing_transition, transition_of
from gpuspawner.fit.verdict import (
    Shortfall,
    Verdict,
    feasible_nodes,
    judge,
    likely_node,
    scheduler_message,
)

__all__ = [
    "Devices",
    "Growth",
    "Hindrance",
    "NodeTemplate",
    "Note",
    "PoolState",
    "Reason",
    "Shortfall",
    "SmallPool",
    "StandingVerdicts",
    "Stuck",
    "Transition",
    "Verdict",
    "doubted",
    "feasible_nodes",
    "fits_somewhere",
    "fits_wherever",
    "growths",
    "judge",
    "likely_node",
    "makes_way",
    "node_by_eviction",
    "open_nodes",
    "passing_transition",
    "pool_state",
    "promised_once",
    "room_requests",
    "scheduler_message",
    "too_small",
    "transition_of",
]
