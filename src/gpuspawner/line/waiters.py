"""Who waits, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.model import Pod, PodRequest
from gpuspawner.errors import GPUSpawnerError

Key = tuple[str, str]
"""Namespace and name of the pod that will be made."""


class LineFullError(GPUSpawnerError):
    """As many wait already as may."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A server that waits for room.

    Attributes:
        key: of its pod.
        since: when it came, in seconds since the epoch; who came first goes first.
        request: its pod; None as long as that is not known again after a restart of the hub.
        node: where room is kept for it; empty if no node could take it whatever ends there.
        starts_nodes: whether it starts as soon as a pool can grow by a node for it.
        is_held_up: whether it cannot start for another reason than room: nobody waits for it, and
            no room is kept.
    """

    key: Key
    since: float
    request: PodRequest | None = None
    node: str = ""
    starts_nodes: bool = False
    is_held_up: bool = False

    @property
    def pod(self) -> Pod | None:
        """Its pod as if it ran where room is kept for it; None if none is."""
        if self.request is None or not self.node or self.is_held_up:
            return None
        return as_assumed(self.request, self.node).pod


class Line:
    """All who wait in one cluster."""

    def __init__(self) -> None:
        self._waiters: dict[Key, Waiter] = {}

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def __contains__(self, key: object) -> bool:
        return key in self._waiters

    def announce(self, key: Key, since: float) -> None:
        """Wait again, as before a restart; what for is told by `join`."""
        self._put(Waiter(key, since))

    def join(self, waiter: Waiter, most: int) -> None:
        """Wait from now on; who was announced keeps their turn.

        Args:
            waiter: who waits, and for what.
            most: how many may wait at a time.

        Raises:
            LineFullError: as many wait as may.
        """
        known = self._waiters.get(waiter.key)
        if known is None and len(self._waiters) >= most:
            raise LineFullError(f"{len(self._waiters)} wait already")
        since = waiter.since if known is None else min(waiter.since, known.since)
        self._put(replace(waiter, since=since))

    def leave(self, key: Key) -> None:
        """Wait no longer; does nothing if it does not wait."""
        self._waiters.pop(key, None)

    def change(self, key: Key, **fields: Any) -> bool:
        """Tell more of one who waits; whether that was news. Does nothing if it does not wait."""
        known = self._waiters.get(key)
        if known is None:
            return False
        changed = replace(known, **fields)
        if changed == known:
            return False
        self._waiters[key] = changed
        return True

    def get(self, key: Key) -> Waiter | None:
        """Who waits by that key; None if nobody does."""
        return self._waiters.get(key)

    def all(self) -> tuple[Waiter, ...]:
        """Those who wait, the first first."""
        return tuple(self._waiters.values())

    def ahead_of(self, key: Key) -> tuple[Waiter, ...]:
        """Those who go before a server: before one that does not wait, all of them."""
        found = []
        for waiter in self._waiters.values():
            if waiter.key == key:
                break
            found.append(waiter)
        return tuple(found)

    def _put(self, waiter: Waiter) -> None:
        self._waiters[waiter.key] = waiter
        order = sorted(self._waiters.values(), key=lambda waiter: (waiter.since, waiter.key))
        self._waiters = {waiter.key: waiter for waiter in order}
