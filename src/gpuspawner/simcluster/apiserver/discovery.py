"""What the server tells about itself: version, health, API groups and their resources."""

from __future__ import annotations

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import RESOURCES, ResourceType

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCES = {
    "binding": ("Binding", ["create"]),
    "eviction": ("Eviction", ["create"]),
    "log": ("Pod", ["get"]),
}
"""The kind and the verbs of subresources other than `status`."""

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+simcluster",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}

HEALTH_PATHS = frozenset({"/healthz", "/livez", "/readyz"})


def describe(path: str) -> Object | None:
    """Return the discovery document at a path, or None when there is none."""
    path = path.rstrip("/")
    fixed: dict[str, Object] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()},
        "/api/v1": _resource_list("v1"),
    }
    if path in fixed:
        return fixed[path]
    if path == "/openapi/v3":
        return _openapi_index()
    if path.startswith("/openapi/v3/"):
        return _openapi(path.removeprefix("/openapi/v3/api/").removeprefix("/openapi/v3/apis/"))
    for group in _groups():
        if path == f"/apis/{group['name']}":
            return {"kind": "APIGroup", "apiVersion": "v1"} | group
        for version in group["versions"]:
            if path == f"/apis/{version['groupVersion']}":
                return _resource_list(version["groupVersion"])
    return None


def _groups() -> list[Object]:
    versions = sorted({(item.group, item.version) for item in RESOURCES if item.group})
    return [
        {
            "name": group,
            "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
            "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
        }
        for group, version in versions
    ]


def _resource_list(group_version: str) -> Object:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [
            entry
            for item in RESOURCES
            if item.api_version == group_version
            for entry in _entries(item)
        ],
    }


def _openapi_index() -> Object:
    roots = {f"{'apis' if item.group else 'api'}/{item.api_version}" for item in RESOURCES}
    paths = {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in sorted(roots)}
    return {"paths": paths}


def _openapi(group_version: str) -> Object | None:
    """Say no more than kubectl asks before it writes: that the server validates fields itself."""
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {
        f"/{item.plural}/{{name}}": {
            "patch": {
                "parameters": [parameter],
                "responses": {},
                "x-kubernetes-group-version-kind": {
                    "group": item.group,
                    "version": item.version,
                    "kind": item.kind,
                },
            }
        }
        for item in RESOURCES
        if item.api_version == group_version
    }
    if not paths:
        return None
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths}


def _entries(resource: ResourceType) -> list[Object]:
    main: Object = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    entries = [main]
    for name in resource.subresources:
        kind, verbs = _SUBRESOURCES.get(name, (resource.kind, ["get", "patch", "update"]))
        entries.append(
            {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": verbs,
            }
        )
    return entries
