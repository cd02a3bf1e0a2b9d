"""What the scheduler knows of the cluster, from the store's events alone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import (
    read_claim,
    read_node,
    read_pod,
    read_storage_class,
    read_volume,
)
from gpuspawner.capacity.objects import KINDS, ObjectTable
from gpuspawner.errors import MalformedObjectError
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    STORAGECLASSES,
    ResourceType,
)
from gpuspawner.simcluster.informer import follow
from gpuspawner.simcluster.scheduling.queueing import SchedulingQueue
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.store import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ClusterView:
    """The nodes with their load, and the unbound pods that wait for one.

    Attributes:
        index: nodes and what is requested of them.
        queue: the unbound pods whose ``schedulerName`` is one of ours.
        news: set when a pod can be tried that could not be tried before.
    """

    def __init__(self, names: Collection[str], *, backoff: tuple[float, float]) -> None:
        initial, longest = backoff
        self.index = ClusterIndex()
        self.queue = SchedulingQueue(time.monotonic, initial_backoff=initial, max_backoff=longest)
        self.news = asyncio.Event()
        self._names = names
        for kind in KINDS:
            # What is not served does not exist.
            self.index.objects.table(kind).replace(())

    async def follow(self, store: Store) -> None:
        """Keep up with the store, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(store, NODES, _Nodes(self)))
            tasks.create_task(follow(store, PODS, _Pods(self)))
            for resource, table, read in _OTHERS:
                handler = _Objects(self, self.index.objects.table(table), read)
                tasks.create_task(follow(store, resource, handler))

    def assume(self, pod: Object) -> None:
        """Count a pod that we have just bound, before its event arrives.

        Older events of the pod that are still to come undo this for no one to see: they are
        observed in one go with that of the binding.
        """
        self.index.put_pod(read_pod(pod))
        self.queue.drop(pod["metadata"]["uid"])

    def consider(self, pod: Object) -> None:
        """Queue a pod that is ours to bind."""
        metadata, spec = pod["metadata"], pod["spec"]
        uid = metadata["uid"]
        if (
            spec.get("nodeName")
            or spec.get("schedulerName") not in self._names
            or "deletionTimestamp" in metadata
        ):
            self.queue.drop(uid)
            return
        priority = int(spec.get("priority") or 0)
        self.queue.put(uid, metadata["namespace"], metadata["name"], priority)
        self.news.set()

    def has_changed(self) -> None:
        """Try every pod again: there may be room now."""
        self.queue.wake()
        self.news.set()


class _Nodes:
    def __init__(self, view: ClusterView) -> None:
        self._view = view

    def resync(self, objects: list[Object]) -> None:
        self._view.index.replace_nodes(node for obj in objects if (node := _read(read_node, obj)))
        self._view.has_changed()

    def observe(self, event: Event) -> None:
        node = _read(read_node, event.object)
        if node is None:
            return
        if event.type == "DELETED":
            self._view.index.drop_node(node.name, node.uid)
        else:
            self._view.index.put_node(node)
        self._view.has_changed()


class _Pods:
    def __init__(self, view: ClusterView) -> None:
        self._view = view

    def resync(self, objects: list[Object]) -> None:
        self._view.index.replace_pods(pod for obj in objects if (pod := _read(read_pod, obj)))
        self._view.queue.keep({obj["metadata"]["uid"] for obj in objects})
        for obj in objects:
            self._view.consider(obj)
        self._view.has_changed()

    def observe(self, event: Event) -> None:
        pod = _read(read_pod, event.object)
        if pod is None:
            return
        if event.type == "DELETED":
            self._view.index.drop_pod(pod.namespace, pod.name, pod.uid)
            self._view.queue.drop(pod.uid)
        else:
            self._view.index.put_pod(pod)
            if not event.previous or _wishes(event.previous) != _wishes(event.object):
                self._view.consider(event.object)
        before = _read(read_pod, event.previous) if event.previous else None
        held = before is not None and before.holds_capacity
        if held and (event.type == "DELETED" or not pod.holds_capacity):
            self._view.has_changed()


class _Objects:
    """Objects of one kind that decide where a pod can go."""

    def __init__(
        self, view: ClusterView, table: ObjectTable[Any], read: Callable[[Object], Any]
    ) -> None:
        self._view = view
        self._table = table
        self._read = read

    def resync(self, objects: list[Object]) -> None:
        self._table.replace(found for obj in objects if (found := _read(self._read, obj)))
        self._view.has_changed()

    def observe(self, event: Event) -> None:
        found = _read(self._read, event.object)
        if found is None:
            return
        if event.type == "DELETED":
            self._table.drop(found.namespace, found.name, found.uid)
        else:
            self._table.put(found)
        self._view.has_changed()


_OTHERS: tuple[tuple[ResourceType, str, Callable[[Object], Any]], ...] = (
    (PERSISTENTVOLUMES, "volumes", read_volume),
    (PERSISTENTVOLUMECLAIMS, "claims", read_claim),
    (STORAGECLASSES, "storage_classes", read_storage_class),
)


def _wishes(pod: Object) -> tuple[object, ...]:
    """What has to change for a pod to be tried again; not its status, which we write ourselves."""
    metadata = pod["metadata"]
    return pod["spec"], metadata.get("labels"), metadata.get("deletionTimestamp")


def _read(read: Callable[[Object], T], obj: Object) -> T | None:
    try:
        return read(obj)
    except MalformedObjectError as error:
        logger.warning("passing over %s: %s", obj["metadata"].get("name"), error)
        return None
