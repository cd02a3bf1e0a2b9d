"""The verdict on one pod against one state of the cluster, which explains itself."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import msgspec

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import dynamic_resources, preemption, quota, volume_restrictions
from gpuspawner.fit.cluster_checks import Asked, asking_the_cluster, not_asking
from gpuspawner.fit.counting import Devices, counted
from gpuspawner.fit.delegation import with_delegable
from gpuspawner.fit.examining import examine
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.tallying import Tally
from gpuspawner.fit.transitions import Note

_QUOTA = "ResourceQuota"
_QUEUE_NAME = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A resource of which no node that is for the pod has enough, even when empty."""

    resource: str
    asked: int
    most: int


class Verdict(msgspec.Struct, frozen=True):
    """Whether a pod would be scheduled now, how many more, and if not, why not.

    Not a dataclass, since it takes a fifth of the time to make one: with each change on a node
    all verdicts that look at it are made anew.

    Attributes:
        fits: True or False; None if it might, but something was not checked.
        nodes: slots by name of each node that would take the pod now.
        slots: how many such pods fit one after another; None if that cannot be said.
        slots_if_empty: how many would fit if nothing else ran on the nodes that are for the pod.
        reasons: number of nodes by reason, in the scheduler's words and by its way of counting.
        total_nodes: how many nodes there are.
        eligible_nodes: how many of them are for the pod, by its placement rules and theirs.
        never: the pod fits no node however many other pods leave.
        shortfalls: for a pod that never fits, what no node that is for it has enough of.
        closed_nodes: nodes that are for the pod and large enough, but take no pods at present.
        taken_nodes: nodes that are for the pod, but others hold the devices that it claims there.
        short: the nodes that are for the pod, large enough and open, but full: how many of them
            by the resources that they are short of.
        free: for each device the pod asks for: how many are left on a node that is open and for
            the pod, and on how many nodes it is that many. Zeros are not listed.
        devices: how many there are of each device the pod asks for, and how many are held; left
            out if that cannot be told of what DRA serves. None if it is not known.
        slots_taken: how many of `slots_if_empty` the pods on open nodes leave no room for; None if
            it is not known.
        notes: on how many of the nodes that are for the pod something is going on, by what it is.
        unchecked: what could not be checked, in the API's words.
        queued: names of the scheduling gates for which the pod waits in a queue.
        queue: the LocalQueue of Kueue that a pod that waits names; else empty.
        evicts: how many pods the scheduler would evict so that it fits; 0 if that does not help,
            is not needed or is not allowed; None if it cannot be told.
        blocked: why the pod can go nowhere, whatever the nodes are like, in the scheduler's words.
        refusal: why the API server would not take the pod: a quota, in its own words; else empty.
        is_bounded: whether it is a quota alone that lets no more than `slots` of them in.
    """

    fits: bool | None
    nodes: Mapping[str, int] = {}
    slots: int | None = None
    slots_if_empty: int = 0
    reasons: Mapping[str, int] = {}
    total_nodes: int = 0
    eligible_nodes: int = 0
    never: bool = False
    shortfalls: tuple[Shortfall, ...] = ()
    closed_nodes: int = 0
    taken_nodes: int = 0
    short: Mapping[frozenset[str], int] = {}
    free: Mapping[str, Mapping[int, int]] = {}
    devices: Mapping[str, Devices] | None = None
    slots_taken: int | None = None
    notes: Mapping[Note, int] = {}
    unchecked: tuple[str, ...] = ()
    queued: tuple[str, ...] = ()
    queue: str = ""
    evicts: int | None = 0
    blocked: str = ""
    refusal: str = ""
    is_bounded: bool = False


def judge(request: PodRequest, snapshot: Snapshot) -> Verdict:
    """The verdict that the scheduler would reach, as far as the checks go."""
    request = with_delegable(request, snapshot)
    tally = Tally()
    for name, state in snapshot.nodes.items():
        tally.put(name, examine(request, state))
    return conclude(request, snapshot, tally)


def conclude(request: PodRequest, snapshot: Snapshot, tally: Tally) -> Verdict:
    """`concluding`, at once."""
    survey = Survey(request, snapshot)
    steps = concluding(request, snapshot, tally, survey, len(tally.slots) + 1)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict


def concluding(
    request: PodRequest, snapshot: Snapshot, tally: Tally, survey: Survey, nodes: int
) -> Generator[None, None, Verdict]:
    """The verdict, from what the nodes' own state says; it pauses after each `nodes` nodes.

    Args:
        request: the pod.
        snapshot: the cluster.
        tally: of all nodes of `snapshot`, examined for `request`; one that nobody else changes
            if `survey` is true.
        survey: of `snapshot` for `request`.
        nodes: how many nodes are looked at between two pauses.
    """
    if survey and survey.blocked is None:
        asked = yield from asking_the_cluster(request, snapshot, tally, survey, nodes)
    else:
        asked = not_asking(tally, survey)
    verdict = _concluded(request, snapshot, tally, survey, asked)
    is_final = verdict.refusal or request.gates or asked.is_blocked
    may_evict = verdict.fits is False and not is_final
    evictable = tally.evictable.union(asked.evictable) if may_evict else None
    # `tally` is not looked at after this: without a survey it may go on during a pause.
    if evictable:
        evicts = yield from preemption.evictions(request, snapshot, survey, evictable, nodes)
        verdict = msgspec.structs.replace(verdict, evicts=evicts)
    return verdict


