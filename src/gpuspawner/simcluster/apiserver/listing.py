"""Lists: pages, snapshots and the meaning of `resourceVersion` and `resourceVersionMatch`.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import ResourceType
from gpuspawner.simcluster.apimachinery.selectors import make_selector
from gpuspawner.simcluster.apimachinery.status import (
    ApiError,
    bad_request,
    expired,
    invalid,
    too_large,
)
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo
from gpuspawner.simcluster.storage.owners import Key
from gpuspawner.simcluster.storage.store import Store, parse_version

ANY_VERSION = ("", "0")
_MATCHES = ("", "Exact", "NotOlderThan")
_CONTINUE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You must "
    "start a new list without the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Args:
        objects: the objects in order, as they are stored.
        revision: the version of the whole list.
        continue_token: what asks for the next page; empty on the last one.
        remaining: how many objects follow; None when it is not known.
    """

    objects: list[Object]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        """Return the list's `metadata`."""
        meta: Object = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            meta["continue"] = self.continue_token
            if self.remaining is not None:
                meta["remainingItemCount"] = self.remaining
        return meta


def options_error(field: str, message: str) -> ApiError:
    """Return the error for list or watch options that contradict each other (422)."""
    cause = (field, "FieldValueForbidden", f"Forbidden: {message}")
    return invalid("ListOptions.meta.k8s.io", "", cause)


def read_page(store: Store, request: RequestInfo, resource: ResourceType) -> Page:
    """Return the page that a list request asks for.

    Raises:
        ApiError: 400 and 422 for options that cannot be read or contradict each other, 410 when
            the wanted version was compacted away, 504 when it lies in the future.
    """
    query = request.query
    selects = make_selector(
        resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    limit = read_number(query, "limit") or 0
    _check_match(query)
    revision, after = _start(store, query, limit)
    selected = [
        (key, obj)
        for key, obj in store.snapshot(resource, revision).items()
        if (not request.namespace or key[0] == request.namespace)
        and (after is None or key > after)
        and selects(obj)
    ]
    at = store.revision if revision is None else revision
    page = selected[:limit] if limit else selected
    rest = len(selected) - len(page)
    objects = [obj for _, obj in page]
    if not rest:
        return Page(objects, at)
    counted = not query.get("labelSelector") and not query.get("fieldSelector")
    return Page(objects, at, _write_token(at, page[-1][0]), rest if counted else None)


def read_number(query: Mapping[str, str], name: str) -> int | None:
    """Read a whole number from the query; None when it is not there, ApiError 400 for garbage."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'{name}: "{text}" is not a whole number') from None


def _check_match(query: Mapping[str, str]) -> None:
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    field = "resourceVersionMatch"
    if match not in _MATCHES:
        raise options_error(field, f'"{match}" is not one of Exact, NotOlderThan')
    if match and not version:
        raise options_error(field, f"{field} is forbidden unless resourceVersion is provided")
    if match and query.get("continue"):
        raise options_error(field, f"{field} is forbidden when continue is provided")
    if match == "Exact" and version == "0":
        raise options_error(field, f'{field} "Exact" is forbidden for resourceVersion "0"')
    if "sendInitialEvents" in query:
        raise options_error("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _start(store: Store, query: Mapping[str, str], limit: int) -> tuple[int | None, Key | None]:
    """Return the version to list (None for the newest) and the key after which a page begins."""
    version, token = query.get("resourceVersion", ""), query.get("continue", "")
    if token:
        if version not in ANY_VERSION:
            raise bad_request("specifying resource version is not allowed when using continue")
        return _read_token(store, token)
    if version in ANY_VERSION:
        return None, None
    revision = parse_version(version)
    if revision > store.revision:
        raise too_large(revision, store.revision)
    # A limited list from a version without a match is exact, for clients older than the match.
    exact = query.get("resourceVersionMatch") == "Exact" or (
        limit > 0 and not query.get("resourceVersionMatch")
    )
    return (revision if exact else None), None


def _write_token(revision: int, key: Key) -> str:
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key})
    return base64.urlsafe_b64encode(token.encode()).decode()


def _read_token(store: Store, token: str) -> tuple[int, Key]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token.encode()))
        revision, (namespace, name) = int(read["rv"]), read["start"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request(f"continue key is not valid: {error}") from error
    if revision > store.revision:
        raise expired(_CONTINUE_TOO_OLD)
    return revision, (str(namespace), str(name))


def read_list(store: Store, request: RequestInfo, resource: ResourceType) -> Page:
    """Return a page as `read_page` does, with the words of an expired `continue` token."""
    try:
        return read_page(store, request, resource)
    except ApiError as error:
        if error.reason == "Expired" and request.query.get("continue"):
            raise expired(_CONTINUE_TOO_OLD) from error
        raise


def list_object(resource: ResourceType, page: Page) -> Object:
    """Return a page as a typed list; its items leave out `kind` and `apiVersion`."""
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": page.metadata(),
        "items": [
            {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
            for obj in page.objects
        ],
    }
