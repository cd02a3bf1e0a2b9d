"""Would a pod be scheduled now, how many more, and if not, why not?

Pure functions over frozen values: one scheduling rule a file, registered in `checks`.
"""

from __future__ import annotations

from gpuspawner.fit.reasons import Hindrance, Reason
from gpuspawner.fit.verdict import Shortfall, Verdict, feasible_nodes, judge, scheduler_message

__all__ = [
    "Hindrance",
    "Reason",
    "Shortfall",
    "Verdict",
    "feasible_nodes",
    "judge",
    "scheduler_message",
]
