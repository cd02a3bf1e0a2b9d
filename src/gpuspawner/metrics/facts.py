"""What is known of a hub at one moment, and the samples that it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gpuspawner._version import __version__
from gpuspawner.capacity.freshness import Health
from gpuspawner.catalog_file import CatalogStatus
from gpuspawner.metrics import families
from gpuspawner.metrics.devices import Amounts, Place
from gpuspawner.metrics.families import Family
from gpuspawner.offers import Standing


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What is known of the cluster.

    Attributes:
        is_live: whether it may be shown as the present state.
        now: on the clock of `watches`.
        watches: how the watch of each kind fares, for each namespace that is looked at.
        devices: those that are known.
        are_devices_known: whether that is all of them.
        waiting_since: of each server in line, in seconds since the epoch.
    """

    is_live: bool
    now: float
    watches: Mapping[str, tuple[Health, ...]]
    devices: Mapping[Place, Amounts] = field(default_factory=dict)
    are_devices_known: bool = False
    waiting_since: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class InForceFacts:
    """What is known of the catalog and the access.

    Attributes:
        mode: "git" or "page".
        revision: the number of the revision in force; None for the file's own access.
        is_database_up: None where it is not asked.
    """

    file: CatalogStatus
    mode: str = ""
    revision: int | None = None
    is_database_up: bool | None = None
    database_down_since: datetime | None = None


def of_profiles(standings: Mapping[str, Standing]) -> Iterator[Metric]:
    """Where each profile stands, by its label."""
    metric = _gauge(families.PROFILE_STANDING)
    for label, standing in standings.items():
        for value in families.STANDINGS:
            metric.add_metric([label, value], float(value == standing.value))
    yield metric


def of_cluster(facts: ClusterFacts, clock: float) -> Iterator[Metric]:
    """The cluster, its watches and its line.

    Args:
        facts: what is known.
        clock: seconds since the epoch.
    """
    yield _value(families.CLUSTER_LIVE, facts.is_live)
    yield _value(families.DEVICES_KNOWN, facts.is_live and facts.are_devices_known)
    if facts.is_live:
        devices = _gauge(families.DEVICES)
        for place, amounts in facts.devices.items():
            for state, amount in amounts.items():
                devices.add_metric([*place, state], amount)
        yield devices
    yield _value(families.LINE_LENGTH, len(facts.waiting_since))
    if facts.waiting_since:
        yield _value(families.LINE_OLDEST, max(0.0, clock - min(facts.waiting_since)))
    yield from _of_watches(facts)


def of_catalog(facts: InForceFacts) -> Iterator[Metric]:
    """The catalog's file, the revision and the database."""
    file = facts.file
    if file.catalog is None and file.problem is None:
        return
    yield _value(families.CATALOG_VALID, file.problem is None)
    if file.problem_since is not None:
        yield _value(families.CATALOG_INVALID_SINCE, file.problem_since.timestamp())
    if file.catalog is not None and file.since is not None:
        yield _value(families.CATALOG_SINCE, file.since.timestamp())
        info = _gauge(families.CATALOG_INFO)
        revision = "" if facts.revision is None else str(facts.revision)
        info.add_metric([file.sha256, facts.mode, revision], 1)
        yield info
    if facts.is_database_up is not None:
        yield _value(families.DATABASE_UP, facts.is_database_up)
    if facts.database_down_since is not None:
        yield _value(families.DATABASE_DOWN_SINCE, facts.database_down_since.timestamp())


def of_build() -> Iterator[Metric]:
    """Which version this is."""
    metric = _gauge(families.BUILD_INFO)
    metric.add_metric([__version__], 1)
    yield metric


def described(family: Family) -> Metric:
    """A metric without samples, by which a registry knows it."""
    return Metric(family.name.removesuffix("_total"), family.help, family.kind)


def _of_watches(facts: ClusterFacts) -> Iterator[Metric]:
    age, missing = _gauge(families.WATCH_AGE), _gauge(families.WATCH_MISSING)
    restarts, failures = _counter(families.WATCH_RESTARTS), _counter(families.WATCH_FAILURES)
    for resource, healths in facts.watches.items():
        confirmed = [one.confirmed_at for one in healths if one.confirmed_at is not None]
        if confirmed and len(confirmed) == len(healths):
            age.add_metric([resource], max(0.0, facts.now - min(confirmed)))
        restarts.add_metric([resource], sum(max(0, one.lists - 1) for one in healths))
        failures.add_metric([resource], sum(one.failures for one in healths))
        missing.add_metric([resource], max(len(one.missing) for one in healths))
    yield from (age, restarts, failures, missing)


def _gauge(family: Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, family.help, labels=family.labels)


def _counter(family: Family) -> CounterMetricFamily:
    name = family.name.removesuffix("_total")
    return CounterMetricFamily(name, family.help, labels=family.labels)


def _value(family: Family, value: float) -> Metric:
    return GaugeMetricFamily(family.name, family.help, value=float(value))
