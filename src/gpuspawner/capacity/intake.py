"""Reading the raw objects of one resource, those that cannot be read among them.

An object that exists but cannot be read is no reason to stop, and none to forget that it exists:
what it holds is unknown, and unknown is not free. Its identity is kept until it can be read, is
gone, or a full list no longer has it. What has not even a name is no object of the API server's,
and is only counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.errors import MalformedObjectError

T = TypeVar("T")
Identity = tuple[str, str, str]
"""Namespace, name and uid."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that exists and of which only this could be read.

    Attributes:
        node: the node whose state it makes unknown; None if that cannot be told either.
    """

    resource: str
    namespace: str
    name: str
    uid: str
    node: str | None = None


class _Name(wire.Wire):
    """The part of ObjectMeta that tells an object from others."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None


class Outline(wire.Wire):
    """What is needed of an object that is gone, or cannot be read."""

    metadata: _Name
    spec: msgspec.Raw = msgspec.Raw()


class _Place(wire.Wire):
    """The part of PodSpec that says which node a pod is bound to."""

    node_name: str | None = None


class Intake(Generic[T]):
    """Reads raw objects for whoever keeps them, and notes those that cannot be read.

    Args:
        put: takes an object, raw and read.
        drop: lets go of the object with a namespace, a name and a uid.
        locate: the node that an unreadable object makes unknown.

    Attributes:
        unreadable: what exists now and cannot be read, by namespace and name.
    """

    def __init__(
        self,
        resource: str,
        read: Callable[[bytes], T],
        put: Callable[[bytes, T], object],
        drop: Callable[[str, str, str], object],
        locate: Callable[[Outline], str | None] = lambda _: None,
    ) -> None:
        self.unreadable: dict[tuple[str, str], Unreadable] = {}
        self._resource = resource
        self._read = read
        self._put = put
        self._drop = drop
        self._locate = locate

    def put(self, raw: bytes) -> None:
        """Take in an object that exists. Raises `MalformedObjectError`."""
        try:
            obj = self._read(raw)
        except MalformedObjectError:
            self._note(raw)
            raise
        if self.unreadable:
            namespace, name, _ = identity(raw)
            self.unreadable.pop((namespace, name), None)
        self._put(raw, obj)

    def drop(self, raw: bytes) -> None:
        """Let go of an object. Raises `MalformedObjectError`."""
        namespace, name, uid = identity(raw)
        held = self.unreadable.get((namespace, name))
        if held is not None and held.uid == uid:
            del self.unreadable[namespace, name]
        self._drop(namespace, name, uid)

    def _note(self, raw: bytes) -> None:
        outline = wire.decode(raw, Outline)
        namespace, name, uid = identity_of(outline)
        if name:
            self.unreadable[namespace, name] = Unreadable(
                self._resource, namespace, name, uid, self._locate(outline)
            )


class Table(Generic[T]):
    """The objects of a full list in the making, by namespace and name."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[str, T]] = {}

    def put(self, raw: bytes, obj: T) -> None:
        """Take in an object in place of one of its name."""
        namespace, name, uid = identity(raw)
        self._held[namespace, name] = (uid, obj)

    def drop(self, namespace: str, name: str, uid: str) -> None:
        """Let go of an object, unless another of the same name has its place."""
        held = self._held.get((namespace, name))
        if held is not None and held[0] == uid:
            del self._held[namespace, name]

    def objects(self) -> list[T]:
        """What is in the list."""
        return [obj for _, obj in self._held.values()]


def identity(raw: bytes) -> Identity:
    """Which object it is, if the rest of it cannot be read. Raises `MalformedObjectError`."""
    return identity_of(wire.decode(raw, Outline))


def identity_of(outline: Outline) -> Identity:
    """Which object it is; what it leaves out is empty."""
    metadata = outline.metadata
    return metadata.namespace or "", metadata.name or "", metadata.uid or ""


def node_name_of(outline: Outline) -> str | None:
    """The node that a pod is bound to; None for none, or if that cannot be read either."""
    try:
        return wire.decode(bytes(outline.spec), _Place).node_name
    except MalformedObjectError:
        return None
