"""A check of the cluster that can suppose a node to have other pods, all else being as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.reasons import Reasons


class Supposing(ABC):
    """A check that, once prepared, judges a node by the pods of whatever state it is given.

    The scheduler supposes so for nominated pods and for those that it would evict (``AddPod`` and
    ``RemovePod`` of a plugin).
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @abstractmethod
    def __call__(self, state: NodeState) -> Reasons:
        """The reasons against a node with the pods of `state`, all others being as they are."""

    def _supposed(self, state: NodeState) -> Iterator[tuple[Pod, int]]:
        """The pods by which `state` differs from that node: +1 if it has more, -1 if it lacks one.

        They are told apart as objects: those of an index that did not change are the same ones.
        """
        known = self._snapshot.nodes.get(state.node.name)
        before = known.pods if known is not None else ()
        if before is state.pods:
            return
        kept = {id(pod) for pod in before} & {id(pod) for pod in state.pods}
        for pods, number in ((state.pods, +1), (before, -1)):
            for pod in pods:
                if id(pod) not in kept:
                    yield pod, number
