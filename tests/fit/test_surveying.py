"""What makes the checks of the cluster look at a pod at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuspawner.capacity.model import (
    READ_WRITE_ONCE_POD,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    ResourceClaimRef,
    SpreadConstraint,
)
from gpuspawner.fit import judge
from gpuspawner.fit.reasons import Blocked
from gpuspawner.fit.surveying import Survey

from ..builders import GPU, a_cluster, a_node, a_pod, a_request, a_snapshot, altered
from ..storage_builders import a_claim, a_mounting_pod, mounting

WEB = {"app": "web"}
APART = PodAffinityTerm("kubernetes.io/hostname", (Requirement("app", "In", ("web",)),))
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
PLAIN = a_request(gpus=1, labels=WEB)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(PLAIN, claims=("home",)), id="a volume claim"),
        pytest.param(
            replace(PLAIN, spread=(SpreadConstraint("zone", 1, None),)), id="a spread constraint"
        ),
        pytest.param(replace(PLAIN, pod_affinity=(APART,)), id="affinity to pods"),
        pytest.param(replace(PLAIN, pod_anti_affinity=(APART,)), id="anti-affinity to pods"),
        pytest.param(
            replace(PLAIN, resource_claims=(ResourceClaimRef("gpu", claim="one"),)),
            id="a resource claim",
        ),
        pytest.param(replace(PLAIN, delegable=frozenset({GPU})), id="a resource of DRA"),
    ],
)
def test_a_pod_that_asks_for_more_than_its_node_can_tell(request_: PodRequest) -> None:
    survey = Survey(request_, a_snapshot(a_node()))
    assert survey.is_needed
    assert survey or survey.blocked


@pytest.mark.parametrize(
    ("namespace", "term", "is_needed"),
    [
        pytest.param("jhub", APART, True, id="one of its namespace"),
        pytest.param("other", APART, False, id="one of another namespace that means its own"),
        pytest.param(
            "other", replace(APART, namespaces=("jhub",)), True, id="one of another that means it"
        ),
    ],
)
def test_a_pod_that_others_keep_away(
    namespace: str, term: PodAffinityTerm, is_needed: bool
) -> None:
    repelling = altered(a_pod(node="n1", anti_affinity=(term,)), namespace=namespace)
    survey = Survey(PLAIN, a_snapshot(a_node(), repelling))
    assert (survey.is_needed, bool(survey)) == (is_needed, is_needed)


def test_a_pod_of_which_its_nodes_tell_everything() -> None:
    survey = Survey(PLAIN, a_snapshot(a_node(), a_pod(node="n1", labels=WEB)))
    assert (survey.is_needed, bool(survey), survey.blocked) == (False, False, None)


def test_a_pod_that_can_go_nowhere_is_asked_of_no_node() -> None:
    claim = a_claim("home", access_modes=(READ_WRITE_ONCE_POD,), storage_class="")
    user = a_mounting_pod("other", "home", node="n1")
    snapshot = a_cluster(a_node("n1"), a_node("n2"), claim, user)
    survey = Survey(mounting("home"), snapshot)
    assert (len(survey.checks), survey.blocked) == (1, Blocked(UNBOUND))
    verdict = judge(mounting("home"), snapshot)
    assert (verdict.nodes, verdict.reasons) == ({}, {UNBOUND: 2})
