"""What the reports of several commands have in common."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner import wording
from gpuspawner.offers import Offer


@dataclass(frozen=True, slots=True)
class Source:
    """Where a report's figures come from.

    Attributes:
        live: whether the cluster was asked just now.
        name: of the API server or the file.
        taken: when it was written down; null if live, empty if that is not said.
        namespace: where the servers would be made.
        state: "live" if nodes and pods are known; else "starting", "stale" or "denied".
        reason: why they are not known; else empty.
        notes: what the figures do not show.
    """

    live: bool
    name: str
    taken: str | None
    namespace: str
    state: str
    reason: str
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """Which cluster, and of when."""
        if self.live:
            return f"The cluster at {self.name} now; servers in the namespace {self.namespace}."
        when = f" at {self.taken}" if self.taken else ""
        return f"The cluster in {self.name}, recorded{when}."


@dataclass(frozen=True, slots=True)
class Now:
    """Whether it could be started now.

    Attributes:
        standing: "free", "evicts", "can-start-node", "queued", "busy", "never" or "unknown".
        can_start: whether a start would be let through; what is unknown is tried.
        words: as the spawn page says it.
        fault: what is wrong with the profile and the hub's configuration; else empty.
        unadmitted: why it is not known what admission makes of the pod; else empty.
        blocked: why its pod can go nowhere, whatever the nodes are like, or would not be made: in
            the words of the scheduler or the API server; else empty.
        missing: rights for want of which it is not known whether it fits.
    """

    standing: str
    can_start: bool
    words: str
    fault: str
    unadmitted: str
    blocked: str
    missing: tuple[str, ...]


def now(offer: Offer) -> Now:
    """Where an offer stands, for a report."""
    words = wording.standing(offer)
    if offer.can_wait:
        # How many are ahead only the hub knows.
        longest = wording.spelled(offer.profile.longest_wait)
        words = f"{words}; one can wait in line for up to {longest}"
    return Now(
        standing=offer.standing.value,
        can_start=offer.can_start,
        words=words,
        fault=offer.fault,
        unadmitted=offer.unadmitted,
        blocked=(offer.verdict.blocked or offer.verdict.refusal) if offer.verdict else "",
        missing=offer.missing,
    )


def told(said: Now) -> str:
    """The page's words, and behind them what an operator should know besides."""
    why = said.fault or said.unadmitted or said.blocked
    return f"{said.words} ({why})" if why else said.words
