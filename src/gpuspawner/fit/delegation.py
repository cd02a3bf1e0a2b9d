"""DRAExtendedResource: a DeviceClass that stands for an extended resource.

A pod that asks for ``nvidia.com/gpu`` gets devices of the class whose ``extendedResourceName`` says
so, on the nodes that advertise none of the resource; NodeResourcesFit leaves these nodes to
DynamicResources then. On by default since Kubernetes 1.36; an older scheduler is taken to ignore
it. Every class also stands for the resource ``deviceclass.resource.kubernetes.io/<its name>``.

Where device classes are not known (not watched, or RBAC hides them), a node that advertises none of
a resource is taken to have none. Most clusters have no such class, and their plain CPU nodes must
not turn "the GPUs are all in use" into "unknown". An error of this kind hides a free device; it
never shows one that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import DeviceClass, Node, PodRequest
from gpuspawner.capacity.objects import Key

IMPLICIT = "deviceclass.resource.kubernetes.io/"
_SINCE = (1, 36)
_NATIVE = "kubernetes.io/"


def with_delegable(request: PodRequest, snapshot: Snapshot) -> PodRequest:
    """The pod with the resources that DRA may serve it; the same object if it has them."""
    classes = snapshot.objects.device_classes or {}
    if (snapshot.objects.version or _SINCE) < _SINCE:
        classes = {}
    if not classes and not request.delegable:
        return request
    delegable = frozenset(
        resource
        for resource, asked in request.requests.items()
        if asked > 0 and class_for(resource, classes) is not None
    )
    return request if delegable == request.delegable else replace(request, delegable=delegable)


def is_delegated(request: PodRequest, resource: str, node: Node) -> bool:
    """Whether DRA serves `resource` to the pod on `node`."""
    return resource in request.delegable and not node.allocatable.get(resource, 0)


def class_for(resource: str, classes: Mapping[Key, DeviceClass]) -> DeviceClass | None:
    """The class that stands for a resource: of several the newest, then by name."""
    if resource.startswith(IMPLICIT):
        return classes.get(("", resource.removeprefix(IMPLICIT)))
    if "/" not in resource or _NATIVE in resource:
        return None
    named = [one for one in classes.values() if one.extended_resource == resource]
    newest = max((one.created for one in named), default="")
    return min((one for one in named if one.created == newest), key=_name, default=None)


def _name(one: DeviceClass) -> str:
    return one.name
