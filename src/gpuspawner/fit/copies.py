"""How many copies of a pod fit one after another, where each of them bears on the next.

Pods that keep their own kind away, or are spread with it, are not counted node by node. The number
is given only where it does not depend on the order in which the scheduler takes the nodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.fit.checks import NodeCheck
from gpuspawner.fit.examining import ask, is_certain
from gpuspawner.fit.inter_pod_affinity import InterPodAffinity
from gpuspawner.fit.pod_topology_spread import PodTopologySpread, Spreading

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Bearing:
    """How copies of a pod bear on each other.

    Attributes:
        apart: labels by whose domains they keep each other away.
        together: labels by whose domains the first decides for all.
        spread: the constraint that counts them.
    """

    apart: frozenset[str] = _NONE
    together: frozenset[str] = _NONE
    spread: Spreading | None = None


@dataclass(slots=True)
class _Block:
    """Nodes that share what they can take.

    Attributes:
        room: how many copies they take in all.
        domains: the domains of the spread that they lie in.
    """

    room: int = 0
    domains: set[str] = field(default_factory=set)


def copies(
    cluster_checks: Sequence[NodeCheck],
    snapshot: Snapshot,
    slots: Mapping[str, int],
    fitting: Mapping[str, int],
) -> int | None:
    """How many copies fit; None if that depends on where each goes, or cannot be told.

    Args:
        cluster_checks: those prepared for the pod.
        snapshot: the cluster they were prepared for.
        slots: how many copies each node takes that passes all other checks.
        fitting: the same of those that pass every check now.
    """
    bearing = _bearing(cluster_checks)
    if bearing is None:
        return None
    if bearing == _Bearing():
        return sum(fitting.values())
    states = {name: snapshot.nodes[name] for name in slots}
    open_now = _open(cluster_checks, states.values())
    if open_now is None or any(state.nominated for state in open_now):
        return None
    groups: defaultdict[Hashable, list[NodeState]] = defaultdict(list)
    for state in open_now:
        groups[tuple(state.node.labels.get(key) for key in bearing.together)].append(state)
    totals = {_on(group, bearing, slots) for group in groups.values()} - {0}
    if len(totals) > 1:
        return None
    return totals.pop() if totals else 0


def _bearing(cluster_checks: Iterable[NodeCheck]) -> _Bearing | None:
    apart, together, spread = _NONE, _NONE, None
    for check in cluster_checks:
        if isinstance(check, InterPodAffinity):
            distances, bonds = check.distances, check.bonds
            if distances is None or bonds is None:
                return None
            apart, together = distances, bonds
        elif isinstance(check, PodTopologySpread):
            moving = [spreading for spreading in check.spreadings if spreading.moves]
            if len(moving) > 1:
                return None
            spread = moving[0] if moving else None
    return _Bearing(apart, together, spread)


def _open(
    cluster_checks: Iterable[NodeCheck], states: Iterable[NodeState]
) -> list[NodeState] | None:
    """The nodes that pass now, or may once there are copies elsewhere; None if in doubt."""
    spreads = [check for check in cluster_checks if isinstance(check, PodTopologySpread)]
    others = [check for check in cluster_checks if not isinstance(check, PodTopologySpread)]
    found = []
    for state in states:
        if any(spread.refuses_for_good(state) for spread in spreads):
            continue
        reasons = ask(others, state)
        if not reasons:
            found.append(state)
        elif not is_certain(reasons):
            return None
    return found


def _on(states: Sequence[NodeState], bearing: _Bearing, slots: Mapping[str, int]) -> int | None:
    """How many copies these nodes take, once the first of them is there."""
    blocks = _blocks(states, bearing, slots)
    if blocks is None:
        return None
    if bearing.spread is None:
        return sum(block.room for block in blocks)
    if all(len(block.domains) == 1 for block in blocks):
        return _evenly(bearing.spread, blocks)
    return _one_by_one(bearing.spread, blocks)


def _blocks(
    states: Sequence[NodeState], bearing: _Bearing, slots: Mapping[str, int]
) -> list[_Block] | None:
    """The nodes by the widest domain in which copies keep apart, if the others lie within it."""
    values = {key: {state.node.labels.get(key) for state in states} for key in bearing.apart}
    widest_first = sorted(bearing.apart, key=lambda key: len(values[key]))
    blocks: defaultdict[Hashable, _Block] = defaultdict(_Block)
    within: dict[tuple[str, str], Hashable] = {}
    for state in states:
        labels = state.node.labels
        pairs = [(key, labels[key]) for key in widest_first if key in labels]
        at: Hashable = pairs[0] if pairs else state.node.name
        if any(within.setdefault(pair, at) != at for pair in pairs):
            return None
        block = blocks[at]
        block.room = 1 if pairs else slots[state.node.name]
        if bearing.spread is not None:
            block.domains.add(labels[bearing.spread.constraint.topology_key])
    return list(blocks.values())


def _evenly(spread: Spreading, blocks: Iterable[_Block]) -> int:
    """Blocks that lie within one domain each: every domain is filled as far as the least allows.

    The least can always take one more until it is full, so its last count bounds all others.
    """
    room: Counter[str] = Counter()
    for block in blocks:
        for domain in block.domains:
            room[domain] += block.room
    floor = spread.floor([count + room[domain] for domain, count in spread.counts.items()])
    return sum(min(room[domain], spread.room(domain, floor)) for domain in room)


def _one_by_one(spread: Spreading, blocks: Sequence[_Block]) -> int | None:
    """Blocks of several domains, which take one copy each: told if the least cannot grow."""
    seen = Counter(domain for block in blocks for domain in block.domains)
    floor = spread.floor(spread.counts.values())
    least = {domain for domain, count in spread.counts.items() if count == floor}
    is_fixed = (
        len(spread.counts) < spread.constraint.min_domains
        or not least <= seen.keys()
        or any(len(least & block.domains) > 1 and block.room == 1 for block in blocks)
    )
    if not is_fixed or max(seen.values()) > 1:
        return None
    return sum(
        min(block.room, max(spread.room(domain, floor) for domain in block.domains))
        for block in blocks
    )
