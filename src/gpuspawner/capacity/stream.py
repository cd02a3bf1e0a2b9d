"""The framing of what the API server sends: pages of a list and lines of a watch.

Objects inside stay raw JSON, so that one malformed object spoils only itself; they are read by
`gpuspawner.capacity.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpuspawner.capacity import wire


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
        annotations: of a BOOKMARK; empty for all else.
        code: the HTTP status an ERROR carries; None for all else, or if it carries none.
        message: the words of an ERROR.
    """

    type: str
    object: bytes
    resource_version: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
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
    metadata = wire.decode(obj, wire.Bookmark).metadata
    is_bookmark = event.type == "BOOKMARK"
    return WatchLine(
        event.type,
        obj,
        resource_version=metadata.resource_version or "",
        annotations=(metadata.annotations or {}) if is_bookmark else {},
    )
