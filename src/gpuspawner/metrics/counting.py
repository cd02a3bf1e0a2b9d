"""What happens in a hub, counted as it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from prometheus_client.metrics_core import Metric

from gpuspawner.catalog import Profile
from gpuspawner.metrics import families
from gpuspawner.metrics.series import CounterOf, HistogramOf
from gpuspawner.offers import Offer
from gpuspawner.refusals import SpawnRefusedError


class Counts:
    """The counters and histograms of one hub, counted on its event loop."""

    def __init__(self) -> None:
        self.labels = ProfileLabels()
        self._shown = CounterOf(families.OFFERS_SHOWN)
        self._starts = CounterOf(families.STARTS)
        self._refusals = CounterOf(families.REFUSALS)
        self._errors = CounterOf(families.ERRORS)
        self._duration = HistogramOf(families.START_DURATION)
        self._wait = HistogramOf(families.LINE_WAIT)
        self._by_profile = (self._shown, self._starts, self._duration, self._wait)
        self._errors.add(by=0)
        for reason in families.REASONS:
            self._refusals.add(reason, by=0)

    def shown(self, offers: Iterable[Offer]) -> None:
        """These were shown to somebody who has asked for them."""
        for offer in offers:
            self._shown.add(self.labels.of(offer.profile), offer.standing.value)

    def waited(self, profile: Profile, seconds: float) -> None:
        """A server has left the line, so long after it was asked for."""
        self._wait.observe(self.labels.of(profile), seconds)

    def failed(self) -> None:
        """A part of the metrics cannot be told."""
        self._errors.add()

    @contextmanager
    def start(
        self,
        profile: Profile | None,
        since: float | None,
        *,
        made_pod: Callable[[], bool],
        is_undecided: Callable[[], bool],
    ) -> Iterator[None]:
        """Count a start by how it ends.

        Args:
            profile: what was asked for; None if that is nothing the person may have.
            since: when, in seconds since the epoch; None if its duration cannot be told.
            made_pod: whether its pod may have been made.
            is_undecided: whether a refusal for want of room depends on servers that start.
        """
        label, outcome = self.labels.of(profile), families.FAILED
        try:
            yield
            outcome = families.STARTED
            if since is not None:
                self._duration.observe(label, max(0.0, time.time() - since))
        except SpawnRefusedError as refused:
            if refused.code == "cancelled":
                outcome = families.CANCELLED
            else:
                outcome = families.FAILED if made_pod() else families.REFUSED
                is_open = refused.code == "busy" and is_undecided()
                self._refuse(families.UNDECIDED if is_open else refused.code)
            raise
        except asyncio.CancelledError:
            outcome = families.CANCELLED
            raise
        finally:
            self._starts.add(label, outcome)

    def keep(self, slugs: Collection[str]) -> None:
        """Forget profiles of the catalog that are in it no more.

        Args:
            slugs: of the catalog in force.
        """
        self.labels.keep(slugs)
        for metric in self._by_profile:
            metric.keep(self.labels.is_known)
        for label in {self.labels.of_catalog(slug) for slug in slugs}:
            for outcome in families.OUTCOMES:
                # Prometheus sees no rise from what was never there.
                self._starts.add(label, outcome, by=0)

    def collect(self) -> list[Metric]:
        """All of them at this moment."""
        return [one.metric() for one in (*self._by_profile, self._refusals, self._errors)]

    def _refuse(self, code: str) -> None:
        self._refusals.add(code if code in families.REASONS else families.OTHER)


class ProfileLabels:
    """Labels of profiles, of which there are never many: what comes late is `OTHER`."""

    def __init__(self) -> None:
        self._of_catalog: set[str] = set()
        self._listed: set[str] = set()

    def of(self, profile: Profile | None) -> str:
        """The label of a profile; empty for none."""
        if profile is None:
            return ""
        if profile.entry is None:
            return self.of_catalog(profile.slug)
        if profile.entry.is_made:
            return families.OTHER
        return _among(self._listed, profile.slug, families.MOST_LISTED)

    def of_catalog(self, slug: str) -> str:
        """The label of a profile of the catalog's file."""
        return _among(self._of_catalog, slug, families.MOST_PROFILES)

    def keep(self, slugs: Collection[str]) -> None:
        """Forget those of the catalog that are not among these."""
        self._of_catalog.intersection_update(slugs)

    def is_known(self, label: str) -> bool:
        """Whether it is the label of something that is still there."""
        return label in ("", families.OTHER) or label in self._of_catalog or label in self._listed


def _among(known: set[str], slug: str, most: int) -> str:
    if slug not in known and len(known) >= most:
        return families.OTHER
    known.add(slug)
    return slug


_counts: WeakKeyDictionary[asyncio.AbstractEventLoop, Counts] = WeakKeyDictionary()


def counts() -> Counts:
    """What was counted in the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _counts.get(loop)
    if found is None:
        found = _counts[loop] = Counts()
    return found
