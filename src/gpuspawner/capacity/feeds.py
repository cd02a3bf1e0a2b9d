"""From the raw JSON of one resource to who keeps it: what a watch calls for every object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.intake import Identity, Intake, Table, Unreadable, identity, node_name_of
from gpuspawner.capacity.model import Node, Pod, ResizeRule, read_node, read_pod
from gpuspawner.errors import MalformedObjectError

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
NOTHING: Mapping[str, str] = MappingProxyType({})


class Stage(Protocol):
    """A full list in the making; nobody sees it before `commit`."""

    def add(self, raw: bytes) -> None:
        """Take in one object, in place of one of its name. Raises `MalformedObjectError`."""

    def drop(self, raw: bytes) -> None:
        """Let go of an object that went while it was listed. Raises `MalformedObjectError`."""

    def commit(self) -> None:
        """Put the list in place of what was held before, in one step."""


class Feed(Protocol):
    """One resource of the API server and where its objects go."""

    @property
    def resource(self) -> str:
        """Its plural, as in RBAC."""

    @property
    def path(self) -> str:
        """Where the API server has it, as `api_path` gives it."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """What selects the objects, for list and watch alike."""

    @property
    def optional(self) -> bool:
        """Whether a cluster may not have it, or not show it."""

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The objects that exist now and cannot be read."""

    def stage(self) -> Stage:
        """Begin a full list."""

    def put(self, raw: bytes) -> None:
        """Take in an object that was added or modified. Raises `MalformedObjectError`."""

    def drop(self, raw: bytes) -> None:
        """Let go of an object. Raises `MalformedObjectError`."""

    def forget(self) -> None:
        """Know nothing of an optional resource any more."""


class Sink(Protocol[T_contra]):
    """Who keeps the objects of an optional resource, of which nothing is known at first."""

    def replace(self, objects: Sequence[T_contra]) -> None:
        """Take a full list; whatever is not in it is gone."""

    def put(self, obj: T_contra) -> None:
        """Take in an object in place of whatever had its namespace and name."""

    def put_unreadable(self, namespace: str, name: str, uid: str) -> None:
        """Take note of an object that exists; what depends on it is unknown."""

    def drop(self, namespace: str, name: str, uid: str) -> None:
        """Let go of an object, unless another of the same name has its place."""

    def forget(self) -> None:
        """Know nothing of the resource any more, so that what depends on it is unknown."""


def api_path(group_version: str, resource: str, namespace: str = "") -> str:
    """Where the API server has a resource: ``api_path("storage.k8s.io/v1", "csinodes")``.

    Args:
        group_version: as in ``apiVersion``: ``v1``, ``resource.k8s.io/v1``.
        resource: its plural.
        namespace: the one to look at; by default all of them.
    """
    root = "apis" if "/" in group_version else "api"
    within = f"namespaces/{namespace}/" if namespace else ""
    return f"/{root}/{group_version}/{within}{resource}"


@dataclass(frozen=True, slots=True)
class _Staged(Generic[T]):
    """A `Stage` of what an intake reads."""

    intake: Intake[T]
    adopt: Callable[[Intake[T]], None]

    def add(self, raw: bytes) -> None:
        self.intake.put(raw)

    def drop(self, raw: bytes) -> None:
        self.intake.drop(raw)

    def commit(self) -> None:
        self.adopt(self.intake)


class _Feed(Generic[T]):
    """What the feeds have in common: `Feed` without `stage`."""

    optional = False

    def __init__(
        self, resource: str, path: str, parameters: Mapping[str, str], live: Intake[T]
    ) -> None:
        self.resource = resource
        self.path = path
        self.parameters = parameters
        self._live = live

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """See `Feed.unreadable`."""
        return tuple(self._live.unreadable.values())

    def put(self, raw: bytes) -> None:
        """See `Feed.put`."""
        self._live.put(raw)

    def drop(self, raw: bytes) -> None:
        """See `Feed.drop`."""
        self._live.drop(raw)

    def forget(self) -> None:
        """Nothing: of what must be watched the last state is kept, and its age is told."""


class NodeFeed(_Feed[Node]):
    """All nodes."""

    def __init__(self, index: ClusterIndex) -> None:
        live = _nodes(lambda _, node: index.put_node(node), lambda _, *node: index.drop_node(*node))
        super().__init__("nodes", api_path("v1", "nodes"), NOTHING, live)
        self._index = index

    def stage(self) -> Stage:
        """See `Feed.stage`."""
        table = Table[Node]()

        def adopt(intake: Intake[Node]) -> None:
            self._index.replace_nodes(table.objects())
            self._live.unreadable = intake.unreadable

        return _Staged(_nodes(table.put, table.drop), adopt)


class PodFeed(_Feed[Pod]):
    """The pods of all namespaces that are not over, by the scheduler's own selector."""

    def __init__(self, index: ClusterIndex) -> None:
        live = _pods(index, lambda _, pod: index.put_pod(pod), index.drop_pod)
        selector = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
        super().__init__("pods", api_path("v1", "pods"), selector, live)
        self._index = index

    def stage(self) -> Stage:
        """See `Feed.stage`."""
        table = self._index.pod_table()

        def adopt(intake: Intake[Pod]) -> None:
            self._index.adopt_pods(table)
            self._live.unreadable = intake.unreadable

        return _Staged(_pods(self._index, lambda _, pod: table.put(pod), table.drop), adopt)


class ObjectFeed(_Feed[T]):
    """Any resource that a cluster may have, and a sink for its objects.

    Args:
        resource: its plural, as in RBAC; `ClusterWatch.health_of` knows it by that.
        path: as `api_path` gives it.
        read: makes an object of raw JSON, or raises `MalformedObjectError`.
        sink: who keeps the objects.
        parameters: what selects the objects, such as a ``fieldSelector``.
    """

    optional = True

    def __init__(
        self,
        resource: str,
        path: str,
        read: Callable[[bytes], T],
        sink: Sink[T],
        parameters: Mapping[str, str] = NOTHING,
    ) -> None:
        live = Intake(resource, read, lambda _, obj: sink.put(obj), sink.drop)
        super().__init__(resource, path, parameters, live)
        self._read = read
        self._sink = sink

    def stage(self) -> Stage:
        """See `Feed.stage`."""
        table = Table[T]()

        def adopt(intake: Intake[T]) -> None:
            self._sink.replace(table.objects())
            self._live.unreadable = intake.unreadable
            for held in intake.unreadable.values():
                self._doubt((held.namespace, held.name, held.uid))

        return _Staged(Intake(self.resource, self._read, table.put, table.drop), adopt)

    def put(self, raw: bytes) -> None:
        """See `Feed.put`."""
        try:
            self._live.put(raw)
        except MalformedObjectError:
            self._doubt(identity(raw))
            raise

    def forget(self) -> None:
        """See `Feed.forget`."""
        self._live.unreadable = {}
        self._sink.forget()

    def _doubt(self, held: Identity) -> None:
        if held[1]:
            self._sink.put_unreadable(*held)


def _nodes(
    put: Callable[[bytes, Node], object], drop: Callable[[str, str, str], object]
) -> Intake[Node]:
    return Intake("nodes", read_node, put, drop, lambda outline: outline.metadata.name)


def _pods(
    index: ClusterIndex,
    put: Callable[[bytes, Pod], object],
    drop: Callable[[str, str, str], object],
) -> Intake[Pod]:
    def read(raw: bytes) -> Pod:
        return read_pod(raw, ResizeRule.of(index.objects.version))

    return Intake("pods", read, put, drop, node_name_of)
