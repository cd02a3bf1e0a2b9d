"""The room that is kept for those who wait, and what it leaves to others.

It is kept on one node each (`choosing`), which the pods that are started meanwhile keep off unless
they fit beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit import Verdict
from gpuspawner.fit.examining import examine, examine_node
from gpuspawner.line.waiters import Waiter

VerdictOn = Callable[[PodRequest, Snapshot], Verdict]
_LOOKS = 200
"""At how many pairs of one who waits and a node is looked, at most: some milliseconds."""

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
    if verdict.fits is None:
        # Only the first tries what is not known.
        return Left(verdict, rivals=len(competitors(request, "", ahead, snapshot)))
    kept: dict[str, list[Pod]] = {}
    turns: list[tuple[PodRequest, Mapping[str, int]]] = []
    for waiter in ahead:
        if waiter.request is not None and not waiter.is_held_up:
            its = verdict_on(waiter.request, snapshot)
            if its.fits:
                nodes = _beside(waiter.request, its.nodes, kept, snapshot)
                turns.append((waiter.request, nodes))
        if waiter.pod is not None:
            kept.setdefault(waiter.node, []).append(waiter.pod)
    nodes = _beside(request, verdict.nodes, kept, snapshot)
    rivals = _rivals(request, nodes, turns, kept, snapshot)
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
        if not snapshot.nodes:
            return _waits_for_such(other, request)
        # Whatever it could use is kept for those before it, if nothing is kept for itself.
        return not its and any(is_for(other, state) for state in usable.values())

    return [
        waiter
        for waiter in ahead
        if not waiter.is_held_up
        and (waiter.request is None or may_take_it(waiter.request, waiter.node))
    ]


def _waits_for_such(other: PodRequest, request: PodRequest) -> bool:
    """What can be told where no node is known: devices alike, or none, which any pod may hinder."""
    devices = {name for name, amount in other.requests.items() if "/" in name and amount}
    return not devices or any(request.requests.get(name) for name in devices)


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


def _rivals(
    request: PodRequest,
    nodes: Mapping[str, int],
    turns: Sequence[tuple[PodRequest, Mapping[str, int]]],
    kept: Kept,
    snapshot: Snapshot,
) -> int:
    """How many of those whose turn it is may find no room any more if the pod goes first."""
    sharing = [(other, turn.keys() & nodes.keys()) for other, turn in turns]
    sharing = [(other, shared) for other, shared in sharing if shared]
    if sum(len(shared) for _, shared in sharing) > _LOOKS:
        return len(sharing)
    # Each of them may go to any node that it could go to.
    crowds: dict[str, list[Pod]] = {}
    for other, shared in sharing:
        for name in shared:
            crowds.setdefault(name, []).append(as_assumed(other, name).pod)
    fits_beside = all(
        _slots(request, snapshot.nodes[name], [*kept.get(name, ()), *crowd])
        for name, crowd in crowds.items()
    )
    return 0 if fits_beside else len(sharing)


def _slots(request: PodRequest, state: NodeState, others: Sequence[Pod]) -> int:
    return examine(request, summed(state.node, [*state.pods, *others], state.nominated)).slots


def _confined(verdict: Verdict, nodes: Mapping[str, int]) -> Verdict:
    if nodes == verdict.nodes:
        return verdict
    slots = None if verdict.slots is None else min(verdict.slots, sum(nodes.values()))
    fits = verdict.fits if nodes else False
    return msgspec.structs.replace(
        verdict, fits=fits, nodes=nodes, slots=slots if nodes else 0, is_bounded=False
    )
