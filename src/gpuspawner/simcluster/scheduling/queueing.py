"""Which pod the scheduler tries next, and when it tries again; no I/O and no clock of its own.

The rules are kube-scheduler's: the highest priority first, then the longest wait; a pod that did
not fit is tried again when the cluster has changed, but not before its back-off is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

INITIAL_BACKOFF = 1.0  # seconds; kube-scheduler's podInitialBackoffSeconds
MAX_BACKOFF = 10.0  # seconds; kube-scheduler's podMaxBackoffSeconds


@dataclass(slots=True)
class QueuedPod:
    """A pod that waits for a node."""

    uid: str
    namespace: str
    name: str
    priority: int
    order: int
    attempts: int = 0
    not_before: float = 0.0
    is_active: bool = field(default=True)


class SchedulingQueue:
    """The pods that wait for a node.

    Args:
        clock: seconds on a monotonic clock.
        initial_backoff: seconds before the second attempt; each further one waits twice as long.
        max_backoff: seconds that no wait exceeds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        initial_backoff: float = INITIAL_BACKOFF,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        self._clock = clock
        self._initial = initial_backoff
        self._max = max_backoff
        self._pods: dict[str, QueuedPod] = {}
        self._order = count()

    def __contains__(self, uid: object) -> bool:
        return uid in self._pods

    def put(self, uid: str, namespace: str, name: str, priority: int) -> None:
        """Try a pod, be it new or changed."""
        pod = self._pods.get(uid)
        if pod is None:
            order = next(self._order)
            self._pods[uid] = QueuedPod(uid, namespace, name, priority, order)
        else:
            pod.is_active = True

    def drop(self, uid: str) -> None:
        """Forget a pod, if it is here."""
        self._pods.pop(uid, None)

    def keep(self, uids: set[str]) -> None:
        """Forget every pod that is not among `uids`."""
        self._pods = {uid: pod for uid, pod in self._pods.items() if uid in uids}

    def pop(self) -> QueuedPod | None:
        """The pod to try now; it stays here, at rest, until it is put, woken or dropped."""
        now = self._clock()
        ready = [pod for pod in self._pods.values() if pod.is_active and pod.not_before <= now]
        if not ready:
            return None
        pod = min(ready, key=lambda pod: (-pod.priority, pod.order))
        pod.is_active = False
        return pod

    def back_off(self, pod: QueuedPod) -> None:
        """Say that `pod` did not fit."""
        wait = min(self._initial * 2.0**pod.attempts, self._max)
        pod.attempts += 1
        pod.not_before = self._clock() + wait

    def wake(self) -> None:
        """Say that the cluster has changed, so that any pod might fit now."""
        for pod in self._pods.values():
            pod.is_active = True

    def seconds_to_next(self) -> float | None:
        """How long until a pod can be tried; None while all are at rest."""
        waits = [pod.not_before for pod in self._pods.values() if pod.is_active]
        return max(0.0, min(waits) - self._clock()) if waits else None