def _concluded(
    request: PodRequest, snapshot: Snapshot, tally: Tally, survey: Survey, asked: Asked
) -> Verdict:
    """The verdict, but for how many pods are evicted where some can be."""
    refusal = quota.refusal(request, snapshot)
    fits = False if refusal else _fits(request, snapshot, asked)
    room = _room(request, snapshot, asked, fits=fits)
    admitted = quota.slots(request, snapshot) if room else None
    slots = room if room is None or admitted is None else min(room, admitted)
    never = bool(tally.total) and tally.lasting + asked.lasting == tally.total
    return Verdict(
        fits=fits,
        nodes=asked.nodes if fits is not None else {},
        slots=slots,
        slots_if_empty=_slots_if_empty(snapshot, tally, survey),
        blocked=survey.blocked.words if survey.blocked is not None else "",
        reasons=asked.reasons,
        total_nodes=tally.total,
        eligible_nodes=len(tally.eligible),
        never=never,
        shortfalls=_shortfalls(request, snapshot, tally) if never else (),
        closed_nodes=tally.closed + asked.closed,
        taken_nodes=asked.taken,
        short=tally.short.copy(),
        free=_free(tally),
        devices=counted(request, snapshot, tally, survey),
        slots_taken=tally.slots_if_empty - tally.closed_slots - tally.room,
        notes=tally.notes.copy(),
        unchecked=_unchecked(request, snapshot, asked),
        queued=request.gates,
        queue=request.labels.get(_QUEUE_NAME, "") if request.gates else "",
        evicts=None if fits is None and request.preempts else 0,
        refusal=refusal,
        is_bounded=slots != room,
    )


def scheduler_message(verdict: Verdict) -> str:
    """The verdict in the words of a FailedScheduling event, sorted as the scheduler sorts them."""
    head = f"0/{verdict.total_nodes} nodes are available"
    if verdict.blocked:
        return f"{head}: {verdict.blocked}."
    counts = sorted(f"{count} {words}" for words, count in verdict.reasons.items())
    return f"{head}: {', '.join(counts)}." if counts else f"{head}."


def likely_node(verdict: Verdict) -> str:
    """Where the pod may well go; empty if nowhere.

    kube-scheduler prefers, as it comes, the node of which the least is in use
    (NodeResourcesFit's LeastAllocated); nothing may rely on it.
    """
    nodes = verdict.nodes.items()
    return max(nodes, key=lambda item: (item[1], item[0]))[0] if nodes else ""


def feasible_nodes(request: PodRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """The names of the nodes that every check lets pass, in order."""
    return tuple(sorted(judge(request, snapshot).nodes))


def _fits(request: PodRequest, snapshot: Snapshot, asked: Asked) -> bool | None:
    if request.gates:
        return False
    if asked.nodes:
        return None if request.unchecked or snapshot.objects.hides_quotas else True
    return None if asked.doubtful else False


def _unchecked(request: PodRequest, snapshot: Snapshot, asked: Asked) -> tuple[str, ...]:
    doubts = asked.doubts.union(request.unchecked)
    if snapshot.objects.hides_quotas:
        doubts.add(_QUOTA)
    return tuple(sorted(doubts)) if doubts else ()


def _room(
    request: PodRequest, snapshot: Snapshot, asked: Asked, *, fits: bool | None
) -> int | None:
    if fits is None or (fits and (asked.doubtful or snapshot.objects.quotas is None)):
        return None
    """How many the nodes take; None if that cannot be said."""
    total = asked.copies if fits else 0
    return volume_restrictions.at_most(request, snapshot, total) if total else total


def _slots_if_empty(snapshot: Snapshot, tally: Tally, survey: Survey) -> int:
    if not survey:
        return tally.slots_if_empty
    nodes = (snapshot.nodes[name].node for name in tally.eligible)
    return tally.slots_if_empty + dynamic_resources.slots_if_empty(survey.checks, nodes)


def _free(tally: Tally) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for (device, left), nodes in tally.free.items():
        found.setdefault(device, {})[left] = nodes
    return found


def _shortfalls(request: PodRequest, snapshot: Snapshot, tally: Tally) -> tuple[Shortfall, ...]:
    if not tally.eligible:
        return ()
    if tally.largest is None:
        offered = [snapshot.nodes[name].node.allocatable for name in tally.eligible]
        tally.largest = {
            resource: max(amounts.get(resource, 0) for amounts in offered)
            for resource in request.requests
        }
    return tuple(
        Shortfall(resource, asked, tally.largest[resource])
        for resource, asked in request.requests.items()
        if asked > tally.largest[resource] and resource not in request.delegable
    )
