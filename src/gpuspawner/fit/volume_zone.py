"""VolumeZone: a volume with labels of a zone or region is used only in one of those.

A volume's label may list several, joined by ``__``. A node without any such label takes every
volume; the old names of the labels on a volume are found under their new names on a node.
"""

from __future__ import annotations

from collections.abc import Callable

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PersistentVolume, PodRequest
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.claims import mounted, uncertain
from gpuspawner.fit.reasons import NO_REASONS, Blocked, Hindrance, Reason, Reasons

_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_NEW_NAMES = {
    "failure-domain.beta.kubernetes.io/zone": _ZONE,
    "failure-domain.beta.kubernetes.io/region": _REGION,
    _ZONE: _ZONE,
    _REGION: _REGION,
}
_DELIMITER = "__"
_ELSEWHERE = (Reason("node(s) had no available volume zone", Hindrance.NOT_FOR_POD),)

Topology = tuple[str, frozenset[str]]
"""A label, and the values that a node may have there."""


def prepare(
    request: PodRequest, snapshot: Snapshot
) -> Callable[[NodeState], Reasons] | Blocked | None:
    """Refuse nodes outside the zones and regions of the bound volumes.

    Claims that are not bound, and ephemeral volumes, are left to VolumeBinding.
    """
    if not request.claims:
        return None
    claims = mounted(request, snapshot.objects)
    if isinstance(claims, Blocked):
        return claims
    if claims is None:
        return uncertain("PersistentVolumeClaim")
    names = [found.claim.volume for found in claims if not found.is_ephemeral]
    wanted: list[Topology] = []
    for name in filter(None, names):
        if snapshot.objects.volumes is None:
            return uncertain("PersistentVolume")
        volume = snapshot.objects.volumes.get(("", name))
        if volume is None:
            return Blocked(f'persistentvolume "{name}" not found')
        wanted += topologies(volume)
    return _check(wanted) if wanted else None


def topologies(volume: PersistentVolume) -> list[Topology]:
    """Where the labels of a volume allow it to be used."""
    found = []
    for key in _NEW_NAMES:
        values = [value.strip() for value in (volume.labels or {}).get(key, "").split(_DELIMITER)]
        # The scheduler passes over a label with an empty part in it.
        if all(values):
            found.append((key, frozenset(values)))
    return found


def _check(wanted: list[Topology]) -> Callable[[NodeState], Reasons]:
    def check(state: NodeState) -> Reasons:
        labels = state.node.labels
        if not any(key in labels for key in _NEW_NAMES):
            return NO_REASONS
        for key, values in wanted:
            if labels.get(key, labels.get(_NEW_NAMES[key])) not in values:
                return _ELSEWHERE
        return NO_REASONS

    return check
