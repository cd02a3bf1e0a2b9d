"""Counters and histograms of which series can be let go.

Those of prometheus_client tell besides when each series began, which is a series for each, and take
most of what a scrape may: they are for many threads, and these for the event loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from gpuspawner.metrics.families import Family


class CounterOf:
    """A counter by its labels, the profile first where it has one."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str, by: int = 1) -> None:
        """Count something; by 0, have the series begin."""
        self._values[labels] = self._values.get(labels, 0) + by

    def keep(self, is_kept: Callable[[str], bool]) -> None:
        """Let go of the series whose first label is not kept."""
        for labels in [labels for labels in self._values if not is_kept(labels[0])]:
            del self._values[labels]

    def metric(self) -> Metric:
        """As it is at this moment."""
        family = self._family
        name = family.name.removesuffix("_total")
        metric = CounterMetricFamily(name, family.help, labels=family.labels)
        for labels, value in self._values.items():
            metric.add_metric(labels, value)
        return metric


class HistogramOf:
    """A histogram by profile."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._bounds = [*map(floatToGoString, family.buckets), "+Inf"]
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, label: str, seconds: float) -> None:
        """Count something that took so long."""
        counts = self._counts.setdefault(label, [0] * len(self._bounds))
        counts[bisect_left(self._family.buckets, seconds)] += 1
        self._sums[label] = self._sums.get(label, 0.0) + seconds

    def keep(self, is_kept: Callable[[str], bool]) -> None:
        """Let go of the series whose label is not kept."""
        for label in [label for label in self._counts if not is_kept(label)]:
            del self._counts[label], self._sums[label]

    def metric(self) -> Metric:
        """As it is at this moment."""
        family = self._family
        metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for label, counts in self._counts.items():
            buckets = list(zip(self._bounds, map(float, accumulate(counts)), strict=True))
            metric.add_metric([label], buckets, self._sums[label])
        return metric
