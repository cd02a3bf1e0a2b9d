"""The framing of what the API server sends: pages of a list and lines of a watch.

Objects inside stay raw JSON, so that one malformed object spoils only itself; they are read by
`gpuspawner.capacity.model`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.capacity import wire

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""The annotation of the BOOKMARK that ends a list which came as a stream."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list.

    Attributes:
        items: the raw JSON of each object.
        resource_version: opaque; where a watch may begin after the last page.
        continue_token: opaque; empty on the last page.
    """

    items: tuple[bytes, ...]
    resource_version: str
    continue_token: str


@dataclass(frozen=True, slots=True)
class WatchLine:
    """One event of a watch.

    Attributes:
        type: ADDED, MODIFIED, DELETED, BOOKMARK, ERROR, or a word this version does not know.
        object: the raw JSON of the object.
        resource_version: of the object; empty for an ERROR.
        ends_list: whether it is the BOOKMARK after the last object of a list as a stream.
        code: the HTTP status an ERROR carries; None for all else, or if it carries none.
        message: the words of an ERROR.
    """

    type: str
    object: bytes
    resource_version: str = ""
    ends_list: bool = False
    code: int | None = None
    message: str = ""


def read_list_page(raw: bytes) -> ListPage:
    """One page of a list.

    Raises:
        MalformedObjectError: it is not a list.
    """
    page = wire.decode(raw, wire.ObjectList)
    return ListPage(
        items=tuple(bytes(item) for item in page.items or ()),
        resource_version=page.metadata.resource_version or "",
        continue_token=page.metadata.continue_token or "",
    )


def read_watch_line(raw: bytes) -> WatchLine:
    """One line of a watch.

    Raises:
        MalformedObjectError: it is not an event, or its object has no metadata.
    """
    event = wire.decode(raw, wire.WatchEvent)
    obj = bytes(event.object)
    if event.type == "ERROR":
        status = wire.decode(obj, wire.Status)
        return WatchLine(event.type, obj, code=status.code, message=status.message or "")
    metadata = wire.decode(obj, _Versioned).metadata
    version = metadata.resource_version or ""
    if event.type != "BOOKMARK":
        return WatchLine(event.type, obj, version)
    annotations = wire.decode(obj, _Bookmark).metadata.annotations or {}
    return WatchLine(
        event.type, obj, version, ends_list=annotations.get(INITIAL_EVENTS_END) == "true"
    )


_ADDED = b'{"type":"ADDED","object":'
_END = b"}"


def added_object(raw: bytes) -> bytes | None:
    """The object of an ADDED event, cut out of the line instead of parsed; None if it cannot be.

    It saves a list of many large objects two of three passes. If what is cut out is an object,
    the line was an event; if not, `read_watch_line` has to say what is wrong.
    """
    if raw.startswith(_ADDED) and raw.endswith(_END):
        return raw[len(_ADDED) : -len(_END)]
    return None


class _Version(wire.Wire):
    """The part of ObjectMeta that says where a watch can go on; all else may be malformed."""

    resource_version: str | None = None


class _Versioned(wire.Wire):
    metadata: _Version


class _Annotations(wire.Wire):
    annotations: dict[str, str] | None = None


class _Bookmark(wire.Wire):
    metadata: _Annotations
