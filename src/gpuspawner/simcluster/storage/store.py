"""The in-memory etcd and API machinery: objects, versions, history and the rules of a write.

Everything is synchronous and does no I/O; the objects it holds are never changed in place.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

from gpuspawner.simcluster.apimachinery import status
from gpuspawner.simcluster.apimachinery.objects import (
    Object,
    copy_object,
    timestamp,
    utc_now,
    with_metadata,
)
from gpuspawner.simcluster.apimachinery.patching import PatchKind, apply_patch
from gpuspawner.simcluster.apimachinery.resources import (
    NAMESPACES,
    PODS,
    PRIORITYCLASSES,
    RESOURCEQUOTAS,
    SECRETS,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.selectors import make_selector
from gpuspawner.simcluster.storage.creation import require_active, set_name, set_namespace
from gpuspawner.simcluster.storage.defaults import SYSTEM_PRIORITIES, admit, merge_string_data
from gpuspawner.simcluster.storage.etcd import Etcd
from gpuspawner.simcluster.storage.history import Event, EventType, Subscription, parse_version
from gpuspawner.simcluster.storage.lifecycle import (
    Preconditions,
    bound_to,
    grace_period,
    is_finished,
    mark_deleted,
    update,
)
from gpuspawner.simcluster.storage.owners import Key
from gpuspawner.simcluster.storage.quotas import check_quotas, quota_status
from gpuspawner.simcluster.storage.validation import check_object, check_shape, check_update

_NO_PRECONDITIONS = Preconditions()


class Store:
    """The objects of a cluster.

    `get`, `create`, `replace`, `patch` and `delete` return copies; the objects in lists and events
    are the store's own and must not be changed. All of them raise `ApiError`.

    Args:
        history_limit: how many events of each resource a watcher can fall behind.
        now: the wall clock, for timestamps in objects.
    """

    def __init__(self, *, history_limit: int = 5000, now: Callable[[], datetime] = utc_now) -> None:
        self._etcd = Etcd(history_limit)
        self._now = now
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.create(NAMESPACES, None, {"metadata": {"name": name}})
        for name, value in SYSTEM_PRIORITIES.items():
            self.create(PRIORITYCLASSES, None, {"metadata": {"name": name}, "value": value})

    @property
    def revision(self) -> int:
        """The version that the newest write made."""
        return self._etcd.revision

    def get(self, resource: ResourceType, namespace: str | None, name: str) -> Object:
        """Return a copy of one object; 404 when there is none."""
        return copy_object(self._etcd.require(resource, (namespace or "", name)))

    def contains(self, resource: ResourceType, namespace: str | None, name: str) -> bool:
        """Say whether there is such an object."""
        return self._etcd.find(resource, (namespace or "", name)) is not None

    def list(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> tuple[list[Object], str]:
        """Return the selected objects ordered by namespace and name, and the resourceVersion."""
        selects = make_selector(resource, label_selector, field_selector)
        chosen = [
            obj
            for key, obj in self._etcd.snapshot(resource).items()
            if (not namespace or key[0] == namespace) and selects(obj)
        ]
        return chosen, str(self.revision)

    def snapshot(self, resource: ResourceType, revision: int | None = None) -> dict[Key, Object]:
        """Return all objects of a resource in order, now or as of a revision; 410 when forgotten.

        Keys are namespace and name; the objects are the store's own.
        """
        return self._etcd.snapshot(resource, revision)

    def subscribe(self, resource: ResourceType, *, since: str | None = None) -> Subscription:
        """Return an iterator over a resource's events, from now or after a resourceVersion.

        Raises:
            ApiError: 400 when `since` is not a version, 410 when the events after it are gone.
        """
        revision = self.revision if since is None else parse_version(since)
        history = self._etcd.histories[resource]
        history.require(revision)
        return history.subscribe(revision)

    def compact(self) -> None:
        """Forget all events, as etcd's compaction does: older versions answer 410 Expired."""
        for history in self._etcd.histories.values():
            history.compact()

    def create(
        self, resource: ResourceType, namespace: str | None, obj: Object, *, dry_run: bool = False
    ) -> Object:
        """Add an object, with defaults filled in; 409 when its name is taken."""
        check_shape(resource, obj)
        new = copy_object(obj)
        meta = new["metadata"] = {
            key: value
            for key, value in (new.get("metadata") or {}).items()
            if value not in (None, [], {})
        }
        set_namespace(resource, namespace, meta)
        if resource.namespaced:
            place = self._etcd.require(NAMESPACES, ("", meta["namespace"]))
            require_active(place, resource, meta)
        set_name(resource, meta)
        new = {"apiVersion": resource.api_version, "kind": resource.kind} | new
        key = (meta.get("namespace", ""), meta["name"])
        if self._etcd.find(resource, key):
            raise status.already_exists(resource, meta["name"])
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(field, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = timestamp(self._now())
        check_object(resource, new)
        admit(resource, new, self._etcd.scan)
        if resource is PODS:
            check_quotas(new, *(self._etcd.scan(each, key[0]) for each in (RESOURCEQUOTAS, PODS)))
        if dry_run:
            return new
        return self._commit("ADDED", resource, key, new)

    def replace(  # noqa: PLR0913 - the options are the API's own
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        obj: Object,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Write an object in full; 409 when it is not based on the newest version."""
        check_shape(resource, obj)
        key = (namespace or "", name)
        return self._update(resource, key, copy_object(obj), subresource, dry_run=dry_run)

    def patch(  # noqa: PLR0913 - the options are the API's own
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        patch: object,
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Change a part of an object; 409 when the patch names another resourceVersion."""
        key = (namespace or "", name)
        new = apply_patch(self._etcd.require(resource, key), patch, kind)
        return self._update(resource, key, new, subresource, dry_run=dry_run)

    def bind(self, namespace: str, name: str, node: str) -> None:
        """Assign a pod to a node, as a scheduler does; 409 when it is assigned or being deleted."""
        pod = self._etcd.require(PODS, (namespace, name))
        self._commit("MODIFIED", PODS, (namespace, name), bound_to(pod, node, self._now()))

    def delete(  # noqa: PLR0913 - the options are the API's own
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        preconditions: Preconditions = _NO_PRECONDITIONS,
        propagation: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Delete an object, or begin to: a bound pod waits for its node's `finalize_deletion`.

        Args:
            resource: the object's resource.
            namespace: the object's namespace; None for a cluster-wide one.
            name: the object's name.
            grace_seconds: how long a bound pod may take to stop; 0 removes it at once, None
                takes the pod's own `terminationGracePeriodSeconds`.
            preconditions: what must hold for the object.
            propagation: `Orphan` keeps the dependents; otherwise they are deleted afterwards.
            dry_run: whether to check only.
        """
        key = (namespace or "", name)
        old = self._etcd.require(resource, key)
        preconditions.check(resource, old)
        if dry_run:
            return copy_object(old)
        if propagation == "Orphan":
            self._release_dependents(old["metadata"]["uid"])
        new = mark_deleted(old, grace_period(resource, old, grace_seconds), self._now())
        if resource is NAMESPACES:
            new = {**new, "status": {"phase": "Terminating"}}
        if resource is PODS and is_finished(new) and new != old:
            # The API server marks a pod even when nothing keeps it: its watchers hear of both.
            new = self._commit("MODIFIED", resource, key, new)
        stored = self._settle(resource, key, new)
        if resource is NAMESPACES:
            for kind, place in self._etcd.contents(name):
                if self._etcd.find(kind, place):
                    self.delete(kind, *place)
            self._finish_namespace(name)
        return stored

    def finalize_deletion(self, resource: ResourceType, namespace: str | None, name: str) -> None:
        """End a deletion's grace period, as the kubelet does once the containers have stopped."""
        self.delete(resource, namespace, name, grace_seconds=0)

    def _update(
        self,
        resource: ResourceType,
        key: Key,
        changed: Object,
        subresource: str | None,
        *,
        dry_run: bool,
    ) -> Object:
        old = self._etcd.require(resource, key)
        new = update(resource, old, changed, subresource)
        if resource is SECRETS:
            merge_string_data(new)
        check_object(resource, new)
        check_update(resource, new, old)
        if dry_run:
            return copy_object(new)
        return self._settle(resource, key, new)

    def _settle(self, resource: ResourceType, key: Key, new: Object) -> Object:
        """Store a changed object, or remove it when nothing keeps it any longer."""
        if is_finished(new):
            return self._remove(resource, key, new)
        if new == self._etcd.require(resource, key):
            return copy_object(new)
        return self._commit("MODIFIED", resource, key, new)

    def _remove(self, resource: ResourceType, key: Key, last: Object) -> Object:
        removed = self._commit("DELETED", resource, key, last)
        for kind, place in self._etcd.owners.dependents(removed["metadata"]["uid"]):
            dependent = self._etcd.find(kind, place)
            if dependent is not None and self._etcd.owners.is_orphaned(dependent):
                self.delete(kind, *place)
        if resource.namespaced:
            self._finish_namespace(key[0])
        return removed

    def _commit(self, change: EventType, resource: ResourceType, key: Key, obj: Object) -> Object:
        stored = copy_object(self._etcd.commit(change, resource, key, obj))
        if resource in (PODS, RESOURCEQUOTAS):
            self._count_quotas(key[0])
        return stored

    def _count_quotas(self, namespace: str) -> None:
        """Write what is used of the quotas of a namespace, as their controller does."""
        for quota in self._etcd.scan(RESOURCEQUOTAS, namespace):
            counted = quota_status(quota, self._etcd.scan(PODS, namespace))
            if quota.get("status") != counted:
                key = (namespace, quota["metadata"]["name"])
                self._etcd.commit("MODIFIED", RESOURCEQUOTAS, key, {**quota, "status": counted})

    def _release_dependents(self, uid: str) -> None:
        for kind, place in self._etcd.owners.dependents(uid):
            obj = self._etcd.require(kind, place)
            kept = [item for item in obj["metadata"]["ownerReferences"] if item["uid"] != uid]
            self._settle(kind, place, with_metadata(obj, ownerReferences=kept))

    def _finish_namespace(self, name: str) -> None:
        """Remove a namespace that is being deleted once its last object is gone."""
        namespace = self._etcd.find(NAMESPACES, ("", name))
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            return
        if not self._etcd.contents(name):
            spec = {**namespace["spec"], "finalizers": []}
            self._settle(NAMESPACES, ("", name), {**namespace, "spec": spec})


__all__ = ["Event", "Preconditions", "Store", "Subscription", "parse_version"]
