"""Versioned objects and their history: what etcd is to an API server, and its watch cache."""

from __future__ import annotations

from collections import defaultdict

from gpuspawner.simcluster.apimachinery.objects import Object, with_metadata
from gpuspawner.simcluster.apimachinery.resources import RESOURCES, ResourceType
from gpuspawner.simcluster.apimachinery.status import not_found
from gpuspawner.simcluster.storage.history import Event, EventType, History
from gpuspawner.simcluster.storage.owners import Key, OwnerIndex, Place

_FIRST_REVISION = 1


class Etcd:
    """All objects of a cluster under one counter of versions; stored objects never change.

    Args:
        history_limit: how many events of each resource are kept.
    """

    def __init__(self, history_limit: int) -> None:
        self.revision = _FIRST_REVISION
        self.owners = OwnerIndex()
        self.histories = {item: History(history_limit, lambda: self.revision) for item in RESOURCES}
        self._objects: dict[ResourceType, dict[Key, Object]] = {item: {} for item in RESOURCES}
        self._contents: defaultdict[str, set[Place]] = defaultdict(set)

    def find(self, resource: ResourceType, key: Key) -> Object | None:
        """Return one object, or None."""
        return self._objects[resource].get(key)

    def require(self, resource: ResourceType, key: Key) -> Object:
        """Return one object; ApiError 404 when there is none."""
        found = self.find(resource, key)
        if found is None:
            raise not_found(resource, key[1])
        return found

    def scan(self, resource: ResourceType, namespace: str) -> list[Object]:
        """Return the objects of a namespace (of the cluster, for cluster-wide resources)."""
        wanted = namespace if resource.namespaced else ""
        return [obj for key, obj in self._objects[resource].items() if key[0] == wanted]

    def contents(self, namespace: str) -> tuple[Place, ...]:
        """Return where a namespace's objects are, in a stable order."""
        return tuple(sorted(self._contents[namespace], key=lambda at: (at[0].plural, at[1])))

    def commit(self, change: EventType, resource: ResourceType, key: Key, obj: Object) -> Object:
        """Store or remove an object under the next version, and tell the watchers."""
        self.revision += 1
        table, contents = self._objects[resource], self._contents[key[0]]
        previous = table.get(key)
        stored = with_metadata(obj, resourceVersion=str(self.revision))
        if change == "DELETED":
            del table[key]
            contents.discard((resource, key))
            self.owners.update((resource, key), previous, None)
        else:
            table[key] = stored
            contents.add((resource, key))
            self.owners.update((resource, key), previous, stored)
        self.histories[resource].append(Event(change, stored, previous, self.revision))
        return stored

    def snapshot(self, resource: ResourceType, revision: int | None = None) -> dict[Key, Object]:
        """Return all objects of a resource in order, now or as of a revision.

        The past is the present with the newer events undone.

        Raises:
            ApiError: 410 when the events after `revision` are no longer known.
        """
        objects = dict(self._objects[resource])
        if revision is not None:
            history = self.histories[resource]
            history.require(revision)
            for event in reversed(history.after(revision)):
                meta = event.object["metadata"]
                key = (meta.get("namespace", ""), meta["name"])
                if event.previous is None:
                    del objects[key]
                else:
                    objects[key] = event.previous
        return dict(sorted(objects.items()))
