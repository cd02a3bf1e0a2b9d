"""How an API object is decoded, and the parts that are in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from gpuspawner.errors import MalformedObjectError

Quantities = dict[str, str | int | float]
T = TypeVar("T", bound=msgspec.Struct)
NULL = msgspec.Raw(b"null")
_TEXTS: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def decode(obj: bytes | Mapping[str, Any], kind: type[T]) -> T:
    """An API object of a kind, from its JSON as text or as plain objects.

    Raises:
        MalformedObjectError: it is not of that kind.
    """
    try:
        if not isinstance(obj, bytes):
            # Not `msgspec.convert`: it cannot leave a part raw.
            obj = msgspec.json.encode(obj)
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        return cast("T", decoder.decode(obj))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not a {kind.__name__}: {error}") from error


def decode_map(raw: bytes) -> dict[str, str]:
    """A JSON object of texts, such as labels.

    Raises:
        MalformedObjectError: it is not one.
    """
    try:
        return _TEXTS.decode(raw) or {}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedObjectError(f"not an object of texts: {error}") from error


class Wire(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of an API object."""


class Present(Wire):
    """Something of which only matters that it is there."""


class Metadata(Wire):
    """ObjectMeta less its annotations and managed fields, often the larger part of an object."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    resource_version: str | None = None
