"""What the pods of one node share: its devices, images, addresses and directories."""

from __future__ import annotations

import base64
import binascii
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import CONFIGMAPS, PODS, SECRETS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.nodes import containers
from gpuspawner.simcluster.nodes.addresses import LoopbackAddresses, PodSubnet
from gpuspawner.simcluster.nodes.containers import KeyLookup
from gpuspawner.simcluster.nodes.devices import DeviceManager
from gpuspawner.simcluster.recorder import EventRecorder, Source
from gpuspawner.simcluster.storage.store import Store

NOT_FOUND, CONFLICT = 404, 409
_NO_SUCH_POD = (NOT_FOUND, CONFLICT)  # gone; or another pod has its name


class PodLogs:
    """Where the pods' logs are; those of a name's newest pod stay until the cluster ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._newest: dict[tuple[str, str], Path] = {}

    def path(self, pod: Object) -> Path:
        """The file for a new pod."""
        metadata = pod["metadata"]
        key = (metadata["namespace"], metadata["name"])
        folder = self._directory / "_".join((*key, metadata["uid"]))
        self._newest[key] = folder / f"{containers.main_container(pod)['name']}.log"
        return self._newest[key]

    def read(self, namespace: str, name: str) -> bytes | None:
        """What the newest pod of that name has written; None if none was ever started."""
        path = self._newest.get((namespace, name))
        return path.read_bytes() if path is not None and path.exists() else None


def search_path() -> str:
    """Where commands are looked for: next to this Python first, then as for this process."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@dataclass(slots=True)
class NodeAgent:
    """A node as its pods see it.

    Attributes:
        homes: where home directories are; one that belongs to a volume claim is found again by
            the next pod that mounts the claim, on whichever node.
        addresses: the addresses of pods that run as processes, shared by all nodes.
        subnet: the addresses of simulated pods, which lead nowhere.
        image_pull_seconds: how long an image takes that the node has not had before.
    """

    name: str
    host_ip: str
    store: Store
    recorder: EventRecorder
    devices: DeviceManager
    addresses: LoopbackAddresses
    subnet: PodSubnet
    homes: Path
    logs: PodLogs
    image_pull_seconds: float = 0.0
    path: str = field(default_factory=search_path)
    _images: set[str] = field(default_factory=set)

    def address(self, pod: Object) -> str:
        """An address for a pod.

        Raises:
            AddressError: there is none left.
        """
        if not containers.is_simulated(pod):
            return self.addresses.reserve(containers.container_ports(pod))
        return self.host_ip if pod["spec"].get("hostNetwork") else self.subnet.reserve()

    def release_address(self, address: str) -> None:
        """Give back an address; the node's own is left alone."""
        self.addresses.release(address)
        self.subnet.release(address)

    def has_image(self, image: str) -> bool:
        """Whether the node has had that image before."""
        return image in self._images

    def keep_image(self, image: str) -> None:
        """Remember that the node has that image."""
        self._images.add(image)

    def home(self, pod: Object) -> Path:
        """The home directory of a pod: its volume claim's, or failing that its name's."""
        namespace: str = pod["metadata"]["namespace"]
        claim = containers.home_claim(pod)
        folder = f"claim-{claim}" if claim else f"pod-{pod['metadata']['name']}"
        return self.homes / namespace / folder

    def log(self, pod: Object) -> Path:
        """The file that gets a pod's output."""
        return self.logs.path(pod)

    def key_lookup(self, pod: Object) -> KeyLookup:
        """How a pod's environment finds keys of Secrets and ConfigMaps in its namespace."""

        def look_up(kind: str, name: str, key: str) -> str | None:
            value = self.data_of(pod, kind, name).get(key)
            return _plain(value) if kind == "secret" and value is not None else value

        return look_up

    def data_of(self, pod: Object, kind: str, name: str) -> Mapping[str, str]:
        """The data of a ``secret`` or ``configmap`` in a pod's namespace, as the API has it.

        Raises:
            MissingObjectError: there is none.
        """
        resource = SECRETS if kind == "secret" else CONFIGMAPS
        try:
            return self.store.get(resource, pod["metadata"]["namespace"], name).get("data") or {}
        except ApiError as error:
            if error.code == NOT_FOUND:
                raise containers.MissingObjectError(kind, name) from error
            raise

    def say(self, pod: Object, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Write an event about a pod, or about what is at a path in it."""
        source = Source("kubelet", self.name)
        self.recorder.record(pod, source, kind, reason, message, field_path=field_path)

    def write_status(self, pod: Object, status: Object) -> None:
        """Write a pod's status, unless the pod is gone and nobody told us yet."""
        uid, namespace, name = _identity(pod)
        patch = {"metadata": {"uid": uid}, "status": status}
        try:
            self.store.patch(
                PODS, namespace, name, patch, kind=PatchKind.MERGE, subresource="status"
            )
        except ApiError as error:
            if error.code not in _NO_SUCH_POD:
                raise

    def finalize(self, pod: Object) -> None:
        """A pod that was deleted has ended: it may go."""
        uid, namespace, name = _identity(pod)
        try:
            if self.store.get(PODS, namespace, name)["metadata"]["uid"] == uid:
                self.store.finalize_deletion(PODS, namespace, name)
        except ApiError as error:
            if error.code not in _NO_SUCH_POD:
                raise


def _identity(pod: Object) -> tuple[str, str, str]:
    metadata = pod["metadata"]
    return metadata["uid"], metadata["namespace"], metadata["name"]


def _plain(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise containers.ContainerConfigError(f"a Secret's value is not text: {error}") from error
