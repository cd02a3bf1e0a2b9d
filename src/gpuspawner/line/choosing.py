"""On which node room is kept for who waits.

It is one that would take the pod if all that runs there ended, beside those who go before: the one
where that is known to come soonest, else the one where the pod lacks least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.examining import examine
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.surveying import Survey
from gpuspawner.line.bounds import free_by
from gpuspawner.line.keeping import kept_by, may_be_kept
from gpuspawner.line.waiters import Waiter

_NODES = 16
"""Nodes between two pauses: the longest look at a node takes some hundred microseconds."""


def choosing(
    waiter: Waiter,
    ahead: Sequence[Waiter],
    snapshot: Snapshot,
    moment: float,
    among: Iterable[str] | None = None,
) -> Iterator[str | None]:
    """Choose where room is kept: yields None after every few nodes, at last the name.

    The name is empty if no node would ever take it beside those who go before. It is that of the
    node where room is kept for it, if no other one is better.

    Args:
        waiter: for whom.
        ahead: those who go before.
        snapshot: the cluster.
        moment: the time, in seconds since the epoch.
        among: names of the nodes to choose from; all if left out.
    """
    request = waiter.request
    if request is None:
        yield ""
        return
    kept, survey = kept_by(ahead), Survey(request, snapshot)
    best: tuple[float, int, bool, str] | None = None
    names = snapshot.nodes if among is None else sorted(among)
    for number, name in enumerate(names, 1):
        if number % _NODES == 0:
            yield None
        state, others = snapshot.nodes.get(name), kept.get(name, ())
        if state is None or not may_be_kept(request, state, others):
            continue
        if not _may_pass(survey, state):
            continue
        by = _free_by(request, state, others, moment)
        place = (by, _lacking(request, state, others), name != waiter.node, name)
        best = place if best is None else min(best, place)
    yield best[-1] if best is not None else ""


def _free_by(request: PodRequest, state: NodeState, others: Sequence[Pod], moment: float) -> float:
    if not any(pod.ends_by for pod in state.pods):
        crowded = summed(state.node, [*state.pods, *others])
        return inf if examine(request, crowded).first else moment
    by = free_by(request, state, others, moment)
    return inf if by is None else by


def _may_pass(survey: Survey, state: NodeState) -> bool:
    """Whether the checks of the cluster may let the pod come to a node, now or later."""
    if survey.blocked is not None:
        return False
    reasons = survey.refusal(state) if survey else ()
    return all(reason.hindrance is not Hindrance.NOT_FOR_POD for reason in reasons)


def _lacking(request: PodRequest, state: NodeState, others: Sequence[Pod]) -> int:
    """How much of the resource is missing of which the pod asks for the fewest units."""
    crowded = summed(state.node, [*state.pods, *others])
    asked = {name: amount for name, amount in request.requests.items() if amount > 0}
    if not asked:
        return 0
    scarce = min(asked, key=lambda name: (state.node.allocatable.get(name, 0) // asked[name], name))
    left = state.node.allocatable.get(scarce, 0) - crowded.requested.get(scarce, 0)
    return max(0, asked[scarce] - left)
