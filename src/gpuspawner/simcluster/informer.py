"""Listing and watching the store, as the cluster's own components do."""

from __future__ import annotations

from typing import Protocol

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import ResourceType
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.store import Store

GONE = 410


class Handler(Protocol):
    """What is told of the objects of one resource."""

    def resync(self, objects: list[Object]) -> None:
        """These objects, and no others, are there."""

    def observe(self, event: Event) -> None:
        """One object was added, modified or deleted."""


async def follow(store: Store, resource: ResourceType, handler: Handler) -> None:
    """Tell `handler` of every object of `resource`, then of every change, for ever.

    It lists anew when it fell behind the store's history.
    """
    while True:
        objects, version = store.list(resource)
        handler.resync(objects)
        subscription = store.subscribe(resource, since=version)
        try:
            async for event in subscription:
                handler.observe(event)
        except ApiError as error:
            if error.code != GONE:
                raise
        else:
            return
        finally:
            subscription.close()
