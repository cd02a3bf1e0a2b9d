"""What Prometheus gets when it asks: read from memory, on the event loop of the hub.

JupyterHub 5.5 and 6.1 answer /hub/metrics with all that is in prometheus_client's registry, which
is one for the process. So there is one collector, and the hub of the running event loop is told of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from tornado.log import app_log

from gpuspawner.capacity.shared import SharedCluster, clusters_of_this_hub
from gpuspawner.catalog import Catalog
from gpuspawner.in_force import InForceStatus, known_files, known_in_force
from gpuspawner.metrics import facts
from gpuspawner.metrics.counting import counts
from gpuspawner.metrics.devices import DeviceSums
from gpuspawner.metrics.facts import ClusterFacts, InForceFacts
from gpuspawner.metrics.families import FAMILIES
from gpuspawner.metrics.standings import standings

_PATIENCE: Final = 30.0
"""Seconds for which a look that a scrape began may take."""
_PERIOD: Final = 60.0
"""Seconds in which failures are logged once."""
Parts = Callable[[], Iterable[Metric]]


class HubCollector(Collector):
    """Tells of the hub of the running event loop; of a process without one, only its version.

    Args:
        log: is told, once a minute, why a part is left out. A part that fails takes away neither
            the others nor what JupyterHub itself tells.
    """

    def __init__(self, log: logging.Logger = app_log) -> None:
        self._log = log
        self._logged_at = -_PERIOD
        self._scrapes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Scrape] = WeakKeyDictionary()

    def describe(self) -> Iterator[Metric]:
        """The names, for the registry."""
        yield from map(facts.described, FAMILIES)

    def collect(self) -> Iterator[Metric]:
        """What is known at this moment; nothing is waited for."""
        yield from facts.of_build()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        scrape = self._scrapes.get(loop)
        if scrape is None:
            scrape = self._scrapes[loop] = _Scrape()
        for part in (scrape.catalog, scrape.cluster, scrape.profiles):
            yield from self._all_or_nothing(part)
        # Last, so that what failed is counted.
        yield from self._all_or_nothing(lambda: counts().collect())
        self._all_or_nothing(scrape.begin_look)

    async def settled(self) -> None:
        """Wait for what a scrape has begun."""
        scrape = self._scrapes.get(asyncio.get_running_loop())
        if scrape is not None and scrape.look is not None:
            await scrape.look

    def _all_or_nothing(self, part: Parts) -> list[Metric]:
        try:
            return list(part())
        except Exception:  # noqa: BLE001 - /hub/metrics must not fail for want of a part
            counts().failed()
            if time.monotonic() - self._logged_at > _PERIOD:
                self._logged_at = time.monotonic()
                self._log.exception("Some metrics of gpuspawner are left out")
            return []


class _Scrape:
    """What is read for one hub, and the look that follows."""

    def __init__(self) -> None:
        self.look: asyncio.Task[None] | None = None
        self._sums = DeviceSums()
        self._sums_of: SharedCluster | None = None

    def catalog(self) -> Iterator[Metric]:
        status = _status()
        if status is not None:
            yield from facts.of_catalog(status)

    def cluster(self) -> Iterator[Metric]:
        clusters = clusters_of_this_hub()
        if clusters:
            yield from facts.of_cluster(self._cluster_facts(clusters), time.time())

    def profiles(self) -> Iterator[Metric]:
        catalog, counted = _catalog(), counts()
        slugs = [] if catalog is None else [profile.slug for profile in catalog.profiles]
        known = standings(counted.labels)
        counted.keep(slugs)
        if catalog is not None:
            known.keep(catalog)
        yield from facts.of_profiles(known.at_present(slugs))

    def begin_look(self) -> Iterable[Metric]:
        """See that the next scrape tells the truth; at most one look at a time."""
        if self.look is None or self.look.done():
            self.look = asyncio.create_task(self._look())
            self.look.add_done_callback(_mourn)
        return ()

    async def _look(self) -> None:
        async with asyncio.timeout(_PATIENCE):
            in_force, files = known_in_force(), known_files()
            looks: list[Awaitable[object]] = [one.fresh() for one in in_force]
            await asyncio.gather(*looks, *(one.fresh() for one in files))
            catalog, cluster = _catalog(), self._sums_of
            if catalog is None:
                return
            if cluster is not None:
                for _ in self._sums.settle(cluster.snapshot(), catalog):
                    await asyncio.sleep(0)
            await standings(counts().labels).look(catalog)

    def _cluster_facts(self, clusters: tuple[SharedCluster, ...]) -> ClusterFacts:
        live = [one for one in clusters if one.was_synced and one.freshness().is_live]
        watches = [one.watch.healths() for one in clusters]
        found = ClusterFacts(
            is_live=bool(live),
            now=time.monotonic(),
            watches={name: tuple(each[name] for each in watches) for name in watches[0]},
            waiting_since=tuple(waiter.since for waiter in clusters[0].line.all()),
        )
        catalog = _catalog()
        return found if not live or catalog is None else self._with_devices(found, live[0], catalog)

    def _with_devices(
        self, found: ClusterFacts, cluster: SharedCluster, catalog: Catalog
    ) -> ClusterFacts:
        if cluster is not self._sums_of:
            self._sums, self._sums_of = DeviceSums(), cluster
        unreadable = cluster.watch.unreadable()
        if any(held.resource == "nodes" or held.node is None for held in unreadable):
            return found
        doubtful = {held.node for held in unreadable if held.node is not None}
        devices = self._sums.of(cluster.snapshot(), catalog, doubtful)
        if devices is None:
            return found
        return ClusterFacts(
            is_live=found.is_live,
            now=found.now,
            watches=found.watches,
            waiting_since=found.waiting_since,
            devices=devices,
            are_devices_known=not doubtful,
        )


def _mourn(look: asyncio.Task[None]) -> None:
    if not look.cancelled() and (error := look.exception()) is not None:
        app_log.warning("A look that /hub/metrics began did not end well: %r", error)


def _status() -> InForceFacts | None:
    """What is in force; of a hub that nobody has used yet, what is known of the file alone."""
    statuses = [one.status for one in known_in_force()]
    if statuses:
        return _told(statuses)
    return next((InForceFacts(file.status) for file in known_files()), None)


def _told(statuses: list[InForceStatus]) -> InForceFacts:
    # There is one but where the configuration of one hub names several files: then the worst.
    status = next((one for one in statuses if one.file.problem is not None), statuses[-1])
    revision = status.effective.revision if status.effective is not None else None
    access = status.access
    is_asked = status.mode == "page" and (access.is_known or access.problem is not None)
    return InForceFacts(
        file=status.file,
        mode=status.mode,
        revision=None if revision is None else revision.number,
        is_database_up=access.problem is None if is_asked else None,
        database_down_since=access.problem_since,
    )


def _catalog() -> Catalog | None:
    for one in known_in_force():
        if (found := one.status.effective) is not None:
            return found.catalog
    return next((file.status.catalog for file in known_files()), None)


_COLLECTOR: Final = HubCollector()
_registered: list[Collector] = []


def register() -> HubCollector:
    """Have /hub/metrics of this process tell of gpuspawner; once is enough, more does no harm."""
    if not _registered:
        _registered.append(_COLLECTOR)
        try:
            REGISTRY.register(_COLLECTOR)
        except ValueError as error:
            app_log.warning("The metrics of gpuspawner are left out: %s", error)
    return _COLLECTOR
