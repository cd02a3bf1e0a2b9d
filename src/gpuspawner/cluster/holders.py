"""Who of this hub's people has what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.cluster.values import ClusterHeld, ClusterHolding, ClusterWait, Phase

PodKey = tuple[str, str]
"""Namespace and name. A label can be written by anybody; of one name there is but one pod."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A server of this hub, as the hub knows it.

    Attributes:
        profile: slug; empty if it is not known.
        asks_for_devices: whether the profile does; None if it is not known.
        since: when its start began, in UTC.
        in_line: where it waits for room; None if it does not.
        awaits_node_of: the title of the pool of which a new node was promised to the start under
            way; empty if none was.
    """

    user: str
    server: str
    profile: str
    title: str
    asks_for_devices: bool | None
    since: datetime | None
    phase: Phase
    in_line: ClusterWait | None = None
    awaits_node_of: str = ""


Holders = Mapping[PodKey, Holder]
TitleOf = Callable[[str, Node], str]
"""What a resource of a node is called."""


def held_by_ours(snapshot: Snapshot, holders: Holders) -> Iterator[tuple[PodKey, Pod, Node]]:
    """Each server's pod that is on a node, or is counted there until it is bound."""
    for state in snapshot.nodes.values():
        for pod in state.pods:
            key = (pod.namespace, pod.name)
            if key in holders:
                yield key, pod, state.node


def holdings_in(
    snapshot: Snapshot,
    holders: Holders,
    is_shown: Callable[[str], bool],
    title_of: TitleOf,
    *,
    is_live: bool,
) -> tuple[ClusterHolding, ...]:
    """Those who have devices or ask for some, by name.

    What is not live is not said: which node a server is on may not be so any more.
    """
    there = {}
    if is_live:
        there = {key: (pod, node) for key, pod, node in held_by_ours(snapshot, holders)}
    found = []
    for key, holder in holders.items():
        pod, node = there.get(key, (None, None))
        held: tuple[ClusterHeld, ...] | None = None
        if pod is not None and node is not None:
            held = tuple(
                ClusterHeld(resource, title_of(resource, node), amount)
                for resource, amount in sorted(pod.requests.items())
                if is_shown(resource) and amount
            )
        elif is_live:
            held = ()
        if not held and (pod is not None or holder.asks_for_devices is False):
            continue
        found.append(_holding(holder, node, held))
    return tuple(sorted(found, key=lambda one: (one.user, one.server)))


def awaiting_nodes(snapshot: Snapshot, holders: Holders) -> Counter[str]:
    """How many starts were promised a new node and are on none yet, by the pool's title."""
    there = {key for key, _, _ in held_by_ours(snapshot, holders)}
    return Counter(
        one.awaits_node_of
        for key, one in holders.items()
        if one.awaits_node_of and key not in there
    )


def rfc3339(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _holding(
    holder: Holder, node: Node | None, held: tuple[ClusterHeld, ...] | None
) -> ClusterHolding:
    return ClusterHolding(
        user=holder.user,
        server=holder.server,
        profile=holder.profile,
        title=holder.title,
        since=rfc3339(holder.since) if holder.since is not None else None,
        phase=holder.phase,
        in_line=holder.in_line,
        node=node.name if node is not None else None,
        held=held,
    )
