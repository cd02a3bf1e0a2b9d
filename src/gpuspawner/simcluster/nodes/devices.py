"""The devices of a node and the pods that hold them, as the kubelet's device manager keeps them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from gpuspawner.errors import GPUSpawnerError

Resources = Mapping[str, int]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "simcluster.gpuspawner")


class DeviceError(GPUSpawnerError):
    """A pod that is bound to a node asks for devices that are not there."""


def is_device(resource: str) -> bool:
    """Whether a resource is one that a device plugin would advertise."""
    return "/" in resource and not resource.startswith("kubernetes.io/")


class DeviceManager:
    """The devices of one node; their ids are a function of the node's name."""

    def __init__(self, node_name: str, allocatable: Resources) -> None:
        self._free = {
            resource: [_device_id(node_name, resource, index) for index in range(amount)]
            for resource, amount in allocatable.items()
            if is_device(resource)
        }
        self._held: dict[str, dict[str, tuple[str, ...]]] = {}

    def allocate(self, pod_uid: str, requests: Resources) -> Mapping[str, tuple[str, ...]]:
        """Ids of devices for a pod, by resource, which it holds until `release`.

        Raises:
            DeviceError: there are not enough; nothing is held then.
        """
        wanted = {name: count for name, count in requests.items() if is_device(name) and count}
        for name, count in wanted.items():
            free = len(self._free.get(name, ()))
            if count > free:
                raise DeviceError(
                    f"Allocate failed due to requested number of devices unavailable for {name}. "
                    f"Requested: {count}, Available: {free}, which is unexpected"
                )
        held = {}
        for name, count in wanted.items():
            held[name] = tuple(self._free[name][:count])
            del self._free[name][:count]
        self._held[pod_uid] = held
        return held

    def release(self, pod_uid: str) -> None:
        """Free what a pod holds, if anything."""
        for name, devices in self._held.pop(pod_uid, {}).items():
            self._free[name] = sorted([*self._free[name], *devices])


def _device_id(node_name: str, resource: str, index: int) -> str:
    kind = "MIG" if resource.startswith("nvidia.com/mig-") else "GPU"
    return f"{kind}-{uuid.uuid5(_NAMESPACE, f'{node_name}/{resource}/{index}')}"
