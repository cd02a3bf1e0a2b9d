"""VolumeRestrictions: a claim with ReadWriteOncePod is for one pod of the whole cluster.

While a pod that is bound to a node mounts such a claim, no node takes another one; evicting that
pod would help. A generic ephemeral volume's claim is its pod's own and is not asked about. The
rules for disks that a pod names itself are not here: such a pod is `unchecked`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import READ_WRITE_ONCE_POD, PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import Key
from gpuspawner.fit.claims import Mounted, mounted, uncertain
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Hindrance, Reason, Reasons
from gpuspawner.fit.supposing import Supposing

_IN_USE = (
    Reason(
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod",
        Hindrance.FULL,
    ),
)


class ReadWriteOncePod(Supposing):
    """Refuses every node while any of `claims` is in use, the pods being as supposed."""

    def __init__(self, claims: frozenset[Key], in_use: int, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self._claims = claims
        self._in_use = in_use

    def __call__(self, state: NodeState) -> Reasons:
        """The reason, unless the pods that use the claims are supposed to be gone."""
        change = sum(
            number
            for pod, number in self._supposed(state)
            for name in pod.claims
            if (pod.namespace, name) in self._claims
        )
        return _IN_USE if self._in_use + change > 0 else NO_REASONS


def prepare(
    request: PodRequest, snapshot: Snapshot
) -> Callable[[NodeState], Reasons] | Blocked | None:
    """Refuse every node while a pod uses a claim that only one pod may use."""
    if not request.claims:
        return None
    claims = mounted(request, snapshot.objects)
    if isinstance(claims, Blocked):
        return claims
    if claims is None:
        return uncertain("PersistentVolumeClaim")
    exclusive = _exclusive(claims)
    in_use = _in_use(exclusive, snapshot) if exclusive else frozenset()
    return ReadWriteOncePod(exclusive, len(in_use), snapshot) if in_use else None


def at_most(request: PodRequest, snapshot: Snapshot, slots: int) -> int:
    """How many of `slots` are left: a pod with such a claim stands in its own copies' way."""
    if not request.claims:
        return slots
    claims = mounted(request, snapshot.objects)
    return min(slots, 1) if isinstance(claims, tuple) and _exclusive(claims) else slots


def _exclusive(claims: Iterable[Mounted]) -> frozenset[Key]:
    return frozenset(
        (found.claim.namespace, found.claim.name)
        for found in claims
        if READ_WRITE_ONCE_POD in found.claim.access_modes and not found.is_ephemeral
    )


def _in_use(claims: frozenset[Key], snapshot: Snapshot) -> frozenset[Key]:
    states = snapshot.nodes.values()
    return claims.intersection(key for state in states for key in state.claims)
