"""Pools that an autoscaler can grow: a pod that fits nowhere now may get a node of its own.

A pool that has no node is never taken for one that does not exist. What a new node would look like
is declared by the operator; whether the pool can grow at present is cluster-autoscaler's to say,
where its status can be read.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import cast

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node, NodeGroup, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.claims import LastOf
from gpuspawner.fit.examining import examine
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.verdict import Shortfall


class Stuck(Enum):
    """Why a pool cannot grow at present."""

    FAILED = "its last attempt to grow failed"
    UNHEALTHY = "its autoscaler reports it unhealthy"
    FULL = "it has all the nodes it may have"
    PROMISED = "the nodes it may still get are for servers that are being started"


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """What a new node of a pool looks like.

    Attributes:
        pool: what people call the pool.
        node: a node without a name; its labels tell the pool's nodes from others.
        most: how many nodes the pool may have; None if that is not known.
        group: the pool's name in cluster-autoscaler-status; empty if it is not known there.
    """

    pool: str
    node: Node
    most: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """A pool whose next node would take the pod.

    Attributes:
        pool: what people call it.
        slots: how many such pods one new node takes, by what the node offers.
        hindrance: why it cannot grow at present; None if nothing is known to prevent it.
        is_certain: whether all is known that decides if the new node takes the pod.
        nodes: how many it has.
    """

    pool: str
    slots: int
    hindrance: Stuck | None = None
    is_certain: bool = True
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class SmallPool:
    """A pool whose nodes are for a pod, and none of them ever large enough.

    Attributes:
        pool: what people call it.
        shortfalls: what a new node has too little of.
    """

    pool: str
    shortfalls: tuple[Shortfall, ...]


@dataclass(frozen=True, slots=True)
class NewNodes:
    """The nodes by which a pool can still grow, if there is a pod for each.

    Attributes:
        state: one of them.
        number: how many there are to count on; 0 if the pool cannot grow at present.
        is_all: whether no other node of the pool may come.
        coming: those that are there and are not yet, or not now, as a new one should be: as if
            they were.
    """

    state: NodeState
    number: int
    is_all: bool
    coming: tuple[NodeState, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolState:
    """How a pool stands by itself, whatever is asked of it.

    Attributes:
        nodes: how many it has.
        most: how many it may have; None if no limit is known.
        hindrance: why it cannot grow at present; None if nothing is known to prevent it.
        is_reported: whether its autoscaler says how it fares.
    """

    nodes: int
    most: int | None
    hindrance: Stuck | None
    is_reported: bool


def pool_state(snapshot: Snapshot, template: NodeTemplate) -> PoolState:
    """How the pool of a template stands."""
    nodes, most = len(_members(snapshot, template)), _most(snapshot, template)
    hindrance = _hindrance(snapshot, template, _left(snapshot, template, nodes))
    return PoolState(nodes, most, hindrance, _group(snapshot, template) is not None)


def growths(
    request: PodRequest, snapshot: Snapshot, templates: Iterable[NodeTemplate]
) -> tuple[Growth, ...]:
    """The pools whose next node would take the pod, those that can grow at present first."""
    found = []
    for template in templates:
        new = summed(template.node, ())
        finding = examine(request, new)
        if finding.first:
            continue
        fits = _passes_the_cluster(request, snapshot, new)
        if fits is not False:
            members = _members(snapshot, template)
            left = _left(snapshot, template, len(members))
            hindrance = _hindrance(snapshot, template, left)
            is_certain = fits is True
            growth = Growth(template.pool, finding.slots, hindrance, is_certain, len(members))
            found.append(growth)
    return tuple(sorted(found, key=lambda growth: (bool(growth.hindrance), not growth.is_certain)))


def too_small(request: PodRequest, templates: Iterable[NodeTemplate]) -> tuple[SmallPool, ...]:
    """The pools that are for a pod but for the size of their nodes."""
    found = []
    for template in templates:
        finding = examine(request, summed(template.node, ()))
        if finding.hindrances == {Hindrance.TOO_LARGE}:
            offered = template.node.allocatable
            shortfalls = tuple(
                Shortfall(resource, asked, offered.get(resource, 0))
                for resource, asked in request.requests.items()
                if asked > offered.get(resource, 0)
            )
            found.append(SmallPool(template.pool, shortfalls))
    return tuple(found)


def new_nodes(
    snapshot: Snapshot, templates: Iterable[NodeTemplate], most: int
) -> Iterator[NewNodes]:
    """What each pool may still grow by; `most` nodes are enough to know of."""
    for template in templates:
        members = _members(snapshot, template)
        left = _left(snapshot, template, len(members))
        number = most if left is None else min(most, left)
        if _hindrance(snapshot, template, left):
            number = 0
        coming = tuple(
            summed(replace(template.node, name=node.name), snapshot.nodes[node.name].pods)
            for node in members
            if not _is_as_told(node, template.node)
        )
        yield NewNodes(summed(template.node, ()), number, number == left and not coming, coming)


def grown(snapshot: Snapshot, new: dict[str, NodeState]) -> Snapshot:
    """The cluster with more nodes, which are not copied: there may be thousands."""
    nodes = ChainMap(new, cast(dict[str, NodeState], snapshot.nodes))
    return replace(snapshot, nodes=MappingProxyType(nodes))


def _passes_the_cluster(request: PodRequest, snapshot: Snapshot, new: NodeState) -> bool | None:
    """Whether the checks of the cluster let a new node pass; None if that cannot be told.

    Placement rules may ask for a label, such as a zone, that the template does not tell.
    """
    survey = Survey(request, grown(snapshot, {new.node.name: new}))
    if survey.blocked is not None:
        return False
    hindrances = {reason.hindrance for reason in survey.refusal(new)}
    if not hindrances:
        return None if request.unchecked else True
    return None if hindrances & {Hindrance.UNKNOWN, Hindrance.NOT_FOR_POD} else False


def _hindrance(snapshot: Snapshot, template: NodeTemplate, left: int | None) -> Stuck | None:
    group = _group(snapshot, template)
    if group is not None and group.is_backing_off:
        return Stuck.FAILED
    if group is not None and not group.is_healthy:
        return Stuck.UNHEALTHY
    return Stuck.FULL if left == 0 else None


def _group(snapshot: Snapshot, template: NodeTemplate) -> NodeGroup | None:
    groups = {
        name: group
        for status in (snapshot.objects.autoscaler or {}).values()
        for name, group in status.groups.items()
    }
    return groups.get(template.group)


def _left(snapshot: Snapshot, template: NodeTemplate, size: int) -> int | None:
    """How many nodes a pool may still get; None if no limit is known."""
    most = _most(snapshot, template)
    return None if most is None else max(0, most - size)


def _most(snapshot: Snapshot, template: NodeTemplate) -> int | None:
    group = _group(snapshot, template)
    limits = [template.most, group.max_size if group is not None else None]
    return min((limit for limit in limits if limit is not None), default=None)


def _members(snapshot: Snapshot, template: NodeTemplate) -> list[Node]:
    """The nodes of a pool that are there."""
    nodes = _nodes_of(snapshot.nodes)
    for name, value in template.node.labels.items():
        nodes = [node for node in nodes if node.labels.get(name) == value]
    return nodes


def _listed(states: Mapping[str, NodeState]) -> list[Node]:
    return [state.node for state in states.values()]


_nodes_of = LastOf(_listed)


def _is_as_told(node: Node, told: Node) -> bool:
    return (
        not node.unschedulable
        and set(node.taints) <= set(told.taints)
        and all(node.allocatable.get(resource) for resource in told.allocatable)
    )
