"""Quotas on the page of the cluster: used, allowed, and unknown where that is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import GPU, a_node, a_snapshot

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import ResourceQuota, Scope
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.cluster import Cluster, Look, Watched, cluster_of
from gpuspawner.cluster.saying import quota_in_words
from gpuspawner.language import speaking
from gpuspawner.rights import Grant

from .test_grouping import LIVE, MOMENT

GPUS = f"requests.{GPU}"
STALE = Freshness("stale", age=300)
NOT_ALLOWED = Freshness("denied")


def a_quota(
    name: str = "gpus",
    namespace: str = "jhub",
    hard: dict[str, str] | None = None,
    used: dict[str, str] | None = None,
    scopes: tuple[Scope, ...] = (),
) -> ResourceQuota:
    hard = {GPUS: "8"} if hard is None else hard
    return ResourceQuota(namespace, name, name, hard, hard if used is None else used, scopes)


def said(
    *quotas: ResourceQuota,
    freshness: Freshness = LIVE,
    watched: Freshness = LIVE,
    namespace: str = "jhub",
    **objects: Any,
) -> Cluster:
    table = {(one.namespace, one.name): one for one in quotas}
    known = ClusterObjects(**{"quotas": table, **objects})
    snapshot = replace(a_snapshot(a_node("n1")), objects=known)
    watches = {"resourcequotas": Watched(watched)}
    look = Look(MOMENT, snapshot, freshness, (), watches, {}, None, False, Grant(), namespace)
    return cluster_of(look)


def words(cluster: Cluster, language: str = "en") -> list[str]:
    assert cluster.quotas is not None
    with speaking(language):
        return [quota_in_words(one) for one in cluster.quotas]


@pytest.mark.parametrize(
    ("hard", "used", "told"),
    [
        pytest.param({GPUS: "8"}, {GPUS: "6"}, ["6 of 8 GPUs taken"], id="some are left"),
        pytest.param({GPUS: "8"}, {GPUS: "8"}, ["8 of 8 GPUs taken: used up"], id="used up"),
        pytest.param(
            {GPUS: "8"},
            {},
            ["at most 8 GPUs; how much of that is taken is unknown"],
            id="not counted yet is not zero",
        ),
        pytest.param(
            {"cpu": "8", "limits.memory": "64Gi", "pods": "30"},
            {"cpu": "500m", "limits.memory": "1Gi", "pods": "1"},
            [
                "0.5 of 8 CPU cores taken",
                "1 GiB of 64 GiB of memory in limits taken",
                "1 of 30 pods taken",
            ],
            id="all else that pods are charged",
        ),
        pytest.param({"services": "5"}, {"services": "5"}, [], id="what is not about pods"),
        pytest.param({"count/secrets": "5"}, {"count/secrets": "5"}, [], id="nor secrets"),
    ],
)
def test_what_is_used_of_a_quota(
    hard: dict[str, str], used: dict[str, str], told: list[str]
) -> None:
    assert words(said(a_quota(hard=hard, used=used))) == told


def test_in_german() -> None:
    assert words(said(a_quota()), "de") == ["8 von 8 GPUs vergeben: ausgeschöpft"]


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(said(a_quota(), freshness=STALE), id="the cluster is silent"),
        pytest.param(said(a_quota(), watched=NOT_ALLOWED), id="the hub may not see them"),
        pytest.param(said(quotas=None), id="they were not read"),
        pytest.param(said(a_quota(), hides_quotas=True), id="one cannot be read"),
        pytest.param(said(a_quota(), namespace=""), id="each user has a namespace"),
    ],
)
def test_what_is_not_known_is_unknown_and_not_none(cluster: Cluster) -> None:
    assert cluster.quotas is None


def test_other_namespaces_are_nobodys_business() -> None:
    found = said(a_quota("b", "team-b"), a_quota("a", scopes=(Scope("NotTerminating"),)))
    assert found.quotas is not None
    assert [(one.name, one.scoped) for one in found.quotas] == [("a", True)]
    assert said(a_quota("b", "team-b")).quotas == ()
