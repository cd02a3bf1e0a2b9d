"""From the raw JSON of one resource into the index: what a watch calls for every object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.index import ClusterIndex, PodTable
from gpuspawner.capacity.model import Node, read_node, read_pod
from gpuspawner.errors import MalformedObjectError


class Stage(Protocol):
    """A full list in the making; nobody sees it before `commit`."""

    def add(self, raw: bytes) -> None:
        """Take in one object. Raises `MalformedObjectError`."""

    def commit(self) -> None:
        """Put the list in place of what the index held, in one step."""


class Feed(Protocol):
    """One resource of the API server and where its objects go."""

    @property
    def resource(self) -> str:
        """Its plural, as in RBAC."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """What selects the objects, for list and watch alike."""

    def stage(self) -> Stage:
        """Begin a full list."""

    def put(self, raw: bytes) -> None:
        """Take in an object that was added or modified. Raises `MalformedObjectError`."""

    def drop(self, raw: bytes) -> None:
        """Let go of an object. Raises `MalformedObjectError`."""


class NodeFeed:
    """All nodes."""

    resource = "nodes"
    parameters: Mapping[str, str] = MappingProxyType({})

    def __init__(self, index: ClusterIndex) -> None:
        self._index = index

    def stage(self) -> Stage:
        """See `Feed.stage`."""
        return _NodeStage(self._index)

    def put(self, raw: bytes) -> None:
        """See `Feed.put`."""
        self._index.put_node(read_node(raw))

    def drop(self, raw: bytes) -> None:
        """See `Feed.drop`."""
        metadata = _read_metadata(raw)
        self._index.drop_node(metadata.name or "", metadata.uid or "")


class PodFeed:
    """The pods of all namespaces that are not over, by the scheduler's own selector."""

    resource = "pods"
    parameters: Mapping[str, str] = MappingProxyType(
        {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
    )

    def __init__(self, index: ClusterIndex) -> None:
        self._index = index

    def stage(self) -> Stage:
        """See `Feed.stage`."""
        return _PodStage(self._index)

    def put(self, raw: bytes) -> None:
        """See `Feed.put`."""
        self._index.put_pod(read_pod(raw))

    def drop(self, raw: bytes) -> None:
        """See `Feed.drop`."""
        metadata = _read_metadata(raw)
        self._index.drop_pod(metadata.namespace or "", metadata.name or "", metadata.uid or "")


class _NodeStage:
    def __init__(self, index: ClusterIndex) -> None:
        self._index = index
        self._nodes: list[Node] = []

    def add(self, raw: bytes) -> None:
        self._nodes.append(read_node(raw))

    def commit(self) -> None:
        self._index.replace_nodes(self._nodes)


class _PodStage:
    def __init__(self, index: ClusterIndex) -> None:
        self._index = index
        self._pods = PodTable()

    def add(self, raw: bytes) -> None:
        self._pods.put(read_pod(raw))

    def commit(self) -> None:
        self._index.adopt_pods(self._pods)


def _read_metadata(raw: bytes) -> wire.Metadata:
    # An object that is gone needs no quantities that parse.
    try:
        return msgspec.json.decode(raw, type=wire.Bookmark).metadata
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedObjectError(f"an object without metadata: {error}") from error
