"""Devices of Dynamic Resource Allocation to write tests with, by way of the API's own JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpuspawner.capacity.model import (
    DeviceClass,
    Node,
    Pod,
    PodRequest,
    ResourceClaim,
    ResourceSlice,
    read_device_class,
    read_request,
    read_resource_claim,
    read_slice,
)

DRIVER = "gpu.nvidia.com"
IS_GPU = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == 'gpu'"
ENDS = "device.attributes['gpu.nvidia.com'].missing == 'x'"
UNREAD = "cel.bind(a, device.attributes['gpu.nvidia.com'], a.type == 'gpu')"


def a_device(
    name: str = "gpu-0",
    *,
    kind: str = "gpu",
    product: str = "A100",
    memory: str = "40Gi",
    attributes: Mapping[str, Any] | None = None,
    taint: str = "",
    **others: Any,
) -> dict[str, Any]:
    """A device of a slice; `taint` is the effect of one with the key ``unhealthy``."""
    device = {
        "name": name,
        "attributes": {
            "type": {"string": kind},
            "productName": {"string": product},
            **(attributes or {}),
        },
        "capacity": {"memory": {"value": memory}},
        **others,
    }
    if taint:
        device["taints"] = [{"key": "unhealthy", "effect": taint}]
    return device


def devices(count: int, **others: Any) -> list[dict[str, Any]]:
    """Devices ``gpu-0`` and so on."""
    return [a_device(f"gpu-{number}", **others) for number in range(count)]


def a_slice(
    *held: Mapping[str, Any],
    name: str = "",
    node: str = "n1",
    pool: str = "",
    driver: str = DRIVER,
    generation: int = 1,
    slices: int = 1,
    **others: Any,
) -> ResourceSlice:
    """A slice for one node, or for those that `others` say."""
    where = {} if {"allNodes", "nodeSelector", "perDeviceNodeSelection"} & {*others} else node
    spec = {
        "driver": driver,
        "pool": {
            "name": pool or node,
            "generation": generation,
            "resourceSliceCount": slices,
        },
        "devices": list(held),
        **({"nodeName": where} if where else {}),
        **others,
    }
    return read_slice({"metadata": {"name": name or f"{pool or node}-{generation}"}, "spec": spec})


def a_class(
    name: str = "gpu",
    *selectors: str,
    extended: str = "",
    created: str = "2026-01-01T00:00:00Z",
) -> DeviceClass:
    """A device class: of whole GPUs unless it has other selectors."""
    spec: dict[str, Any] = {"selectors": _selectors(selectors or (IS_GPU,))}
    if extended:
        spec["extendedResourceName"] = extended
    return read_device_class(
        {"metadata": {"name": name, "creationTimestamp": created}, "spec": spec}
    )


def asks(
    count: int | None = 1,
    *selectors: str,
    name: str = "gpu",
    of: str = "gpu",
    **others: Any,
) -> dict[str, Any]:
    """A request of a claim; no `count` means all devices."""
    mode: dict[str, Any] = {"allocationMode": "All"} if count is None else {"count": count}
    exactly = {"deviceClassName": of, "selectors": _selectors(selectors), **mode, **others}
    return {"name": name, "exactly": exactly}


def a_claim(
    *requests: Mapping[str, Any],
    name: str = "c1",
    holds: Iterable[str] | None = None,
    node: str = "n1",
    constraints: Iterable[Mapping[str, Any]] = (),
    reserved_for: Iterable[str] = (),
    result: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> ResourceClaim:
    """A claim in the namespace jhub; one that `holds` devices got them on `node`."""
    claim: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "jhub", **metadata},
        "spec": {"devices": {"requests": list(requests), "constraints": list(constraints)}},
    }
    if holds is not None:
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        results = [
            {"request": "gpu", "driver": DRIVER, "pool": node, "device": device, **(result or {})}
            for device in holds
        ]
        claim["status"] = {
            "allocation": {
                "devices": {"results": results},
                "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
            },
            "reservedFor": [{"resource": "pods", "name": uid, "uid": uid} for uid in reserved_for],
        }
    return read_resource_claim(claim)


def a_pod_with(
    *claims: str,
    template: str = "",
    gpus: int = 0,
    cpu: int = 0,
    resources: Mapping[str, int] | None = None,
) -> PodRequest:
    """A pod to judge in the namespace jhub: its claims by name, and what else it asks for."""
    refs = [{"name": claim, "resourceClaimName": claim} for claim in claims]
    if template:
        refs.append({"name": "made", "resourceClaimTemplateName": template})
    amounts = {"nvidia.com/gpu": gpus, "cpu": cpu, **(resources or {})}
    requests = {name: str(amount) for name, amount in amounts.items() if amount}
    return read_request(
        {
            "metadata": {"name": "p", "namespace": "jhub"},
            "spec": {"containers": [{"resources": {"requests": requests}}], "resourceClaims": refs},
        }
    )


Thing = Node | Pod | ResourceSlice | DeviceClass | ResourceClaim


def _selectors(expressions: Iterable[str]) -> list[dict[str, Any]]:
    return [{"cel": {"expression": expression}} for expression in expressions]
