"""By when there is room at the latest, where session limits prove it.

It is proven for who waits if the pods that end in time leave room on the node that is kept for
them, beside all who go before as if those stayed for ever; and if whoever goes before and could use
one of the nodes concerned asks for the same. Who goes before takes what is free first, also what is
kept for one behind, who then has theirs: so the time is the last of their times. Pods that are not
of this hub may still take the room: nobody can promise for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit import Verdict
from gpuspawner.fit.alike import kind_of
from gpuspawner.fit.entangling import bears_on_others
from gpuspawner.fit.examining import examine, examine_node
from gpuspawner.fit.reasons import NO_REASONS
from gpuspawner.fit.surveying import Survey
from gpuspawner.line.waiters import Waiter

LEEWAY = 60.0
"""Seconds that the end of a pod may take to be known, over its deadline and grace."""


def free_by(
    request: PodRequest, state: NodeState, others: Sequence[Pod], now: float
) -> float | None:
    """When a node takes a pod at the latest, in seconds since the epoch.

    Args:
        request: the pod.
        state: the node.
        others: pods that are to be there as well, and stay.
        now: the time, in seconds since the epoch. A pod that should have ended by now may stay.

    Returns:
        None if no number of ends that are known makes room.
    """
    ending = sorted(
        (pod for pod in state.pods if (pod.ends_by or 0.0) > now), key=lambda pod: pod.ends_by or 0
    )
    staying = [pod for pod in state.pods if (pod.ends_by or 0.0) <= now]

    def takes_it_without(ended: int) -> bool:
        pods = [*staying, *ending[ended:], *others]
        return not examine(request, summed(state.node, pods)).first

    if not takes_it_without(len(ending)):
        return None
    low, high = 0, len(ending)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if takes_it_without(middle) else (middle + 1, high)
    return now if low == 0 else ending[low - 1].ends_by


def proven_by(
    waiter: Waiter, ahead: Sequence[Waiter], snapshot: Snapshot, verdict: Verdict, now: float
) -> float | None:
    """When who waits has room at the latest, in seconds since the epoch; None if nothing proves it.

    Args:
        waiter: who waits.
        ahead: those who go before.
        snapshot: the cluster.
        verdict: on the pod of `waiter` in it.
        now: the time, in seconds since the epoch.
    """
    request, state = waiter.request, snapshot.nodes.get(waiter.node)
    if request is None or state is None or verdict.refusal or bears_on_others(request):
        return None
    alike = [one for one in ahead if one.request is not None and _is_alike(one.request, request)]
    names = {waiter.node, *(one.node for one in alike)}
    if not names <= snapshot.nodes.keys():
        return None
    survey = Survey(request, snapshot)
    # Which node is good for whom may follow from their volumes, so none stands for another.
    if survey.blocked or (survey and (alike or survey.refusal(state) != NO_REASONS)):
        return None
    for other in ahead:
        # Who is held up now keeps their turn, and may have it before.
        if other in alike and not other.is_held_up:
            continue
        if other.request is None or any(
            not examine_node(other.request, snapshot.nodes[name]).first for name in names
        ):
            return None
    latest = now
    for one in (*alike, waiter):
        moment = _free_where_kept(one, ahead, snapshot, now)
        if moment is None:
            return None
        latest = max(latest, moment)
    return latest + LEEWAY


def _free_where_kept(
    waiter: Waiter, ahead: Sequence[Waiter], snapshot: Snapshot, now: float
) -> float | None:
    """When the node where room is kept for `waiter` takes it, beside those of `ahead` before it."""
    if waiter.request is None:
        return None
    before = takewhile(lambda one: one.key != waiter.key, ahead)
    others = [one.pod for one in before if one.pod is not None and one.node == waiter.node]
    # Those that are being started may yet come here.
    others += [
        one.pod
        for one in snapshot.assumed
        if (waiter.node in one.nodes or not one.nodes) and one.pod.node != waiter.node
    ]
    return free_by(waiter.request, snapshot.nodes[waiter.node], others, now)


def _is_alike(one: PodRequest, other: PodRequest) -> bool:
    return kind_of(one) == kind_of(other) and one.host_ports == other.host_ports
