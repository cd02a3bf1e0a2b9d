"""What a cluster has of what catalogs can name: asked, or as it was written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.capacity.kinds import CLASSES, KINDS, Kind
from gpuspawner.capacity.model import Node, read_node
from gpuspawner.capacity.taking import Lister, RefusedError
from gpuspawner.capacity.transport import Transport, TransportError
from gpuspawner.catalog import Existing, KnownNode
from gpuspawner.catalog.against_cluster import (
    CLAIMS,
    DEVICE_CLASSES,
    GROUPS,
    NODES,
    PRIORITY_CLASSES,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
)
from gpuspawner.errors import MalformedObjectError
from gpuspawner.recording import Recorded

_BY_KIND = {kind.name: kind for kind in (*KINDS, *CLASSES)}
_ASKED = {
    RUNTIME_CLASSES: "RuntimeClass",
    PRIORITY_CLASSES: "PriorityClass",
    STORAGE_CLASSES: "StorageClass",
    CLAIMS: "PersistentVolumeClaim",
    DEVICE_CLASSES: "DeviceClass",
    GROUPS: "ConfigMap",
}
_FORBIDDEN, _NOT_FOUND = 403, 404
_NO_STATUS = "cluster-autoscaler writes no status here that could be read"


async def ask(transport: Transport, namespace: str) -> Existing:
    """What the cluster has now.

    Args:
        transport: the way to it.
        namespace: of the servers.
    """
    asking = _Asking(Lister(transport, lambda _: None), {})
    nodes = await asking.nodes()
    names: dict[str, Collection[str] | None] = {}
    for what, name in _ASKED.items():
        found = await asking.objects(what, _BY_KIND[name], namespace)
        names[what] = None if found is None else _names(what, found)
    return _existing(nodes, names, asking.why, namespace)


def recorded_existing(recorded: Recorded, namespace: str) -> Existing:
    """What the cluster had when it was written down."""
    objects, classes = recorded.snapshot.objects, recorded.classes
    in_namespace = None
    if recorded.names_kept and objects.claims is not None:
        in_namespace = [claim for (where, _), claim in objects.claims.items() if where == namespace]
    found: dict[str, Iterable[Any] | None] = {
        RUNTIME_CLASSES: _values(classes.runtime),
        PRIORITY_CLASSES: _values(classes.priority),
        STORAGE_CLASSES: None
        if objects.storage_classes is None
        else objects.storage_classes.values(),
        CLAIMS: in_namespace,
        DEVICE_CLASSES: _values(objects.device_classes),
        GROUPS: _values(objects.autoscaler),
    }
    why = dict.fromkeys((NODES, *found), "the recording does not say")
    if not recorded.names_kept:
        why[CLAIMS] = "names were replaced in the recording"
    names: dict[str, Collection[str] | None] = {
        what: None if one is None else _names(what, one) for what, one in found.items()
    }
    nodes = None
    if not recorded.hides_a_node:
        nodes = [_known(state.node) for state in recorded.snapshot.nodes.values()]
    return _existing(nodes, names, why, namespace)


def _values(table: Mapping[Any, Any] | None) -> Iterable[Any] | None:
    return None if table is None else table.values()


@dataclass(frozen=True, slots=True)
class _Asking:
    lister: Lister
    why: dict[str, str]

    async def nodes(self) -> list[KnownNode] | None:
        try:
            return [_known(read_node(raw)) for raw in await self.lister.items("/api/v1/nodes")]
        except RefusedError as refused:
            self.why[NODES] = _refusal(refused, "nodes")
        except (MalformedObjectError, TransportError) as error:
            self.why[NODES] = str(error)
        return None

    async def objects(self, what: str, kind: Kind, namespace: str) -> list[Any] | None:
        try:
            raws = await self.lister.items(kind.path(namespace), kind.parameters)
            return [kind.read(raw) for raw in raws]
        except RefusedError as refused:
            # A group that is not served has no objects.
            if refused.status == _NOT_FOUND and kind.group:
                return []
            self.why[what] = _refusal(refused, kind.plural)
        except (MalformedObjectError, TransportError) as error:
            self.why[what] = str(error)
        return None


def _refusal(refused: RefusedError, plural: str) -> str:
    if refused.status == _FORBIDDEN:
        return f"the account may not list {plural}"
    return f"listing {plural} was answered with HTTP {refused.status}"


def _existing(
    nodes: list[KnownNode] | None,
    names: dict[str, Collection[str] | None],
    why: dict[str, str],
    namespace: str,
) -> Existing:
    if names[GROUPS] is not None and not names[GROUPS]:
        # Not every autoscaler writes one; that a group is not in it says nothing then.
        names, why = {**names, GROUPS: None}, {**why, GROUPS: _NO_STATUS}
    return Existing(nodes, names, why, namespace)


def _names(what: str, objects: Iterable[Any]) -> set[str]:
    if what == DEVICE_CLASSES:
        return {one.extended_resource for one in objects if one.extended_resource}
    if what == GROUPS:
        return {group for status in objects for group in status.groups}
    return {one.name for one in objects}


def _known(node: Node) -> KnownNode:
    return KnownNode(
        node.name,
        node.labels,
        frozenset(name for name, amount in node.allocatable.items() if amount > 0),
        frozenset(name for name, amount in node.capacity.items() if amount > 0),
    )
