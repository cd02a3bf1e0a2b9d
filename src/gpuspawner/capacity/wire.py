"""The shapes in which the API server sends what `gpuspawner.capacity.model` reads.

Every field that Kubernetes may leave out or send as null is optional; unknown fields are skipped
without being decoded. Names are the API's own, in Python's spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from gpuspawner.errors import MalformedObjectError

Quantities = dict[str, str | int | float]
T = TypeVar("T", bound=msgspec.Struct)
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def decode(obj: bytes | Mapping[str, Any], kind: type[T]) -> T:
    """An API object of a kind, from its JSON as text or as plain objects.

    Raises:
        MalformedObjectError: it is not of that kind.
    """
    try:
        if not isinstance(obj, bytes):
            return msgspec.convert(obj, type=kind)
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        return cast("T", decoder.decode(obj))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedObjectError(f"not a {kind.__name__}: {error}") from error


class Wire(msgspec.Struct, rename="camel"):
    """A part of an API object."""


class Metadata(Wire):
    """ObjectMeta less its annotations and managed fields, often the larger part of an object."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    resource_version: str | None = None


class Taint(Wire):
    """core/v1 Taint."""

    key: str
    value: str | None = None
    effect: str | None = None


class NodeSpec(Wire):
    """core/v1 NodeSpec."""

    taints: list[Taint] | None = None
    unschedulable: bool | None = None


class NodeStatus(Wire):
    """core/v1 NodeStatus."""

    allocatable: Quantities | None = None
    capacity: Quantities | None = None


class Node(Wire):
    """core/v1 Node."""

    metadata: Metadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Resources(Wire):
    """core/v1 ResourceRequirements."""

    requests: Quantities | None = None
    limits: Quantities | None = None


class Port(Wire):
    """core/v1 ContainerPort."""

    host_port: int | None = None
    container_port: int | None = None


class Container(Wire):
    """core/v1 Container."""

    resources: Resources | None = None
    restart_policy: str | None = None
    ports: list[Port] | None = None


class Toleration(Wire):
    """core/v1 Toleration."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class Requirement(Wire):
    """core/v1 NodeSelectorRequirement."""

    key: str
    operator: str
    values: list[str] | None = None


class Term(Wire):
    """core/v1 NodeSelectorTerm."""

    match_expressions: list[Requirement] | None = None
    match_fields: list[Requirement] | None = None


class Selector(Wire):
    """core/v1 NodeSelector."""

    node_selector_terms: list[Term] | None = None


class NodeAffinity(msgspec.Struct):
    """core/v1 NodeAffinity, its required half."""

    required: Selector | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class PodAffinity(msgspec.Struct):
    """core/v1 PodAffinity or PodAntiAffinity, only whether it requires something."""

    required: list[Any] | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Wire):
    """core/v1 Affinity."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Spread(Wire):
    """core/v1 TopologySpreadConstraint, only whether it is binding."""

    when_unsatisfiable: str | None = None


class PodSpec(Wire):
    """core/v1 PodSpec."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    resources: Resources | None = None
    overhead: Quantities | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    priority: int | None = None
    scheduler_name: str | None = None
    host_network: bool | None = None
    topology_spread_constraints: list[Spread] | None = None
    resource_claims: list[Any] | None = None
    scheduling_gates: list[Any] | None = None


class PodStatus(Wire):
    """core/v1 PodStatus."""

    phase: str | None = None


class Pod(Wire):
    """core/v1 Pod."""

    metadata: Metadata
    spec: PodSpec
    status: PodStatus | None = None


class ListMetadata(Wire):
    """ListMeta; ``continue`` is a word of Python's."""

    resource_version: str | None = None
    continue_token: str | None = msgspec.field(default=None, name="continue")


class ObjectList(Wire):
    """One page of a list; the items stay raw, so that one bad item spoils only itself."""

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None


class WatchEvent(Wire):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class BookmarkMetadata(Metadata):
    """The metadata of a bookmark, whose annotations mean something."""

    annotations: dict[str, str] | None = None


class Bookmark(Wire):
    """An object of which only the metadata matters."""

    metadata: BookmarkMetadata


class Status(Wire):
    """meta/v1 Status: what an ERROR event carries."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
