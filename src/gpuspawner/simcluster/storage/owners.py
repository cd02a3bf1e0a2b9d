"""Who owns whom: the index behind the deletion of dependents."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import ResourceType

Key: TypeAlias = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""
Place: TypeAlias = tuple[ResourceType, Key]


def owner_uids(obj: Object) -> frozenset[str]:
    """Return the uids of an object's owners."""
    return frozenset(item.get("uid", "") for item in obj["metadata"].get("ownerReferences") or [])


class OwnerIndex:
    """The dependents of each object, by the owner's uid, and the uids that exist."""

    def __init__(self) -> None:
        self._dependents: defaultdict[str, set[Place]] = defaultdict(set)
        self._living: set[str] = set()

    def update(self, place: Place, old: Object | None, new: Object | None) -> None:
        """Record that an object changed from `old` to `new`; None stands for no object."""
        for uid in owner_uids(old) if old else ():
            self._dependents[uid].discard(place)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in owner_uids(new) if new else ():
            self._dependents[uid].add(place)
        if old:
            self._living.discard(old["metadata"]["uid"])
        if new:
            self._living.add(new["metadata"]["uid"])

    def dependents(self, uid: str) -> tuple[Place, ...]:
        """Return where the objects are that name `uid` among their owners."""
        return tuple(self._dependents.get(uid, ()))

    def is_orphaned(self, obj: Object) -> bool:
        """Say whether none of an object's owners exists any more."""
        return not owner_uids(obj) & self._living
