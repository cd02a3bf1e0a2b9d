"""What a request asks for, read from its method, path and query alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gpuspawner.simcluster.apimachinery.resources import BY_PATH, NAMESPACES, ResourceType

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NON_RESOURCE_VERBS = {"GET": "get", "HEAD": "head"} | {
    method: method.lower() for method in ("POST", "PUT", "PATCH", "DELETE")
}
_CORE_PARTS = 2
_GROUP_PARTS = 3


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request in the terms of Kubernetes' authorization attributes.

    Args:
        verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or
            `deletecollection`; for paths that are no resource the HTTP method in lower case.
        path: the URL's path.
        query: the URL's parameters; the last of repeated ones.
        resource: the resource type; None for a path that is none.
        namespace: the namespace; empty for cluster-wide requests.
        name: the object's name; empty for collections.
        subresource: such as `status`; empty for the object itself.
    """

    verb: str
    path: str
    query: Mapping[str, str]
    resource: ResourceType | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource_path(self) -> str:
        """The resource as rules name it: `pods`, `pods/log`; empty for other paths."""
        if self.resource is None:
            return ""
        below = f"/{self.subresource}" if self.subresource else ""
        return self.resource.plural + below

    def flag(self, name: str) -> bool:
        """Read a boolean parameter; clients spell it `true`, `True` or `1`."""
        return self.query.get(name, "").lower() in ("true", "1")


def read_request(method: str, path: str, query_string: str) -> RequestInfo:
    """Read what a request asks for; unknown resources come out as plain paths."""
    query = dict(parse_qsl(query_string, keep_blank_values=True))
    parts = [part for part in path.split("/") if part]
    group, version, rest = _split_group(parts)
    namespace = ""
    if (
        len(rest) > _CORE_PARTS
        and rest[0] == "namespaces"
        and rest[2]
        not in (
            "finalize",
            *NAMESPACES.subresources,
        )
    ):
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, version, rest[0])) if rest else None
    if resource is None or len(rest) > _GROUP_PARTS or (namespace and not resource.namespaced):
        return RequestInfo(_NON_RESOURCE_VERBS.get(method, method.lower()), path, query)
    name, subresource = (*rest[1:], "", "")[:2]
    info = RequestInfo("", path, query, resource, namespace, name, subresource)
    return RequestInfo(_verb(method, info), path, query, resource, namespace, name, subresource)


def _split_group(parts: list[str]) -> tuple[str, str, list[str]]:
    if len(parts) > _CORE_PARTS and parts[:2] == ["api", "v1"]:
        return "", "v1", parts[2:]
    if len(parts) > _GROUP_PARTS and parts[0] == "apis":
        return parts[1], parts[2], parts[3:]
    return "", "", []


def _verb(method: str, info: RequestInfo) -> str:
    if method in ("GET", "HEAD"):
        if info.name:
            return "get"
        return "watch" if info.flag("watch") else "list"
    if method == "DELETE" and not info.name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())
