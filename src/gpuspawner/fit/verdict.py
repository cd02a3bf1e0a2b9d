"""The verdict on one pod against one state of the cluster, which explains itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpuspawner.capacity.index import NodeState, Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import checks, resources
from gpuspawner.fit.reasons import NO_REASONS, Hindrance, Reasons

_LASTING = frozenset({Hindrance.NOT_FOR_POD, Hindrance.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A resource of which no node that is for the pod has enough, even when empty."""

    resource: str
    asked: int
    most: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a pod would be scheduled now, how many more, and if not, why not.

    Attributes:
        fits: True or False; None if the checks pass but something was not checked.
        nodes: slots by name of each node that would take the pod now.
        slots: how many such pods fit one after another; None if `fits` is.
        slots_if_empty: how many would fit if nothing else ran on the nodes that are for the pod.
        reasons: number of nodes by reason, in the scheduler's words and by its way of counting.
        total_nodes: how many nodes there are.
        eligible_nodes: how many of them are for the pod, by its placement rules and theirs.
        never: the pod fits no node however many other pods leave.
        shortfalls: for a pod that never fits, what no node that is for it has enough of.
        closed_nodes: nodes that are for the pod and large enough, but take no pods at present.
        short: the nodes that are for the pod, large enough and open, but full: how many of them
            by the resources that they are short of.
        unchecked: features of the pod that no check judges.
    """

    fits: bool | None
    nodes: Mapping[str, int] = field(default_factory=dict)
    slots: int | None = None
    slots_if_empty: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    total_nodes: int = 0
    eligible_nodes: int = 0
    never: bool = False
    shortfalls: tuple[Shortfall, ...] = ()
    closed_nodes: int = 0
    short: Mapping[frozenset[str], int] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()


def judge(request: PodRequest, snapshot: Snapshot) -> Verdict:
    """The verdict that the scheduler would reach, as far as the checks go."""
    nodes: dict[str, int] = {}
    histogram: Counter[str] = Counter()
    short: Counter[frozenset[str]] = Counter()
    eligible: list[NodeState] = []
    lasting = closed = slots_if_empty = 0
    for name, state in snapshot.nodes.items():
        first, every = _examine(request, state)
        hindrances = {reason.hindrance for reason in every}
        histogram.update(reason.words for reason in first)
        if not first:
            nodes[name] = resources.slots(request, state)
        if Hindrance.NOT_FOR_POD not in hindrances:
            eligible.append(state)
            slots_if_empty += resources.slots_if_empty(request, state.node)
        lasting += not _LASTING.isdisjoint(hindrances)
        closed += Hindrance.CLOSED in hindrances and _LASTING.isdisjoint(hindrances)
        if hindrances == {Hindrance.FULL}:
            short[frozenset(reason.resource for reason in every)] += 1
    total = len(snapshot.nodes)
    never = bool(total) and lasting == total
    fits = bool(nodes)
    is_known = not (fits and request.unchecked)
    return Verdict(
        fits=fits if is_known else None,
        nodes=nodes,
        slots=sum(nodes.values()) if is_known else None,
        slots_if_empty=slots_if_empty,
        reasons=dict(histogram),
        total_nodes=total,
        eligible_nodes=len(eligible),
        never=never,
        shortfalls=_shortfalls(request, eligible) if never else (),
        closed_nodes=closed,
        short=dict(short),
        unchecked=request.unchecked,
    )


def scheduler_message(verdict: Verdict) -> str:
    """The verdict in the words of a FailedScheduling event, sorted as the scheduler sorts them."""
    counts = sorted(f"{count} {words}" for words, count in verdict.reasons.items())
    head = f"0/{verdict.total_nodes} nodes are available"
    return f"{head}: {', '.join(counts)}." if counts else f"{head}."


def feasible_nodes(request: PodRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """The names of the nodes that every check lets pass, in order."""
    return tuple(sorted(judge(request, snapshot).nodes))


def _examine(request: PodRequest, state: NodeState) -> tuple[Reasons, Reasons]:
    """The reasons of the first check that refuses, and those of all checks."""
    found = [reasons for check in checks.IN_ORDER if (reasons := check(request, state))]
    first = found[0] if found else NO_REASONS
    return first, tuple(reason for reasons in found for reason in reasons)


def _shortfalls(request: PodRequest, eligible: list[NodeState]) -> tuple[Shortfall, ...]:
    most = {
        resource: max((state.node.allocatable.get(resource, 0) for state in eligible), default=0)
        for resource in request.requests
    }
    return tuple(
        Shortfall(resource, asked, most[resource])
        for resource, asked in request.requests.items()
        if eligible and asked > most[resource]
    )
