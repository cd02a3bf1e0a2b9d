"""JSON merge patch, strategic merge patch and JSON patch, without changing their arguments.

The results share what a patch leaves alone with the original, so a small patch of a large object
is cheap and nothing stored is ever written to.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import Object, copy_json
from gpuspawner.simcluster.apimachinery.status import ApiError, bad_request


class PatchKind(Enum):
    """The kinds of patch, by content type."""

    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    JSON = "application/json-patch+json"


def apply_patch(obj: Object, patch: Any, kind: PatchKind) -> Object:
    """Return `obj` with a patch applied.

    Raises:
        ApiError: 400 when the patch has the wrong shape, 422 when a JSON patch does not apply.
    """
    if kind is PatchKind.JSON:
        if not isinstance(patch, list):
            raise bad_request("a JSON patch is a list of operations")
        result: Any = obj
        for operation in patch:
            result = _operate(result, operation)
    else:
        if not isinstance(patch, dict):
            raise bad_request("a merge patch is an object")
        merge = merge_patch if kind is PatchKind.MERGE else strategic_patch
        result = merge(obj, patch)
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise bad_request("the patch leaves no object with metadata")
    return result


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy_json(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "addresses": ("type",),
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "ports": ("containerPort", "port"),
    "secrets": ("name",),
    "taints": ("key",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""The `patchMergeKey` of the lists in the API types that the simulation serves."""
_MERGED_SETS = frozenset({"finalizers"})
_DELETE = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def strategic_patch(target: Any, patch: Object) -> Object:
    """Apply a strategic merge patch: a merge patch whose lists merge by key where types say so."""
    if patch.get("$patch") == "replace":
        return {key: copy_json(value) for key, value in patch.items() if key != "$patch"}
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            result[name] = [item for item in result.get(name) or [] if item not in value]
        elif value is None or value == {"$patch": "delete"}:
            result.pop(key, None)
        elif not key.startswith("$"):
            result[key] = _strategic_value(key, result.get(key), value)
    return result


def _strategic_value(key: str, old: Any, new: Any) -> Any:
    if isinstance(new, dict):
        return strategic_patch(old, new)
    if isinstance(new, list) and isinstance(old, list):
        if key in _MERGED_SETS:
            return [*old, *(item for item in new if item not in old)]
        if key in _MERGE_KEYS:
            return _merge_list(_MERGE_KEYS[key], old, new)
    if isinstance(new, list):
        return [copy_json(item) for item in new if not _is_directive(item)]
    return new


def _is_directive(item: Any) -> bool:
    return isinstance(item, dict) and "$patch" in item


def _merge_list(merge_keys: tuple[str, ...], old: list[Any], new: list[Any]) -> list[Any]:
    if any(_is_directive(item) and item["$patch"] == "replace" for item in new):
        return [copy_json(item) for item in new if not _is_directive(item)]
    result = list(old)
    for item in new:
        name = next((key for key in merge_keys if key in item), None)
        if name is None:
            raise bad_request(f"map: {item!r} does not contain declared merge key: {merge_keys[0]}")
        at = next((i for i, have in enumerate(result) if have.get(name) == item[name]), None)
        if item.get("$patch") == "delete":
            result = [have for have in result if have.get(name) != item[name]]
        elif at is None:
            result.append(strategic_patch({}, item))
        else:
            result[at] = strategic_patch(result[at], item)
    return result


def _operate(document: Any, operation: Any) -> Any:
    """Apply one operation of a JSON patch (RFC 6902)."""
    try:
        kind, path = operation["op"], _pointer(operation["path"])
        match kind:
            case "add":
                return _edit(document, path, copy_json(operation["value"]), insert=True)
            case "replace":
                return _edit(document, path, copy_json(operation["value"]), insert=False)
            case "remove":
                return _remove(document, path)
            case "copy":
                value = _lookup(document, _pointer(operation["from"]))
                return _edit(document, path, value, insert=True)
            case "move":
                source = _pointer(operation["from"])
                value = _lookup(document, source)
                return _edit(_remove(document, source), path, value, insert=True)
            case "test":
                if _lookup(document, path) == operation["value"]:
                    return document
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _unprocessable(f"{operation!r}: {error!r}") from error
    raise _unprocessable(f"{operation!r}: the test failed or the operation is unknown")


def _unprocessable(why: str) -> ApiError:
    message = f"the server rejected our request due to an error in our request: {why}"
    return ApiError(422, "Invalid", message)


def _pointer(path: str) -> list[str]:
    if not path:
        return []
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _index(items: list[Any], part: str, *, end: bool) -> int:
    if part == "-" and end:
        return len(items)
    index = int(part)
    if not 0 <= index < len(items) + end:
        raise IndexError(part)
    return index


def _lookup(node: Any, path: list[str]) -> Any:
    for part in path:
        node = node[_index(node, part, end=False)] if isinstance(node, list) else node[part]
    return node


def _edit(node: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    head, *rest = path
    if isinstance(node, list):
        items = list(node)
        at = _index(items, head, end=insert and not rest)
        if rest:
            items[at] = _edit(items[at], rest, value, insert=insert)
        else:
            items[at : at if insert else at + 1] = [value]
        return items
    if rest:
        return {**node, head: _edit(node[head], rest, value, insert=insert)}
    if not insert and head not in node:
        raise KeyError(head)
    return {**node, head: value}


def _remove(node: Any, path: list[str]) -> Any:
    head, *rest = path
    if rest:
        inner = node[_index(node, head, end=False)] if isinstance(node, list) else node[head]
        return _edit(node, [head], _remove(inner, rest), insert=False)
    if isinstance(node, list):
        at = _index(node, head, end=False)
        return [*node[:at], *node[at + 1 :]]
    if head not in node:
        raise KeyError(head)
    return {key: value for key, value in node.items() if key != head}
