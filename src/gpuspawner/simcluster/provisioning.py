"""Volumes made for claims whose class does not wait, as an external provisioner makes them.

The volumes can be used from every node. Claims of a class that waits for a pod stay as they are:
no pod of this cluster needs to find its volume bound.
"""

from __future__ import annotations

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    STORAGECLASSES,
)
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.informer import follow
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.store import Store

_BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
"""What schedulers take for the sign that a claim is bound."""

_OVERTAKEN = (404, 409)


class Provisioner:
    """Binds every claim of a class that does not wait to a volume of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Provision for ever."""
        await follow(self._store, PERSISTENTVOLUMECLAIMS, self)

    def resync(self, objects: list[Object]) -> None:
        """These claims are there."""
        for claim in objects:
            self._provision(claim)

    def observe(self, event: Event) -> None:
        """A claim came, changed or went."""
        if event.type != "DELETED":
            self._provision(event.object)

    def _provision(self, claim: Object) -> None:
        spec = claim["spec"]
        if spec.get("volumeName") or not self._is_immediate(spec.get("storageClassName")):
            return
        metadata, name = claim["metadata"], f"pvc-{claim['metadata']['uid']}"
        keys = ("namespace", "name", "uid")
        volume_spec = {
            "accessModes": spec.get("accessModes") or ["ReadWriteOnce"],
            "capacity": (spec.get("resources") or {}).get("requests") or {},
            "claimRef": {"kind": "PersistentVolumeClaim", **{key: metadata[key] for key in keys}},
            "nfs": {"server": "nfs", "path": f"/{name}"},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
        }
        bound = {"status": {"phase": "Bound"}}
        of_claim = (PERSISTENTVOLUMECLAIMS, metadata["namespace"], metadata["name"])
        of_volume = (PERSISTENTVOLUMES, None, name)
        try:
            volume = {"metadata": {"name": name}, "spec": volume_spec}
            self._store.create(PERSISTENTVOLUMES, None, volume)
            kept = {"metadata": {"annotations": _BOUND}, "spec": {"volumeName": name}}
            self._store.patch(*of_claim, kept)
            self._store.patch(*of_claim, bound, subresource="status")
            self._store.patch(*of_volume, bound, subresource="status")
        except ApiError as error:
            if error.code not in _OVERTAKEN:
                raise

    def _is_immediate(self, name: str | None) -> bool:
        try:
            cls = self._store.get(STORAGECLASSES, None, name or "")
        except ApiError:
            return False
        return bool(cls.get("volumeBindingMode", "Immediate") == "Immediate")
