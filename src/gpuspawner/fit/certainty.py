"""Whether a pod fits wherever those go that are not bound yet, and they wherever it goes.

They are counted where they are expected (`gpuspawner.capacity.assumed`), but the scheduler decides
where they go, and in which order. A start may be promised only room that is left in any case, and
that leaves room in any case for those that were promised it before; it may be refused at once only
if none is left in any case. The nodes by which a pool may still grow count as room for those who
have none on a node that is there. `pricing` shows the first, `contest` says who can be where.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit.alike import by_room, kind_of
from gpuspawner.fit.contest import Contest, VerdictOn
from gpuspawner.fit.pricing import left
from gpuspawner.fit.scaling import Growth, NodeTemplate, Stuck
from gpuspawner.fit.verdict import Verdict


def fits_wherever(
    request: PodRequest,
    snapshot: Snapshot,
    verdict: Verdict,
    verdict_on: VerdictOn,
    templates: Iterable[NodeTemplate] = (),
) -> bool:
    """Whether a pod that is let through, and all assumed pods, would fit wherever the others went.

    Args:
        request: the pod.
        snapshot: the cluster.
        verdict: on the pod in that cluster; it fits, or a new node would take it.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
        templates: the pools that may get new nodes.

    Returns:
        True only if that is certain.
    """
    contest = Contest(request, snapshot, templates)
    if not contest.pending:
        return True
    if contest.is_entangled:
        return not verdict.fits and contest.has_a_new_node_for_each
    return contest.leaves_room_for_it(verdict, verdict_on) and contest.leaves_room_for_others(
        verdict, verdict_on
    )


def fits_somewhere(
    request: PodRequest,
    snapshot: Snapshot,
    verdict_on: VerdictOn,
    templates: Iterable[NodeTemplate] = (),
) -> bool:
    """Whether a pod that does not fit might, if the assumed pods went elsewhere.

    Args:
        request: the pod.
        snapshot: the cluster.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
        templates: the pools that may get new nodes.

    Returns:
        False only if that is certain.
    """
    contest = Contest(request, snapshot, templates)
    if contest.pending and contest.is_entangled:
        return True
    open_to_it = [*contest.relieved.values(), *contest.new.values()]
    nodes = [state for state in open_to_it if contest.takes_it(state)]
    if not nodes:
        return False
    confined = [
        (by_room(kind), number)
        for kind, number in contest.kinds.items()
        if contest.is_confined(kind, nodes, verdict_on)
    ]
    return all(
        _may_be_left(
            asked,
            [left(state, resource) for state in nodes],
            [(other.requests.get(resource, 0), number) for other, number in confined],
        )
        for resource, asked in request.requests.items()
    )


def _may_be_left(asked: int, offered: list[int], taken: list[tuple[int, int]]) -> bool:
    """Whether as much of a resource may be left on one of some nodes, by the sums over all.

    Args:
        asked: how much.
        offered: how much each node has.
        taken: what each pod takes there, and how many such pods there are.
    """
    if asked <= 0:
        return True
    # Whoever takes as much or more leaves room for one pod less, however much that breaks up.
    places = sum(amount // asked for amount in offered)
    places -= sum(number * (amount // asked) for amount, number in taken)
    rest = sum(offered) - sum(number * amount for amount, number in taken)
    return places > 0 and rest >= asked


def promised_once(
    growths: tuple[Growth, ...],
    request: PodRequest,
    snapshot: Snapshot,
    verdict_on: VerdictOn,
    templates: Iterable[NodeTemplate],
) -> tuple[Growth, ...]:
    """The pools that would get a node for a pod, less what is needed for assumed pods for certain.

    Args:
        growths: what `gpuspawner.fit.growths` says of the pod.
        request: the pod; it fits on no node that is there.
        snapshot: the cluster.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
        templates: the pools.
    """
    if (
        not snapshot.assumed
        or not any(not growth.hindrance and growth.is_certain for growth in growths)
        or fits_somewhere(request, snapshot, verdict_on, templates)
    ):
        return growths
    return tuple(
        replace(growth, hindrance=growth.hindrance or Stuck.PROMISED)
        if growth.is_certain
        else growth
        for growth in growths
    )


def open_nodes(request: PodRequest, snapshot: Snapshot, verdict: Verdict) -> frozenset[str]:
    """The nodes that take a pod now, and those that would if assumed pods went elsewhere."""
    contest = Contest(request, snapshot)
    relieved = (name for name, state in contest.relieved.items() if contest.takes_it(state))
    return frozenset(verdict.nodes).union(relieved)


def makes_way(request: PodRequest, snapshot: Snapshot, verdict_on: VerdictOn) -> bool:
    """Whether no assumed pod may take what others are evicted from for a pod.

    Room that the scheduler makes for a pod is kept from those of no higher priority; and who has
    no place, and would get none by eviction, takes none before.
    """
    waiting = [one.request for one in snapshot.assumed if not one.pod.node]
    return all(
        other.priority <= request.priority
        and not other.gates
        and (verdict := verdict_on(other, snapshot)).fits is False
        and not verdict.refusal
        and verdict.evicts == 0
        for other in waiting
    )


def room_requests(snapshot: Snapshot) -> list[PodRequest]:
    """Pods whose verdicts the functions here ask for; those of old stay the same objects."""
    kinds = {kind_of(one.request): None for one in snapshot.assumed}
    waiting = [one.request for one in snapshot.assumed if not one.pod.node]
    return [*map(by_room, kinds), *waiting]
