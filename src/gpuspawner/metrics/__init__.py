"""What Prometheus is told on the hub's own /hub/metrics.

`families` names every metric, `counting` counts what happens as it happens, `standings` keeps where
each profile stands, `devices` sums up free devices, `facts` makes samples of what is known at one
moment, and `collecting` reads that from memory when Prometheus asks.
"""

from __future__ import annotations

from gpuspawner.metrics.counting import Counts, counts
from gpuspawner.metrics.standings import Standings, standings

__all__ = ["Counts", "Standings", "counts", "standings"]
