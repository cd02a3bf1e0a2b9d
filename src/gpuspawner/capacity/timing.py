"""The pace of a watch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """The pace of a watch, in seconds. The defaults are argued in `gpuspawner.capacity.watching`.

    Attributes:
        window: after how long the API server is asked to end a stream; each is up to a fifth
            shorter, at random.
        silence: after how long without a line a stream is dropped. More than `window`.
        stale_after: the age at which the index is no longer live. At least `silence`.
        answer: how long to wait for the headers of an answer, connecting included, and for the
            next object of a list that comes as a stream.
        page: how long one page of a list, or reading the credentials again, may take.
        settle: how long an accepted watch must stand, without an ERROR, before it proves anything.
        relist_after: how long a change that was never sent can stay unnoticed; up to a fifth
            shorter, at random.
        retry_cap: the longest Retry-After that is honoured.
        shortest_stream: a stream that ends before this has failed.
        backoff: the first and the highest ceiling of the delays after a failure.
        denied_backoff: the same after a 403, or a 404 to a resource a cluster may not have.
        page_size: objects on a page of a list.
    """

    window: float = 30.0
    silence: float = 35.0
    stale_after: float = 40.0
    answer: float = 10.0
    page: float = 30.0
    settle: float = 0.5
    relist_after: float = 6 * 3600.0
    retry_cap: float = 60.0
    shortest_stream: float = 1.0
    backoff: tuple[float, float] = (0.8, 30.0)
    denied_backoff: tuple[float, float] = (10.0, 60.0)
    page_size: int = 250

    def __post_init__(self) -> None:
        """Refuse a pace at which healthy streams would be dropped or look stale."""
        if not 0 < self.window < self.silence <= self.stale_after:
            raise ValueError(
                "a watch needs 0 < window < silence <= stale_after, "
                f"not {self.window:g}, {self.silence:g}, {self.stale_after:g}"
            )
