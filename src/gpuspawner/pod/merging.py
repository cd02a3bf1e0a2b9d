"""How KubeSpawner's settings are added to.

A setting that Kubernetes has as a list may be a list or, as the Zero to JupyterHub chart writes
it, a mapping whose values are the items in the order of their keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Items = list[Any] | Mapping[str, Any] | None
_TERM_KEYS = ("matchExpressions", "matchFields")
_PLAIN = (str, int, float)
"""What most of a configuration is, and seen sooner than that it is no mapping."""
_SNAKE = re.compile(r"_([a-z])")


def copied(value: Any) -> Any:
    """A value whose mappings and lists are new at every depth; what they hold stays the same.

    A hub's configuration may hold callables and clients, which ``deepcopy`` cannot copy.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def items_of(value: Items) -> list[Any]:
    """The items of a list setting, in the order in which KubeSpawner uses them."""
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    return list(value or ())


def with_item(value: Items, key: str, item: object) -> list[Any] | dict[str, Any]:
    """The setting with one item more, in the shape it had; `key` is used if that is a mapping.

    Nothing is lost if the mapping has the key already: the item gets a longer one.
    """
    if isinstance(value, Mapping):
        while key in value:
            key += "-"
        return {**value, key: item}
    return [*(value or ()), item]


def override(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Change `target` in place as KubeSpawner's ``kubespawner_override`` does.

    Mappings are merged and a None in one deletes its key; everything else is replaced.
    """
    for name, value in copied(changes).items():
        if isinstance(value, Mapping) and isinstance(target.get(name), Mapping):
            target[name] = merged(target[name], value)
        else:
            target[name] = value


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` merged into it at every depth; a None deletes its key."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def camel_keys(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a pod with its own keys spelled as the API does; KubeSpawner takes both."""
    return {_SNAKE.sub(lambda m: m[1].upper(), key): value for key, value in part.items()}


def both_terms(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The node selector term that a node matches if it matches both.

    Terms of one selector are alternatives; the expressions inside a term must all hold. A term
    without any matches nothing.
    """
    if not any(map(one.get, _TERM_KEYS)) or not any(map(other.get, _TERM_KEYS)):
        return {}
    return {
        key: [*(one.get(key) or ()), *(other.get(key) or ())]
        for key in _TERM_KEYS
        if one.get(key) or other.get(key)
    }
