"""The kubelets of all nodes: one watch of the pods, and a worker for each pod on a node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.informer import follow
from gpuspawner.simcluster.nodes.node_agent import NodeAgent
from gpuspawner.simcluster.nodes.pod_worker import PodWorker
from gpuspawner.simcluster.storage.history import Event
from gpuspawner.simcluster.storage.lifecycle import TERMINAL_PHASES
from gpuspawner.simcluster.storage.store import Store

logger = logging.getLogger(__name__)


class Kubelets:
    """Runs the pods that are bound to the nodes of `agents`, and leaves all others alone."""

    def __init__(self, store: Store, agents: Iterable[NodeAgent]) -> None:
        self._store = store
        self._agents = {agent.name: agent for agent in agents}
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run pods for ever; when cancelled, end all of them first."""
        try:
            await follow(self._store, PODS, self)
        finally:
            await self._power_off()

    def resync(self, pods: list[Object]) -> None:
        """Run these pods and no others."""
        present = {pod["metadata"]["uid"] for pod in pods}
        for uid in self._workers.keys() - present:
            self._workers.pop(uid).abandon()
        for pod in pods:
            self._sync(pod)

    def observe(self, event: Event) -> None:
        """Follow one change of a pod."""
        if event.type == "DELETED":
            worker = self._workers.pop(event.object["metadata"]["uid"], None)
            if worker is not None:
                worker.abandon()
        else:
            self._sync(event.object)

    def _sync(self, pod: Object) -> None:
        metadata = pod["metadata"]
        worker = self._workers.get(metadata["uid"])
        if worker is None:
            agent = self._agents.get(pod["spec"].get("nodeName") or "")
            if agent is None or pod["status"].get("phase") in TERMINAL_PHASES:
                return
            worker = self._start(agent, pod)
        worker.follow(pod)
        if "deletionTimestamp" in metadata:
            worker.stop(float(metadata.get("deletionGracePeriodSeconds") or 0))

    def _start(self, agent: NodeAgent, pod: Object) -> PodWorker:
        metadata = pod["metadata"]
        worker = self._workers[metadata["uid"]] = PodWorker(agent, pod)
        name = f"{metadata['namespace']}/{metadata['name']}"
        task = asyncio.create_task(worker.run(), name=f"pod {name}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._has_ended, name))
        return worker

    def _has_ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the worker of pod %s failed: %s", name, error, exc_info=error)

    async def _power_off(self) -> None:
        for worker in self._workers.values():
            worker.abandon()
        if self._tasks:
            await asyncio.wait(self._tasks)
