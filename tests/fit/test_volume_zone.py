"""Volumes whose labels tie them to zones and regions."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.fit.volume_zone import prepare

from ..builders import a_cluster, a_node, a_request
from ..storage_builders import (
    ZONE,
    a_bound_claim,
    a_claim,
    a_new_claim,
    a_volume,
    a_zonal_node,
    answers,
    mounting,
)

OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
ELSEWHERE = ["node(s) had no available volume zone"]


@pytest.mark.parametrize(
    ("labels", "node_labels", "expected"),
    [
        pytest.param({ZONE: "a"}, {ZONE: "a"}, [], id="the same zone"),
        pytest.param({ZONE: "a"}, {ZONE: "b"}, ELSEWHERE, id="another zone"),
        pytest.param({ZONE: "a"}, {}, [], id="a node that says nothing of its place takes all"),
        pytest.param(
            {ZONE: "a"}, {REGION: "r"}, ELSEWHERE, id="a node that says its region only takes none"
        ),
        pytest.param({ZONE: "a__b"}, {ZONE: "b"}, [], id="one of several zones"),
        pytest.param({ZONE: "a__b"}, {ZONE: "c"}, ELSEWHERE, id="none of several zones"),
        pytest.param(
            {ZONE: "a__"}, {ZONE: "c"}, [], id="a label with an empty part is passed over"
        ),
        pytest.param({OLD_ZONE: "a"}, {ZONE: "a"}, [], id="the old label finds the new one"),
        pytest.param({ZONE: "a"}, {OLD_ZONE: "a"}, ELSEWHERE, id="the new one not the old one"),
        pytest.param(
            {OLD_ZONE: "a"}, {OLD_ZONE: "b", ZONE: "a"}, ELSEWHERE, id="the label itself goes first"
        ),
        pytest.param(
            {ZONE: "a", REGION: "s"}, {ZONE: "a", REGION: "r"}, ELSEWHERE, id="all labels count"
        ),
        pytest.param({"tier": "fast"}, {ZONE: "a"}, [], id="other labels do not count"),
    ],
)
def test_zones(labels: dict[str, str], node_labels: dict[str, str], expected: list[str]) -> None:
    snapshot = a_cluster(a_node(labels=node_labels), a_bound_claim(), a_volume(labels=labels))
    assert answers(prepare(mounting("home"), snapshot), snapshot) == {"n1": expected}


@pytest.mark.parametrize(
    ("things", "unknown", "expected"),
    [
        pytest.param(
            [a_bound_claim()],
            [],
            'persistentvolume "pv" not found',
            id="a volume that is gone blocks the pod",
        ),
        pytest.param([a_claim()], [], {"n1": []}, id="a claim without a volume is not asked about"),
        pytest.param(
            [a_bound_claim()],
            ["volumes"],
            {"n1": ["PersistentVolume"]},
            id="volumes that cannot be seen leave it unknown",
        ),
        pytest.param(
            [],
            ["claims"],
            {"n1": ["PersistentVolumeClaim"]},
            id="so do claims that cannot be seen",
        ),
        pytest.param([], [], 'persistentvolumeclaim "home" not found', id="no claim, no pod"),
    ],
)
def test_what_is_there(things: list[Any], unknown: list[str], expected: object) -> None:
    snapshot = a_cluster(a_zonal_node("n1", "a"), *things, unknown=unknown)
    assert answers(prepare(mounting("home"), snapshot), snapshot) == expected


def test_an_ephemeral_volume_is_not_asked_about() -> None:
    request = mounting(to_make=[a_new_claim(is_ephemeral=True)])
    things = a_zonal_node("n1", "a"), a_bound_claim(), a_volume(labels={ZONE: "b"})
    snapshot = a_cluster(*things)
    assert answers(prepare(request, snapshot), snapshot) == {"n1": []}


def test_a_pod_without_claims_needs_no_check() -> None:
    assert prepare(a_request(), a_cluster(a_node(), unknown=["claims"])) is None
