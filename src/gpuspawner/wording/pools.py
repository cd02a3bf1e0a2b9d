"""Why pools do not grow."""

from __future__ import annotations

from collections.abc import Sequence

from gpuspawner.fit import Growth, Stuck
from gpuspawner.language import gettext as _
from gpuspawner.language import ngettext


def cannot_grow(growths: Sequence[Growth]) -> list[str]:
    """A clause for each pool that cannot grow at present."""
    return [
        _words(growth.hindrance, growth.nodes).format(pool=growth.pool, number=growth.nodes)
        for growth in growths
        if growth.hindrance
    ]


def _words(hindrance: Stuck, nodes: int) -> str:
    match hindrance:
        case Stuck.FAILED:
            return _("{pool} cannot grow: its last attempt failed")
        case Stuck.UNHEALTHY:
            return _("{pool} cannot grow: its autoscaler reports it unhealthy")
        case Stuck.FULL:
            return ngettext(
                "{pool} cannot grow: it has {number} node and may have no more",
                "{pool} cannot grow: it has {number} nodes and may have no more",
                nodes,
            )
        case Stuck.PROMISED:
            return _(
                "{pool} cannot grow: the nodes it may still get are for servers that are being "
                "started"
            )
