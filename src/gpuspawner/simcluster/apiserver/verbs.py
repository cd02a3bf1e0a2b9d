"""What each verb does to the store: the synchronous middle of the API server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from gpuspawner.simcluster.apimachinery import status
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import (
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    RESOURCEQUOTAS,
    SERVICEACCOUNTS,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.status import ApiError, bad_request
from gpuspawner.simcluster.apiserver.listing import list_object, read_list, read_number
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo
from gpuspawner.simcluster.storage.lifecycle import Preconditions
from gpuspawner.simcluster.storage.store import Store

_CREATED = 201
_ANSWERED_WITH_OBJECT = frozenset(
    {PODS, PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, SERVICEACCOUNTS, RESOURCEQUOTAS}
)
"""Resources whose deletion is answered with the last state of the object."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: its JSON value (None when empty) and its content type."""

    value: Any
    content_type: str

    def object(self) -> Object:
        """Return the value; ApiError 400 when it is not an object."""
        if not isinstance(self.value, dict):
            raise bad_request("the request's body is not a JSON object")
        return self.value


Result: TypeAlias = tuple[int, Object]
"""The HTTP status and the body of an answer."""
Verb: TypeAlias = Callable[[Store, RequestInfo, ResourceType, Body], Result]


def perform(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    """Carry out a request other than a watch or a log.

    Raises:
        ApiError: what the store raises; 404 and 405 for what is not served.
    """
    if request.subresource and request.subresource not in resource.subresources:
        raise status.unknown_path()
    if request.subresource in _ACTIONS:
        if request.verb != "create":
            raise status.method_not_allowed()
        return _ACTIONS[request.subresource](store, request, resource, body)
    verb = _VERBS.get(request.verb)
    collection = request.verb in ("list", "create", "deletecollection")
    if verb is None or collection is bool(request.name):
        raise status.method_not_allowed()
    if request.subresource and request.verb not in ("get", "update", "patch"):
        raise status.method_not_allowed()
    return verb(store, request, resource, body)


def _dry_run(request: RequestInfo, options: Object | None = None) -> bool:
    asked = request.query.get("dryRun") or ",".join((options or {}).get("dryRun") or [])
    if asked not in ("", "All"):
        words = f'Unsupported value: "{asked}": supported values: "All"'
        raise status.invalid("Options", "", ("dryRun", "FieldValueNotSupported", words))
    return asked == "All"


def _get(store: Store, request: RequestInfo, resource: ResourceType, _: Body) -> Result:
    return 200, store.get(resource, request.namespace, request.name)


def _list(store: Store, request: RequestInfo, resource: ResourceType, _: Body) -> Result:
    return 200, list_object(resource, read_list(store, request, resource))


def _create(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    dry_run = _dry_run(request)
    made = store.create(resource, request.namespace, body.object(), dry_run=dry_run)
    return _CREATED, made


def _update(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    return 200, store.replace(
        resource,
        request.namespace,
        request.name,
        body.object(),
        subresource=request.subresource or None,
        dry_run=_dry_run(request),
    )


def _patch(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    try:
        kind = PatchKind(body.content_type)
    except ValueError:
        served = ", ".join(item.value for item in PatchKind)
        words = "the body of the request was in an unknown format - accepted media types include: "
        raise ApiError(415, "UnsupportedMediaType", words + served) from None
    return 200, store.patch(
        resource,
        request.namespace,
        request.name,
        body.value,
        kind=kind,
        subresource=request.subresource or None,
        dry_run=_dry_run(request),
    )


def _delete_with(
    store: Store, resource: ResourceType, place: tuple[str, str], request: RequestInfo, body: Body
) -> Object:
    options: Object = body.value if isinstance(body.value, dict) else {}
    grace = options.get("gracePeriodSeconds")
    wanted = options.get("preconditions") or {}
    return store.delete(
        resource,
        *place,
        grace_seconds=read_number(request.query, "gracePeriodSeconds") if grace is None else grace,
        preconditions=Preconditions(wanted.get("uid"), wanted.get("resourceVersion")),
        propagation=options.get("propagationPolicy") or request.query.get("propagationPolicy"),
        dry_run=_dry_run(request, options),
    )


def _delete(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    place = (request.namespace, request.name)
    last = _delete_with(store, resource, place, request, body)
    waits = "deletionTimestamp" in last["metadata"] and store.contains(resource, *place)
    if waits or resource in _ANSWERED_WITH_OBJECT:
        return 200, last
    return 200, status.success(resource, request.name, last["metadata"]["uid"])


def _delete_collection(
    store: Store, request: RequestInfo, resource: ResourceType, body: Body
) -> Result:
    page = read_list(store, request, resource)
    for obj in page.objects:
        place = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        _delete_with(store, resource, place, request, body)
    return 200, list_object(resource, page)


def _bind(store: Store, request: RequestInfo, _: ResourceType, body: Body) -> Result:
    node = (body.object().get("target") or {}).get("name")
    if not node:
        cause = ("target.name", "FieldValueRequired", "Required value")
        raise status.invalid("Binding", request.name, cause)
    if not _dry_run(request):
        store.bind(request.namespace, request.name, node)
    return _CREATED, _done()


def _evict(store: Store, request: RequestInfo, resource: ResourceType, body: Body) -> Result:
    options = body.object().get("deleteOptions") or {}
    place = (request.namespace, request.name)
    _delete_with(store, resource, place, request, Body(options, body.content_type))
    return _CREATED, _done()


def _done() -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


_VERBS: dict[str, Verb] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
_ACTIONS: dict[str, Verb] = {"binding": _bind, "eviction": _evict}
