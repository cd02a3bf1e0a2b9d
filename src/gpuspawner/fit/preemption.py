"""DefaultPreemption: how many pods the scheduler would evict so that a pod fits.

It looks only at nodes that are merely full (a status of Unschedulable, not one that eviction
cannot resolve). On each it takes away all pods of lower priority; if the pod fits then, it puts
back as many as it can, those of higher priority first. Of the nodes that remain it takes the one
whose most important victim is the least important, then the one with the lowest sum of their
priorities, then that with the fewest.

Two of its criteria are not known here: disruption budgets, taken as violated by nobody, and when
pods started, which orders victims of the same priority. Where the latter could change the number,
it cannot be told. It cannot be told either where the scheduler would stop at a random sample of
nodes and they differ, or where working it out would take too long.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from itertools import pairwise

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.examining import beside_promised, examine, is_certain, refusals
from gpuspawner.fit.surveying import Survey

LOOKS = 3000
"""How often a node may be looked at for one pod: about 15 ms, or three times that with a survey."""

_LOOKS_OF_A_CHECK = 4
"""What asking a check of the cluster counts for; it is slower than to look at the node alone."""

_SAMPLE, _SAMPLE_PERCENT = 100, 10
_ABOVE_ANY_PRIORITY = 2**31

_Outcome = tuple[int, int, int, int]
"""Of a node: highest priority of a victim, their sum, their number; how many are evicted anew."""


class _CannotBeToldError(Exception):
    """Raised and caught here."""


def node_by_eviction(request: PodRequest, snapshot: Snapshot) -> str:
    """A node that takes the pod once those of lower priority are gone; empty if there is none.

    The one that would then take the most of them; nothing may rely on it.
    """
    best, most = "", 0
    for name, state in snapshot.nodes.items():
        if not any(pod.priority < request.priority for pod in state.pods):
            continue
        kept = [pod for pod in state.pods if pod.priority >= request.priority]
        slots = examine(request, summed(state.node, kept, state.nominated)).slots
        if slots > most:
            best, most = name, slots
    return best


def evictions(
    request: PodRequest, snapshot: Snapshot, survey: Survey, full: Collection[str], looks: int
) -> Generator[None, None, int | None]:
    """How many pods would be evicted; 0 if that does not help or is not allowed.

    A pod for which others are leaving its nominated node already evicts nobody else.

    Args:
        request: a pod that fits nowhere.
        snapshot: the cluster.
        survey: of that cluster for the pod.
        full: names of the nodes with pods of lower priority where `is_evictable` holds.
        looks: it pauses after a node once it has looked that often since the last pause.

    Returns:
        None if it cannot be told.
    """
    if not request.preempts or _waits_for_victims(request, snapshot, full):
        return 0
    sample = max(_SAMPLE, len(full) * _SAMPLE_PERCENT // 100)
    trial = _Trial(request, survey)
    found: list[set[_Outcome]] = []
    pause = looks
    try:
        for name in sorted(full):
            if trial.looks >= pause:
                pause = trial.looks + looks
                yield
            if outcomes := trial.outcomes(snapshot.nodes[name]):
                found.append(outcomes)
                if len(found) > sample:
                    break
    except _CannotBeToldError:
        return None
    if not found:
        return 0
    if request.unchecked:
        return None
    counts = {outcome[-1] for outcome in _eligible(found, sample)}
    return counts.pop() if len(counts) == 1 else None


def _eligible(found: list[set[_Outcome]], sample: int) -> Iterable[_Outcome]:
    """What the scheduler's choice may come to."""
    everything = set().union(*found)
    if len(found) > sample:
        return everything
    worst = min(max(outcomes)[:-1] for outcomes in found)
    return (outcome for outcome in everything if outcome[:-1] <= worst)


def _waits_for_victims(request: PodRequest, snapshot: Snapshot, full: Collection[str]) -> bool:
    """A pod that terminates on the nominated node is taken to do so because it was preempted."""
    return request.nominated_node in full and any(
        pod.terminating and pod.priority < request.priority
        for pod in snapshot.nodes[request.nominated_node].pods
    )


class _Trial:
    """What would come of evictions on one node after another.

    Attributes:
        looks: how often it has looked at a node, by the weight of what it asked.
    """

    def __init__(self, request: PodRequest, survey: Survey) -> None:
        self._request = request
        self._survey = survey
        self._weight = 1 + _LOOKS_OF_A_CHECK * len(survey.checks)
        self.looks = 0

    def outcomes(self, state: NodeState) -> set[_Outcome]:
        """What eviction on the node may come to; empty if it does not help."""
        priority = self._request.priority
        lower = [pod for pod in state.pods if pod.priority < priority]
        bare = _without(state, lower)
        if not self._fits(bare):
            return set()
        orders = [sorted(lower, key=_importance)]
        if not all(self._alike(one, other) for one, other in pairwise(orders[0])):
            # The sort is stable, so this turns only those of the same priority.
            lower.reverse()
            orders.append(sorted(lower, key=_importance))
        victims = (self._not_reprieved(bare, order) for order in orders)
        return {_outcome(evicted) for evicted in victims if evicted}

    def _not_reprieved(self, state: NodeState, pods: Iterable[Pod]) -> list[Pod]:
        victims = []
        for pod in pods:
            more = _with(state, pod)
            if self._fits(more):
                state = more
            else:
                victims.append(pod)
        return victims

    def _fits(self, state: NodeState) -> bool:
        self.looks += self._weight
        if self.looks > LOOKS:
            raise _CannotBeToldError
        if refusals(self._request, beside_promised(self._request, state)):
            return False
        refused = self._survey.refusal(state)
        if refused and not is_certain(refused):
            raise _CannotBeToldError
        return not refused

    def _alike(self, one: Pod, other: Pod) -> bool:
        """Whether it makes no difference which of the two goes first."""
        return one.priority != other.priority or (
            one.requests == other.requests
            and one.terminating == other.terminating
            and one.host_ports == other.host_ports
            and one.anti_affinity == other.anti_affinity
            and one.claims == other.claims
            and (not self._survey or one.labels == other.labels)
        )


def _importance(pod: Pod) -> int:
    return -pod.priority


def _outcome(victims: list[Pod]) -> _Outcome:
    return (
        victims[0].priority,
        sum(pod.priority + _ABOVE_ANY_PRIORITY for pod in victims),
        len(victims),
        sum(not pod.terminating for pod in victims),
    )


def _without(state: NodeState, pods: list[Pod]) -> NodeState:
    requested = dict(state.requested)
    for pod in pods:
        for resource, amount in pod.requests.items():
            requested[resource] = requested.get(resource, 0) - amount
    gone = set(map(id, pods))
    kept = tuple(pod for pod in state.pods if id(pod) not in gone)
    return NodeState(state.node, requested, len(kept), kept, state.nominated)


def _with(state: NodeState, pod: Pod) -> NodeState:
    requested = dict(state.requested)
    for resource, amount in pod.requests.items():
        requested[resource] = requested.get(resource, 0) + amount
    pods = (*state.pods, pod)
    return NodeState(state.node, requested, len(pods), pods, state.nominated)
