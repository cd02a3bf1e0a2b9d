"""The active deadline of a pod, as a kubelet keeps it (``pkg/kubelet/active_deadline.go``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from gpuspawner.simcluster.apimachinery.objects import read_timestamp, utc_now

REASON = "DeadlineExceeded"
MESSAGE = "Pod was active on the node longer than the specified deadline"


class ActiveDeadline:
    """Calls `expire` once, ``spec.activeDeadlineSeconds`` after ``status.startTime``.

    A kubelet looks once a second; this one is woken at the moment itself.
    """

    def __init__(self, seconds: int | None, expire: Callable[[], None]) -> None:
        self._seconds = seconds
        self._expire = expire
        self._started_at: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def start(self, started_at: str) -> None:
        """Count from a ``status.startTime``."""
        self._started_at = started_at
        self._set()

    def change(self, seconds: int | None) -> None:
        """Follow the pod's spec, in which the deadline may be set later and shortened."""
        if seconds != self._seconds:
            self._seconds = seconds
            self._set()

    def cancel(self) -> None:
        """The pod has ended: nothing is left that a deadline could end."""
        self._is_over = True
        self._clear()

    def _set(self) -> None:
        self._clear()
        if self._is_over or self._seconds is None or self._started_at is None:
            return
        end = read_timestamp(self._started_at) + timedelta(seconds=self._seconds)
        left = (end - utc_now()).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, left), self._reached)

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _reached(self) -> None:
        self.cancel()
        self._expire()
