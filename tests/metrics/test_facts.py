"""The samples that facts come to: what is not known has none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from gpuspawner.access import Effective
from gpuspawner.capacity.freshness import Health, Permission
from gpuspawner.catalog import CatalogError, Problem
from gpuspawner.catalog_file import CatalogStatus
from gpuspawner.database import DatabaseAwayError
from gpuspawner.database.following import RevisionStatus
from gpuspawner.in_force import InForceStatus
from gpuspawner.metrics import collecting, facts
from gpuspawner.metrics.devices import Place
from gpuspawner.metrics.facts import ClusterFacts, InForceFacts
from gpuspawner.offers import Standing

from ..builders import GPU, a_catalog

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)
CATALOG = a_catalog()
GOOD = CatalogStatus(CATALOG, AT, sha256="abc")
BAD = replace(GOOD, problem=CatalogError([Problem("f", None, "", "bad")]), problem_since=AT)
AWAY = DatabaseAwayError("away")
SEEN = Health(synced=True, confirmed_at=90.0, lists=3, failures=4)
FREE = {Place(GPU, "a"): {"free": 0, "used": 8, "unusable": 0}}


def told(metrics: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("gpuspawner_"), *sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def of_cluster(**fields: Any) -> dict[tuple[str, ...], float]:
    known: dict[str, Any] = {"is_live": True, "now": 100.0, "watches": {"nodes": (SEEN,)}}
    return told(facts.of_cluster(ClusterFacts(**{**known, **fields}), 1000.0))


def test_no_free_device_is_zero_and_no_knowledge_is_nothing() -> None:
    known = of_cluster(devices=FREE, are_devices_known=True)
    assert known["devices", GPU, "a", "free"] == 0
    assert known["devices_known",] == known["cluster_live",] == 1
    unknown = of_cluster(devices=FREE, are_devices_known=True, is_live=False)
    assert not [key for key in unknown if key[0] == "devices"]
    assert unknown["devices_known",] == unknown["cluster_live",] == 0


def test_a_watch_has_an_age_once_something_is_known() -> None:
    denied = Health(missing=(Permission("list", "nodes"), Permission("watch", "nodes")))
    found = of_cluster(watches={"nodes": (SEEN,), "pods": (denied,), "both": (SEEN, denied)})
    assert {key[1]: value for key, value in found.items() if "age" in key[0]} == {"nodes": 10}
    assert found["watch_missing_permissions", "pods"] == 2
    assert found["watch_missing_permissions", "both"] == 2
    assert found["watch_restarts_total", "nodes"] == 2
    assert found["watch_restarts_total", "pods"] == 0
    assert found["watch_failures_total", "nodes"] == 4


def test_a_line_has_an_oldest_while_somebody_waits() -> None:
    assert ("line_oldest_wait_seconds",) not in of_cluster()
    found = of_cluster(waiting_since=(940.0, 910.0))
    assert (found["line_length",], found["line_oldest_wait_seconds",]) == (2, 90)


def test_a_profile_stands_in_one_place() -> None:
    found = told(facts.of_profiles({"gpu": Standing.UNKNOWN}))
    assert len(found) == len(Standing)
    assert [key[2] for key, value in found.items() if value] == ["unknown"]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(
            InForceFacts(GOOD, "git"),
            {("catalog_valid",): 1, ("catalog_info", "abc", "git", ""): 1},
            id="valid",
        ),
        pytest.param(
            InForceFacts(BAD, "page", 7, is_database_up=True),
            {
                ("catalog_valid",): 0,
                ("catalog_invalid_since_timestamp_seconds",): AT.timestamp(),
                ("catalog_info", "abc", "page", "7"): 1,
                ("database_up",): 1,
            },
            id="not valid any more",
        ),
        pytest.param(
            InForceFacts(GOOD, "page", None, is_database_up=False, database_down_since=AT),
            {
                ("catalog_valid",): 1,
                ("catalog_info", "abc", "page", ""): 1,
                ("database_up",): 0,
                ("database_down_since_timestamp_seconds",): AT.timestamp(),
            },
            id="the database is away",
        ),
    ],
)
def test_what_is_in_force(known: InForceFacts, expected: dict[tuple[str, ...], float]) -> None:
    since = {("catalog_in_force_since_timestamp_seconds",): AT.timestamp()}
    assert told(facts.of_catalog(known)) == expected | since


def test_a_file_that_nobody_has_looked_at_is_neither_valid_nor_not() -> None:
    assert told(facts.of_catalog(InForceFacts(CatalogStatus()))) == {}


@pytest.mark.parametrize(
    ("access", "mode", "expected"),
    [
        pytest.param(RevisionStatus(), "git", None, id="not asked"),
        pytest.param(RevisionStatus(), "page", None, id="not asked yet"),
        pytest.param(RevisionStatus(is_known=True), "page", True, id="it answers"),
        pytest.param(
            RevisionStatus(is_known=True, problem=AWAY), "page", False, id="it does no more"
        ),
        pytest.param(RevisionStatus(problem=AWAY), "page", False, id="it never did"),
    ],
)
def test_the_database(access: RevisionStatus, mode: Any, expected: bool | None) -> None:
    status = InForceStatus(mode, GOOD, access, Effective(CATALOG, CATALOG))
    assert collecting._told([status]).is_database_up is expected


def test_of_several_files_the_bad_one_is_told() -> None:
    found = [InForceStatus("git", one, RevisionStatus(), None) for one in (BAD, GOOD)]
    assert collecting._told(found).file is BAD
