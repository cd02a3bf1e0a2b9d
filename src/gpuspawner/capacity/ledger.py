"""What was promised in a cluster, told to all who look at that cluster.

A hub watches a cluster once for each namespace in which it makes pods, and the nodes are the same.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.line import Line


class Ledger:
    """The assumed pods of one cluster, and who waits for room there.

    Each index counts the pods for itself and lets them go when it hears of their end itself: what
    one watch has heard of, another may not have yet, and would take the room for free.

    Attributes:
        line: those who wait.
    """

    def __init__(self) -> None:
        self.line = Line()
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
        self.tell()

    def assume_again(self, assumed: Assumed) -> None:
        """See `ClusterIndex.assume_again`."""
        for index in self._readers:
            index.assume_again(assumed)

    def forget(self, namespace: str, name: str) -> None:
        """See `ClusterIndex.forget_assumed`."""
        were_counted = [index.forget_assumed(namespace, name) for index in self._readers]
        if any(were_counted):
            self.tell()

    def tell(self) -> None:
        """Tell all that something has changed."""
        for tell in self._readers.values():
            tell()
