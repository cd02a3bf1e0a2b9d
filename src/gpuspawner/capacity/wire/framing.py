"""What objects come in: lists, the lines of a watch, and the Status of an error."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.wire.base import Wire


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


class Status(Wire):
    """meta/v1 Status: what an ERROR event carries."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
