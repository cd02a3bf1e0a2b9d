"""A claim that only one pod of the cluster may use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit.volume_restrictions import prepare

from ..builders import a_cluster, a_node, a_pod, a_request, altered
from ..storage_builders import (
    a_claim,
    a_mounting_pod,
    a_new_claim,
    answers,
    mounting,
)

ALONE = a_claim(access_modes=("ReadWriteOncePod",))
SHARED = a_claim(access_modes=("ReadWriteMany",))
IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
    "already in-use by another pod"
)


@pytest.mark.parametrize(
    ("request_", "things", "expected"),
    [
        pytest.param(mounting("home"), [ALONE], {"n1": [], "n2": []}, id="nobody uses it"),
        pytest.param(
            mounting("home"),
            [ALONE, a_mounting_pod("other", "home", node="n2")],
            {"n1": [IN_USE], "n2": [IN_USE]},
            id="in use on one node, it is in use on all of them",
        ),
        pytest.param(
            mounting("home"),
            [SHARED, a_mounting_pod("other", "home", node="n2")],
            {"n1": [], "n2": []},
            id="other access modes may be shared",
        ),
        pytest.param(
            mounting("home"),
            [ALONE, a_mounting_pod("other", "home", namespace="elsewhere")],
            {"n1": [], "n2": []},
            id="a claim of the same name in another namespace is another claim",
        ),
        pytest.param(
            mounting("home"),
            [ALONE, altered(a_mounting_pod("other", "home"), node=None)],
            {"n1": [], "n2": []},
            id="a pod that waits does not use it yet",
        ),
        pytest.param(
            mounting("home"),
            [ALONE, altered(a_mounting_pod("other", "home"), phase="Succeeded")],
            {"n1": [], "n2": []},
            id="a pod that is done does not use it any more",
        ),
        pytest.param(
            mounting("home"),
            [],
            'persistentvolumeclaim "home" not found',
            id="a claim that is not there and will not be made blocks the pod",
        ),
        pytest.param(
            mounting(to_make=[a_new_claim(access_modes=("ReadWriteOncePod",))]),
            [],
            {"n1": [], "n2": []},
            id="a claim that will be made is taken for made",
        ),
        pytest.param(
            mounting(to_make=[a_new_claim(is_ephemeral=True)]),
            [ALONE, a_mounting_pod("other", "home")],
            {"n1": [], "n2": []},
            id="the claim of an ephemeral volume is not asked about",
        ),
        pytest.param(
            mounting(to_make=[a_new_claim()]),
            [ALONE, a_mounting_pod("other", "home")],
            {"n1": [IN_USE], "n2": [IN_USE]},
            id="a claim that is there goes before the one that would be made",
        ),
    ],
)
def test_one_pod_alone(request_: PodRequest, things: list[Any], expected: object) -> None:
    snapshot = a_cluster(a_node("n1"), a_node("n2"), *things)
    assert answers(prepare(request_, snapshot), snapshot) == expected


def test_without_the_pod_that_uses_it_the_claim_is_free() -> None:
    snapshot = a_cluster(
        a_node("n1"), ALONE, a_mounting_pod("other", "home"), a_mounting_pod("third", "data")
    )
    check = prepare(mounting("home"), snapshot)
    state = snapshot.nodes["n1"]
    assert callable(check)
    assert check(state)
    assert check(replace(state, pods=tuple(p for p in state.pods if p.name == "other")))
    assert not check(replace(state, pods=tuple(p for p in state.pods if p.name == "third")))


def test_claims_that_cannot_be_seen_leave_every_node_unknown() -> None:
    snapshot = a_cluster(a_node("n1"), unknown=["claims"])
    assert answers(prepare(mounting("home"), snapshot), snapshot) == {
        "n1": ["PersistentVolumeClaim"]
    }


def test_a_pod_without_claims_needs_no_check() -> None:
    assert prepare(a_request(), a_cluster(a_node(), a_pod(), unknown=["claims"])) is None
