"""The cluster's scheduler: it judges as the product does, and binds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.errors import MalformedObjectError
from gpuspawner.fit import judge, scheduler_message
from gpuspawner.simcluster.apimachinery.objects import Object, timestamp, utc_now
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.recorder import NORMAL, WARNING, EventRecorder, Source
from gpuspawner.simcluster.scheduling.placing import GpuStrategy, choose_node
from gpuspawner.simcluster.scheduling.queueing import INITIAL_BACKOFF, MAX_BACKOFF, QueuedPod
from gpuspawner.simcluster.scheduling.scheduler_view import ClusterView
from gpuspawner.simcluster.storage.store import Store

logger = logging.getLogger(__name__)

GATED = "Scheduling is blocked due to non-empty scheduling gates"
_OVERTAKEN = (404, 409)  # the pod is gone, bound by another, or being deleted


class Scheduler:
    """Binds the unbound pods whose ``schedulerName`` is one of `names`.

    A pod that fits nowhere gets a FailedScheduling event and the condition PodScheduled=False,
    reason Unschedulable; it is tried again when the cluster changes. Nobody is preempted.

    Args:
        store: the cluster.
        recorder: where its events go.
        names: the scheduler names it answers to.
        strategy: which node a pod with devices gets.
        backoff: seconds before a pod that did not fit is tried again: the first wait, which
            doubles each time, and the longest.
    """

    def __init__(
        self,
        store: Store,
        recorder: EventRecorder,
        *,
        names: Iterable[str] = ("default-scheduler",),
        strategy: GpuStrategy = GpuStrategy.MOST_ALLOCATED,
        backoff: tuple[float, float] = (INITIAL_BACKOFF, MAX_BACKOFF),
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._strategy = strategy
        self._view = ClusterView(frozenset(names), backoff=backoff)

    async def run(self) -> None:
        """Schedule for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._view.follow(self._store))
            tasks.create_task(self._schedule())

    async def _schedule(self) -> None:
        queue, news = self._view.queue, self._view.news
        while True:
            news.clear()
            while (queued := queue.pop()) is not None:
                self._try(queued)
                await asyncio.sleep(0)
            try:
                async with asyncio.timeout(queue.seconds_to_next()):
                    await news.wait()
            except TimeoutError:
                continue  # a back-off is over

    def _try(self, queued: QueuedPod) -> None:
        """Bind one pod, or say why not."""
        try:
            pod = self._store.get(PODS, queued.namespace, queued.name)
            if pod["metadata"]["uid"] != queued.uid:
                self._view.queue.drop(queued.uid)
            elif pod["spec"].get("schedulingGates"):
                self._refuse(pod, "SchedulingGated", GATED)
            else:
                self._bind_or_refuse(pod, read_request(pod), queued)
        except ApiError as error:
            if error.code not in _OVERTAKEN:
                raise
            self._view.queue.drop(queued.uid)
        except MalformedObjectError as error:
            logger.warning("cannot schedule pod %s/%s: %s", queued.namespace, queued.name, error)

    def _bind_or_refuse(self, pod: Object, request: PodRequest, queued: QueuedPod) -> None:
        source = Source(request.scheduler_name)
        snapshot = self._view.index.snapshot()
        verdict = judge(request, snapshot)
        if not verdict.nodes:
            message = scheduler_message(verdict)
            self._view.queue.back_off(queued)
            self._refuse(pod, "Unschedulable", message)
            self._recorder.record(pod, source, WARNING, "FailedScheduling", message)
            return
        node = choose_node(request, verdict.nodes, snapshot, self._strategy)
        self._store.bind(queued.namespace, queued.name, node)
        self._view.assume(self._store.get(PODS, queued.namespace, queued.name))
        message = f"Successfully assigned {queued.namespace}/{queued.name} to {node}"
        self._recorder.record(pod, source, NORMAL, "Scheduled", message)

    def _refuse(self, pod: Object, reason: str, message: str) -> None:
        """Set the condition PodScheduled=False, if it does not say the same already."""
        conditions = (pod.get("status") or {}).get("conditions") or []
        before: Object = next((item for item in conditions if item["type"] == "PodScheduled"), {})
        if (before.get("reason"), before.get("message")) == (reason, message):
            return
        since = before.get("lastTransitionTime") if before.get("status") == "False" else None
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": since or timestamp(utc_now()),
        }
        others = [item for item in conditions if item["type"] != "PodScheduled"]
        metadata = pod["metadata"]
        status = {"conditions": [*others, condition]}
        self._store.patch(
            PODS,
            metadata["namespace"],
            metadata["name"],
            {"metadata": {"uid": metadata["uid"]}, "status": status},
            kind=PatchKind.MERGE,
            subresource="status",
        )
