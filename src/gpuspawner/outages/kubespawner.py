"""KubeSpawner, made to outlast an API server that is away."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from kubespawner import KubeSpawner
from kubespawner.reflector import ResourceReflector

from gpuspawner.outages.failures import ClusterUnreachableError, is_passing, is_unreachable
from gpuspawner.outages.reflector import LastingReflector, lasting, new_backoff

SHUTDOWN_PATIENCE = 60.0
"""Seconds that a hub which is ending waits for an API server to take the end of a server.

Longer than kubelet's default: a hub that is killed meanwhile still knows its servers afterwards,
and one whose stops fail does not.
"""


def _is_shutting_down() -> bool:
    coroutines = (task.get_coro() for task in asyncio.all_tasks())
    return any(getattr(each, "__name__", "") == "shutdown_cancel_tasks" for each in coroutines)


class LastingKubeSpawner(KubeSpawner):  # type: ignore[misc] # KubeSpawner has no types
    """A KubeSpawner that takes no server for stopped because the API server is away."""

    async def poll(self) -> int | None:
        """As KubeSpawner's; None, which is "still running", while that cannot be known."""
        try:
            status: int | None = await super().poll()
        except Exception as error:
            if not is_unreachable(error):
                raise
            self.log.warning("Whether %s still runs is not known: %r", self._log_name, error)
            return None
        return status

    async def _start_reflector(
        self,
        kind: str,
        reflector_class: Any,
        replace: bool = False,  # noqa: FBT001, FBT002 - KubeSpawner's signature
        **kwargs: Any,
    ) -> ResourceReflector:
        """The reflector that all spawners share, once it knows something, or is of events.

        Raises:
            ClusterUnreachableError: it still does not know of pods, `k8s_api_request_timeout`
                seconds after its start. A stop that the hub asked for waits for as long as it
                takes, or for `SHUTDOWN_PATIENCE` if the hub is ending.
        """
        patience: float | None = self.k8s_api_request_timeout
        if self._is_stop_of_the_hubs:
            patience = SHUTDOWN_PATIENCE if _is_shutting_down() else None
        key = self._get_reflector_key(kind)
        reflector = self.reflectors.get(key)
        if reflector is None:
            reflector = lasting(reflector_class)(parent=self, namespace=self.namespace, **kwargs)
            self.reflectors[key] = reflector
            await reflector.start()
        elif replace:
            await reflector.restart()
            return reflector
        if kind == "events":
            # They only tell of a start, and the rights to see them may be missing.
            await reflector.wait_answered(self.k8s_api_request_timeout)
        else:
            await reflector.wait_loaded(patience)
        return reflector

    async def _make_delete_pod_request(self, *args: Any, **kwargs: Any) -> bool:
        """Delete the pod.

        The hub forgets a server whose stop fails, and its pod would hold its GPU unseen: such a
        stop goes on until the API server takes it.

        Raises:
            ClusterUnreachableError: the hub is ending, and the API server has not taken it within
                `SHUTDOWN_PATIENCE`.
        """
        deadline: float | None = None
        backoff = new_backoff(LastingReflector.first_delay, LastingReflector.longest_delay)
        while True:
            deleted = False
            try:
                deleted = await super()._make_delete_pod_request(*args, **kwargs)
            except Exception as error:
                if not (self._is_stop_of_the_hubs and is_passing(error)):
                    raise
                self.log.warning("Stopping %s has to wait: %r", self._log_name, error)
            if deleted or not self._is_stop_of_the_hubs:
                return deleted
            delay = backoff.next()
            if _is_shutting_down():
                deadline = deadline or time.monotonic() + SHUTDOWN_PATIENCE
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ClusterUnreachableError(
                        f"pod {self.namespace}/{self.pod_name} could not be deleted before the "
                        "hub ended: if it still runs, delete it by hand"
                    )
                delay = min(delay, left)
            await asyncio.sleep(delay)

    @property
    def _is_stop_of_the_hubs(self) -> bool:
        """Whether the hub stops this server for good, and not to clean up after a failed start."""
        starting = self._spawn_future is not None and not self._spawn_future.done()
        return bool(self._stop_pending and not starting)

    @property
    def _is_cluster_away(self) -> bool:
        """Whether the last list of pods failed."""
        reflector = self.pod_reflector
        return bool(reflector and getattr(reflector, "failure", ""))
