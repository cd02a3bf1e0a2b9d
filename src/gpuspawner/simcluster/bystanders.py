"""Other people: a seeded process that starts and ends pods, so that what is free keeps changing."""

from __future__ import annotations

import asyncio
import logging
import random

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.description import BystanderJob, Bystanders
from gpuspawner.simcluster.manifests import simulated_pod
from gpuspawner.simcluster.storage.store import Store

logger = logging.getLogger(__name__)

NOT_FOUND = 404


class BystanderProcess:
    """Starts and ends the pods of a description's bystanders.

    What it does is a function of the seed, whatever the scheduler and everybody else do; of each
    job there are never fewer than ``running.min`` nor more than ``running.max`` pods. Those that
    wait for a node count.
    """

    def __init__(self, store: Store, bystanders: Bystanders) -> None:
        self._store = store
        self._bystanders = bystanders
        self._random = random.Random(bystanders.seed)  # noqa: S311 - to be repeatable, not secret
        # Timing draws from a source of its own, so that steps are the same however they are taken.
        self._timing = random.Random(bystanders.seed)  # noqa: S311 - as above
        self._pods: dict[str, list[str]] = {job.name: [] for job in bystanders.jobs}
        self._may_run = asyncio.Event()
        self._may_run.set()

    @property
    def pods(self) -> dict[str, tuple[str, ...]]:
        """The names of the pods there are of each job."""
        return {job: tuple(names) for job, names in self._pods.items()}

    def populate(self) -> None:
        """Start some pods of each job: as many as lie halfway between its bounds."""
        for job in self._bystanders.jobs:
            while len(self._pods[job.name]) < (job.running.min + job.running.max + 1) // 2:
                self._begin(job)

    def step(self) -> None:
        """Start a pod of some job, or end one."""
        job = self._random.choice(self._bystanders.jobs)
        names = self._pods[job.name]
        may_begin, may_end = len(names) < job.running.max, len(names) > job.running.min
        begins = self._random.random() < 0.5  # noqa: PLR2004 - an even chance
        if may_begin and (begins or not may_end):
            self._begin(job)
        elif may_end:
            self._end(job)

    async def run(self) -> None:
        """Take a step every so often, by the loop's clock, for ever."""
        while True:
            await asyncio.sleep(self._timing.uniform(*self._bystanders.interval_seconds))
            await self._may_run.wait()
            self.step()

    def pause(self) -> None:
        """Take no step until `resume`."""
        self._may_run.clear()

    def resume(self) -> None:
        """Go on taking steps."""
        self._may_run.set()

    def _begin(self, job: BystanderJob) -> None:
        name = f"{job.name}-{self._random.randrange(16**6):06x}"
        self._pods[job.name].append(name)
        try:
            self._store.create(PODS, self._bystanders.namespace, _pod(job, name))
        except ApiError as error:
            logger.warning("the bystander %s was not let in: %s", name, error)

    def _end(self, job: BystanderJob) -> None:
        names = self._pods[job.name]
        name = names.pop(self._random.randrange(len(names)))
        try:
            self._store.delete(PODS, self._bystanders.namespace, name)
        except ApiError as error:
            if error.code != NOT_FOUND:  # somebody else deleted it, as is their right
                raise


def _pod(job: BystanderJob, name: str) -> Object:
    pod = simulated_pod(name, job.image, job.requests)
    pod["metadata"]["labels"] |= {"app.kubernetes.io/name": job.name, **job.labels}
    pod["spec"]["restartPolicy"] = "Never"
    if job.priority_class_name:
        pod["spec"]["priorityClassName"] = job.priority_class_name
    pod["spec"]["nodeSelector"] = dict(job.node_selector)
    pod["spec"]["tolerations"] = [
        each.model_dump(exclude_defaults=True) for each in job.tolerations
    ]
    return pod
