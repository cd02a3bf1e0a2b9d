"""The room that is kept for those who wait, and what it leaves to others.

It is kept on one node each, which the pods that are started meanwhile keep off unless they fit
beside it. It is a node that would take the pod if all that runs there ended, beside those who go
before: the one where that is known to come soonest, else the one where the pod lacks least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import msgspec

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit import Verdict
from gpuspawner.fit.examining import examine, examine_node
from gpuspawner.line.bounds import free_by
from gpuspawner.line.waiters import Waiter

VerdictOn = Callable[[PodRequest, Snapshot], Verdict]
Kept = Mapping[str, Sequence[Pod]]
"""Pods by the node where room is kept for them."""


@dataclass(frozen=True, slots=True)
class Left:
    """What those who go before leave to a pod.

    Attributes:
        verdict: on the pod, without the room that is kept for them.
        avoids: nodes that the pod has to keep off.
        rivals: how many of them fit at this moment where the pod fits, or may.
    """

    verdict: Verdict
    avoids: frozenset[str] = frozenset()
    rivals: int = 0


def left_by(
    ahead: Sequence[Waiter],
    request: PodRequest,
    verdict: Verdict,
    snapshot: Snapshot,
    verdict_on: VerdictOn,
) -> Left:
    """What is left to a pod.

    Args:
        ahead: those who go before, the first first.
        request: the pod.
        verdict: on it in `snapshot`.
        snapshot: the cluster.
        verdict_on: gives what `gpuspawner.fit.judge` gives, perhaps sooner.
    """
    if not ahead:
        return Left(verdict)
    kept: dict[str, list[Pod]] = {}
    turns: list[Mapping[str, int]] = []
    for waiter in ahead:
        if waiter.request is not None and not waiter.is_held_up:
            its = verdict_on(waiter.request, snapshot)
            turns.append(_beside(waiter.request, its.nodes, kept, snapshot))
        if waiter.pod is not None:
            kept.setdefault(waiter.node, []).append(waiter.pod)
    nodes = _beside(request, verdict.nodes, kept, snapshot)
    rivals = sum(not nodes.keys().isdisjoint(turn) for turn in turns)
    if nodes:
        rivals += sum(waiter.request is None for waiter in ahead)
    avoids = frozenset(
        name
        for name, pods in kept.items()
        if (state := snapshot.nodes.get(name)) is not None
        and is_for(request, state)
        and not _slots(request, state, pods)
    )
    return Left(_confined(verdict, nodes), avoids, rivals)


def is_for(request: PodRequest, state: NodeState) -> bool:
    """Whether a node would take a pod if nothing ran there."""
    alone = examine_node(request, state)
    return not alone.first and alone.slots_if_empty > 0


def competitors(
    request: PodRequest, node: str, ahead: Sequence[Waiter], snapshot: Snapshot
) -> list[Waiter]:
    """Those who go before and may take what a pod could use.

    Args:
        request: the pod.
        node: where room is kept for it; empty if nowhere.
        ahead: those who go before.
        snapshot: the cluster.
    """
    if not ahead:
        return []
    nodes = {name: snapshot.nodes[name] for name in kept_by(ahead) if name in snapshot.nodes}
    if (own := snapshot.nodes.get(node)) is not None:
        nodes[node] = own
    usable = {name: state for name, state in nodes.items() if is_for(request, state)}

    def may_take_it(other: PodRequest, its: str) -> bool:
        if its in usable or (own is not None and is_for(other, own)):
            return True
        # Whatever it could use is kept for those before it, if nothing is kept for itself.
        return not its and any(is_for(other, state) for state in usable.values())

    return [
        waiter
        for waiter in ahead
        if not waiter.is_held_up
        and (waiter.request is None or may_take_it(waiter.request, waiter.node))
    ]


def choosing(
    request: PodRequest, ahead: Sequence[Waiter], snapshot: Snapshot, nodes: int, now: str = ""
) -> Iterator[str | None]:
    """Choose where room is kept for a pod: yields None after each `nodes` nodes, at last the name.

    The name is empty if no node would ever take it beside those who go before. It is that of the
    node where room is kept `now`, if no other one is better.
    """
    kept = kept_by(ahead)
    best: tuple[float, int, bool, str] | None = None
    for number, (name, state) in enumerate(snapshot.nodes.items(), 1):
        if number % nodes == 0:
            yield None
        others = kept.get(name, ())
        if not may_be_kept(request, state, others):
            continue
        moment = free_by(request, state, others)
        lacking = _lacking(request, state, others)
        place = (inf if moment is None else moment, lacking, name != now, name)
        best = place if best is None else min(best, place)
    yield best[-1] if best is not None else ""


def kept_by(ahead: Iterable[Waiter]) -> dict[str, list[Pod]]:
    """The pods for which room is kept, by node."""
    kept: dict[str, list[Pod]] = {}
    for waiter in ahead:
        if waiter.pod is not None:
            kept.setdefault(waiter.node, []).append(waiter.pod)
    return kept


def may_be_kept(request: PodRequest, state: NodeState, others: Iterable[Pod]) -> bool:
    """Whether a node would take a pod beside `others` if nothing else ran there."""
    return is_for(request, state) and not examine(request, summed(state.node, others)).first


def _beside(
    request: PodRequest, nodes: Mapping[str, int], kept: Kept, snapshot: Snapshot
) -> Mapping[str, int]:
    """The nodes that take a pod, less those where it would take what is kept for others."""
    if nodes.keys().isdisjoint(kept):
        return nodes
    left = dict(nodes)
    for name in nodes.keys() & kept.keys():
        slots = min(left.pop(name), _slots(request, snapshot.nodes[name], kept[name]))
        if slots:
            left[name] = slots
    return left


def _slots(request: PodRequest, state: NodeState, others: Sequence[Pod]) -> int:
    return examine(request, summed(state.node, [*state.pods, *others], state.nominated)).slots


def _lacking(request: PodRequest, state: NodeState, others: Sequence[Pod]) -> int:
    """How much of the resource is missing of which the pod asks for the fewest units."""
    crowded = summed(state.node, [*state.pods, *others])
    asked = {name: amount for name, amount in request.requests.items() if amount > 0}
    if not asked:
        return 0
    scarce = min(asked, key=lambda name: (state.node.allocatable.get(name, 0) // asked[name], name))
    left = state.node.allocatable.get(scarce, 0) - crowded.requested.get(scarce, 0)
    return max(0, asked[scarce] - left)


def _confined(verdict: Verdict, nodes: Mapping[str, int]) -> Verdict:
    if nodes == verdict.nodes:
        return verdict
    slots = None if verdict.slots is None else min(verdict.slots, sum(nodes.values()))
    fits = verdict.fits if nodes else False
    return msgspec.structs.replace(verdict, fits=fits, nodes=nodes, slots=slots if nodes else 0)
