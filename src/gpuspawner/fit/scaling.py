"""Pools that an autoscaler can grow: a pod that fits nowhere now may get a node of its own.

A pool that has no node is never taken for one that does not exist. What a new node would look like
is declared by the operator; whether the pool can grow at present is cluster-autoscaler's to say,
where its status can be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import Node, PodRequest
from gpuspawner.capacity.node_states import NodeState, summed
from gpuspawner.fit.examining import examine
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.surveying import Survey


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
        hindrance: why it cannot grow at present; empty if nothing is known to prevent it.
        is_certain: whether all is known that decides if the new node takes the pod.
    """

    pool: str
    slots: int
    hindrance: str = ""
    is_certain: bool = True


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
            hindrance = _hindrance(snapshot, template)
            found.append(Growth(template.pool, finding.slots, hindrance, is_certain=fits is True))
    return tuple(sorted(found, key=lambda growth: (bool(growth.hindrance), not growth.is_certain)))


def _passes_the_cluster(request: PodRequest, snapshot: Snapshot, new: NodeState) -> bool | None:
    """Whether the checks of the cluster let a new node pass; None if that cannot be told.

    Placement rules may ask for a label, such as a zone, that the template does not tell.
    """
    nodes = MappingProxyType({**snapshot.nodes, new.node.name: new})
    survey = Survey(request, replace(snapshot, nodes=nodes))
    if survey.blocked is not None:
        return False
    hindrances = {reason.hindrance for reason in survey.refusal(new)}
    if not hindrances:
        return None if request.unchecked else True
    return None if hindrances & {Hindrance.UNKNOWN, Hindrance.NOT_FOR_POD} else False


def _hindrance(snapshot: Snapshot, template: NodeTemplate) -> str:
    groups = {
        name: group
        for status in (snapshot.objects.autoscaler or {}).values()
        for name, group in status.groups.items()
    }
    group = groups.get(template.group)
    if group is not None and group.is_backing_off:
        return "its last attempt to grow failed"
    if group is not None and not group.is_healthy:
        return "its autoscaler reports it unhealthy"
    limits = [template.most, group.max_size if group is not None else None]
    known = [limit for limit in limits if limit is not None]
    if not known:
        return ""
    size = sum(_belongs(state.node, template) for state in snapshot.nodes.values())
    if size >= min(known):
        return f"it has all of its {size} nodes" if size != 1 else "it has its only node"
    return ""


def _belongs(node: Node, template: NodeTemplate) -> bool:
    return template.node.labels.items() <= node.labels.items()
