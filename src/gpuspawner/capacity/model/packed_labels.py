"""Labels of pods that exist, kept as JSON: there are many, and few are ever asked for.

The JSON is always written by the same encoder. So a label is there exactly if its text is, after
the brace or a comma, and selectors need not read what they look at: a quotation mark within a text
stands behind a backslash, and after the one that ends a text there is no letter of a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec

from gpuspawner.capacity import wire
from gpuspawner.capacity.model.selecting import LabelSelector, Requirement, matches

NO_LABELS = b"{}"
_Test = Callable[[bytes], bool]


def pack(labels: Mapping[str, str]) -> bytes:
    """Labels as JSON."""
    return msgspec.json.encode(dict(labels))


@lru_cache(maxsize=4096)
def repack(raw: bytes) -> bytes:
    """Labels as JSON from whatever JSON they come as; the result is shared.

    Raises:
        MalformedObjectError: they are not labels.
    """
    return pack(wire.decode_map(raw))


@lru_cache(maxsize=1024)
def unpack(packed: bytes) -> Mapping[str, str]:
    """The labels."""
    return MappingProxyType(wire.decode_map(packed))


def packed_matcher(selector: LabelSelector | None) -> Callable[[bytes], bool]:
    """`matches` for packed labels."""
    if selector is None:
        return lambda _: False
    tests = [_test(expression) for expression in selector]
    if len(tests) == 1:
        return tests[0]
    return lambda packed: all(test(packed) for test in tests)


def _test(expression: Requirement) -> _Test:
    if not expression.key[:1].isalnum():
        # No label of the API server's, and its text might be found where it is none.
        return lambda packed: matches((expression,), unpack(packed))
    key = msgspec.json.encode(expression.key) + b":"
    match expression.operator:
        case "In":
            return _has_any([key + msgspec.json.encode(value) for value in expression.values])
        case "NotIn":
            return _not(_test(Requirement(expression.key, "In", expression.values)))
        case "Exists":
            return _has_any([key])
        case "DoesNotExist":
            return _not(_has_any([key]))
    return lambda _: False


def _has_any(parts: list[bytes]) -> _Test:
    first, later = tuple(b"{" + part for part in parts), [b"," + part for part in parts]
    if len(later) == 1:
        (only,) = later
        return lambda packed: only in packed or packed.startswith(first)
    return lambda packed: packed.startswith(first) or any(part in packed for part in later)


def _not(test: _Test) -> _Test:
    return lambda packed: not test(packed)
