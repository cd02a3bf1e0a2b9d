"""What was promised in a cluster, told to all who look at that cluster.

A hub watches a cluster once for each namespace in which it makes pods, and the nodes are the same.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.index import ClusterIndex


class Ledger:
    """The assumed pods of one cluster.

    Each index counts them for itself and lets them go when it hears of their end itself: what one
    watch has heard of, another may not have yet, and would take the room for free.
    """

    def __init__(self) -> None:
        self._readers: dict[ClusterIndex, Callable[[], object]] = {}

    def join(self, index: ClusterIndex, tell: Callable[[], object]) -> None:
        """Count in one more index all that is promised.

        Args:
            index: one that has heard of no pod yet.
            tell: called whenever what is promised changes.
        """
        for other in self._readers:
            index.adopt_assumed(other)
        self._readers[index] = tell

    def leave(self, index: ClusterIndex) -> None:
        """Tell an index no more."""
        self._readers.pop(index, None)

    def assume(self, assumed: Assumed) -> None:
        """See `ClusterIndex.assume`."""
        for index in self._readers:
            index.assume(assumed)
        self._tell()

    def assume_again(self, assumed: Assumed) -> None:
        """See `ClusterIndex.assume_again`."""
        for index in self._readers:
            index.assume_again(assumed)

    def forget(self, namespace: str, name: str) -> None:
        """See `ClusterIndex.forget_assumed`."""
        for index in self._readers:
            index.forget_assumed(namespace, name)
        self._tell()

    def _tell(self) -> None:
        for tell in self._readers.values():
            tell()
