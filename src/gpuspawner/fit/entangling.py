"""Whether more than room decides where pods go that are on no node yet."""

from __future__ import annotations

from collections.abc import Sequence

from gpuspawner.capacity.assumed import Assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.fit.delegation import with_delegable
from gpuspawner.fit.volume_binding import WantedVolume, wanted_volumes


def is_entangled(request: PodRequest, pending: Sequence[Assumed], snapshot: Snapshot) -> bool:
    """Whether where each goes bears on other nodes.

    Args:
        request: a pod.
        pending: those of others that are on no node yet.
        snapshot: the cluster.
    """
    others = [one.request for one in pending]
    return bool(
        bears_on_others(request)
        or with_delegable(request, snapshot).delegable
        or any(other.pod_anti_affinity or other.spread for other in others)
        or (request.host_ports and any(other.host_ports for other in others))
        or _share_an_unbound_claim(request, others, snapshot.objects)
        or _compete_for_volumes(request, others, snapshot.objects)
    )


def bears_on_others(request: PodRequest) -> bool:
    """Whether a pod's own rules look at other pods, or at devices that others may claim."""
    return bool(
        request.spread
        or request.pod_affinity
        or request.pod_anti_affinity
        or request.resource_claims
    )


def _share_an_unbound_claim(
    request: PodRequest, others: Sequence[PodRequest], objects: ClusterObjects
) -> bool:
    """Whoever comes first binds it to a volume, which may be of one place only."""
    claims = objects.claims or {}
    shared = set(request.claims).intersection(
        name for other in others if other.namespace == request.namespace for name in other.claims
    )
    return any(
        (claim := claims.get((request.namespace, name))) is None or not claim.is_bound
        for name in shared
    )


def _compete_for_volumes(
    request: PodRequest, others: Sequence[PodRequest], objects: ClusterObjects
) -> bool:
    """Whoever comes first takes the volume that the other cannot do without.

    A claim takes one volume. One that can be bound to as many, wherever its pod is, as there are
    claims, finds one in any case.
    """
    mine = {want.claim: want for want in wanted_volumes(request, objects)}
    if not mine:
        return False
    wanted = {want.claim: want for other in others for want in wanted_volumes(other, objects)}
    wanted.update(mine)
    rivals = [want for want in wanted.values() if _is_rival(want, mine)]
    return bool(rivals) and any(want.anywhere < len(wanted) for want in (*mine.values(), *rivals))


def _is_rival(want: WantedVolume, mine: dict[tuple[str, str], WantedVolume]) -> bool:
    return want.claim not in mine and any(
        not want.volumes.isdisjoint(other.volumes) for other in mine.values()
    )
