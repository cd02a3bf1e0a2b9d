"""What quotas say to a pod, in the API server's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import PodRequest, read_quota, read_request
from gpuspawner.errors import MalformedObjectError
from gpuspawner.fit import judge
from gpuspawner.fit.quota import spelled
from gpuspawner.quantity import parse_quantity

from ..builders import GPU, a_node

GPUS = f"requests.{GPU}"


def a_quota(
    hard: Mapping[str, str | int],
    used: Mapping[str, str | int] | None = None,
    *,
    name: str = "hub",
    namespace: str = "jhub",
    **spec: Any,
) -> dict[str, Any]:
    """A ResourceQuota as the API server gives it; nothing is used unless `used` says so."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": {**dict.fromkeys(hard, "0"), **(used or {})}},
    }


def a_pod(asked: Mapping[str, Any] | None = None, **spec: Any) -> PodRequest:
    """A pod with one container ``notebook``."""
    container = {"name": "notebook", "resources": asked or {}}
    spec = {"containers": [container], **spec}
    return read_request({"metadata": {"namespace": "jhub"}, "spec": spec})


def limited(**quantities: str | int) -> dict[str, Any]:
    return {"limits": {GPU if name == "gpus" else name: q for name, q in quantities.items()}}


def cluster(*quotas: Mapping[str, Any]) -> Snapshot:
    index = ClusterIndex()
    index.replace_nodes([a_node(gpus=8)])
    index.objects.table("quotas").replace(map(read_quota, quotas))
    return index.snapshot()


ONE_GPU = a_pod(limited(gpus=1))
CPU_AND_MEMORY = a_pod(limited(cpu=2, memory="4Gi"))
SMALL = a_pod({"requests": {"cpu": "500m", "memory": "512Mi"}})
NOTHING = a_pod()


@pytest.mark.parametrize(
    ("request_", "quota", "words"),
    [
        pytest.param(ONE_GPU, a_quota({GPUS: 4}, {GPUS: 3}), "", id="up to the limit"),
        pytest.param(
            ONE_GPU,
            a_quota({GPUS: 4}, {GPUS: 4}),
            f"exceeded quota: hub, requested: {GPUS}=1, used: {GPUS}=4, limited: {GPUS}=4",
            id="not beyond it",
        ),
        pytest.param(
            ONE_GPU,
            a_quota({"pods": 10, GPUS: 1}, {"pods": 10, GPUS: 1}),
            f"exceeded quota: hub, requested: pods=1,{GPUS}=1, "
            f"used: pods=10,{GPUS}=1, limited: pods=10,{GPUS}=1",
            id="all that is exceeded is named, in order",
        ),
        pytest.param(
            ONE_GPU, a_quota({GPU: 0}), "", id="extended resources count as requests only"
        ),
        pytest.param(
            ONE_GPU, a_quota({"cpu": 0, "services": 0}, name="x"), None, id="cpu must be given"
        ),
        pytest.param(ONE_GPU, a_quota({"services": 0}), "", id="what is not of pods is not asked"),
        pytest.param(
            ONE_GPU,
            a_quota({GPUS: 0}, namespace="other"),
            "",
            id="the quota of another namespace is not asked",
        ),
        pytest.param(
            ONE_GPU,
            a_quota({"count/pods": 3}, {"count/pods": 3}),
            "exceeded quota: hub, requested: count/pods=1, used: count/pods=3, "
            "limited: count/pods=3",
            id="pods count as objects, too",
        ),
        pytest.param(
            SMALL,
            a_quota({"cpu": 1, "memory": "1Gi"}, {"cpu": "600m", "memory": "768Mi"}),
            "exceeded quota: hub, requested: cpu=500m,memory=512Mi, used: cpu=600m,memory=768Mi, "
            "limited: cpu=1,memory=1Gi",
            id="cpu and memory mean what is requested of them",
        ),
        pytest.param(
            CPU_AND_MEMORY,
            a_quota({"requests.cpu": "1500m", "limits.memory": "2Gi"}),
            "exceeded quota: hub, requested: limits.memory=4Gi,requests.cpu=2, "
            "used: limits.memory=0,requests.cpu=0, limited: limits.memory=2Gi,requests.cpu=1500m",
            id="a limit stands in for a request that is left out",
        ),
        pytest.param(
            a_pod(limited(cpu=1), initContainers=[{"name": "init", "resources": limited(cpu=4)}]),
            a_quota({"limits.cpu": 2}),
            "exceeded quota: hub, requested: limits.cpu=4, used: limits.cpu=0, "
            "limited: limits.cpu=2",
            id="limits add up as requests do",
        ),
        pytest.param(
            a_pod(limited(cpu=1), overhead={"cpu": "250m", "memory": "64Mi"}),
            a_quota({"limits.cpu": 1}),
            "exceeded quota: hub, requested: limits.cpu=1250m, used: limits.cpu=0, "
            "limited: limits.cpu=1",
            id="the overhead counts where there is a limit",
        ),
        pytest.param(
            a_pod(resources=limited(cpu=3)),
            a_quota({"limits.cpu": 2, "memory": "1Gi"}),
            "exceeded quota: hub, requested: limits.cpu=3, used: limits.cpu=0, "
            "limited: limits.cpu=2",
            id="resources of the pod as a whole need none of its containers",
        ),
        pytest.param(
            SMALL,
            a_quota({"limits.cpu": 9, "limits.memory": "9Gi", "requests.cpu": 9}),
            "failed quota: hub: must specify limits.cpu for: notebook; limits.memory for: notebook",
            id="a quota of limits wants limits",
        ),
        pytest.param(
            a_pod(limited(cpu=1), initContainers=[{"name": "b"}, {"name": "a"}]),
            a_quota({"cpu": 0}),
            "failed quota: hub: must specify cpu for: a,b",
            id="every container must say, and that comes before the sum",
        ),
        pytest.param(
            a_pod({"requests": {"hugepages-2Mi": "4Mi", "ephemeral-storage": "2G"}}),
            a_quota({"requests.hugepages-2Mi": "2Mi", "ephemeral-storage": "1G"}),
            "exceeded quota: hub, requested: ephemeral-storage=2G,requests.hugepages-2Mi=4Mi, "
            "used: ephemeral-storage=0,requests.hugepages-2Mi=0, "
            "limited: ephemeral-storage=1G,requests.hugepages-2Mi=2Mi",
            id="huge pages and disk need not be given, but count",
        ),
        pytest.param(
            a_pod({"requests": {GPU: 0}}), a_quota({GPUS: 0}), "", id="zero is never too much"
        ),
    ],
)
def test_one_quota(request_: PodRequest, quota: dict[str, Any], words: str | None) -> None:
    if words is None:
        words = "failed quota: x: must specify cpu for: notebook"
    verdict = judge(request_, cluster(quota))
    assert verdict.refusal == words
    if words:
        assert (verdict.fits, verdict.slots, verdict.evicts) == (False, 0, 0)


def in_classes(operator: str, *values: str) -> dict[str, Any]:
    terms = [{"scopeName": "PriorityClass", "operator": operator, "values": list(values)}]
    return {"scopeSelector": {"matchExpressions": terms}}


def near_other_namespaces(kind: str) -> dict[str, Any]:
    term: dict[str, Any] = {"topologyKey": "zone", "namespaceSelector": {}}
    if kind.startswith("preferred"):
        term = {"weight": 1, "podAffinityTerm": term}
    return {"affinity": {"podAffinity": {f"{kind}DuringSchedulingIgnoredDuringExecution": [term]}}}


@pytest.mark.parametrize(
    ("pod", "scope", "counts"),
    [
        pytest.param({}, {"scopes": ["NotTerminating"]}, True, id="a pod without a deadline"),
        pytest.param({}, {"scopes": ["Terminating"]}, False, id="is not a terminating one"),
        pytest.param(
            {"activeDeadlineSeconds": 0}, {"scopes": ["Terminating"]}, True, id="a deadline is"
        ),
        pytest.param({}, {"scopes": ["BestEffort"]}, True, id="devices alone are best effort"),
        pytest.param(
            {"resources": limited(cpu=1)},
            {"scopes": ["NotBestEffort"]},
            True,
            id="cpu of the pod as a whole is not",
        ),
        pytest.param(
            {"initContainers": [{"name": "i", "resources": limited(memory=1)}]},
            {"scopes": ["BestEffort"]},
            False,
            id="nor is memory of an init container",
        ),
        pytest.param(
            {}, {"scopes": ["BestEffort", "Terminating"]}, False, id="all scopes must hold"
        ),
        pytest.param({}, {"scopes": ["PriorityClass"]}, False, id="no class is not any class"),
        pytest.param(
            {"priorityClassName": "high"}, {"scopes": ["PriorityClass"]}, True, id="a class is"
        ),
        pytest.param(
            {"priorityClassName": "high"}, in_classes("In", "low", "high"), True, id="one of them"
        ),
        pytest.param({}, in_classes("In", "high"), False, id="no class is none of them"),
        pytest.param(
            {"priorityClassName": "high"}, in_classes("NotIn", "high"), False, id="excluded"
        ),
        pytest.param({}, in_classes("NotIn", "high"), True, id="no class is not excluded"),
        pytest.param({}, in_classes("DoesNotExist"), True, id="no class wanted, none there"),
        pytest.param(
            {"priorityClassName": "high"}, in_classes("DoesNotExist"), False, id="but one there"
        ),
        pytest.param(
            near_other_namespaces("required"),
            {"scopes": ["CrossNamespacePodAffinity"]},
            True,
            id="a required term across namespaces",
        ),
        pytest.param(
            near_other_namespaces("preferred"),
            {"scopes": ["CrossNamespacePodAffinity"]},
            True,
            id="a preferred one, too",
        ),
        pytest.param(
            {}, {"scopes": ["CrossNamespacePodAffinity"]}, False, id="no terms cross nothing"
        ),
        pytest.param({}, {"scopes": ["VolumeAttributesClass"]}, False, id="a scope of other kinds"),
    ],
)
def test_scopes(pod: dict[str, Any], scope: dict[str, Any], counts: bool) -> None:
    request = a_pod(limited(gpus=1), **pod)
    verdict = judge(request, cluster(a_quota({GPUS: 0}, **scope)))
    assert bool(verdict.refusal) is counts


def test_of_several_quotas_the_first_that_is_exceeded_speaks() -> None:
    quotas = [a_quota({GPUS: hard}, name=name) for name, hard in (("c", 0), ("a", 9), ("b", 0))]
    assert judge(ONE_GPU, cluster(*quotas)).refusal.startswith("exceeded quota: b,")


def test_what_is_missing_is_said_before_anything_is_added_up() -> None:
    quotas = [a_quota({GPUS: 0}, name="a"), a_quota({"cpu": 9}, name="b")]
    words = "failed quota: b: must specify cpu for: notebook"
    assert judge(ONE_GPU, cluster(*quotas)).refusal == words


def test_a_quota_that_nobody_has_counted_yet_refuses() -> None:
    quota = a_quota({"pods": 4, GPUS: 4})
    del quota["status"]["used"]["pods"]
    words = f"status unknown for quota: hub, resources: pods,{GPUS}"
    assert judge(ONE_GPU, cluster(quota)).refusal == words


def test_a_quota_that_no_controller_has_taken_up_does_not_bind() -> None:
    quota = a_quota({GPUS: 0})
    del quota["status"]
    assert judge(ONE_GPU, cluster(quota)).refusal == ""


def test_quotas_that_are_not_known_refuse_nothing_but_then_nobody_knows_how_many_fit() -> None:
    index = ClusterIndex()
    index.replace_nodes([a_node(gpus=8)])
    verdict = judge(ONE_GPU, index.snapshot())
    assert (verdict.refusal, verdict.fits, verdict.slots) == ("", True, None)


@pytest.mark.parametrize(("used", "fits"), [(4, False), (0, None)])
def test_a_quota_that_cannot_be_read_does_not_lift_the_others(used: int, fits: bool | None) -> None:
    index = ClusterIndex()
    index.replace_nodes([a_node(gpus=8)])
    table = index.objects.table("quotas")
    table.replace([read_quota(a_quota({GPUS: 4}, {GPUS: used}))])
    table.put_unreadable("jhub", "odd", "u")
    verdict = judge(ONE_GPU, index.snapshot())
    assert (verdict.fits, bool(verdict.refusal)) == (fits, used == 4)
    assert verdict.unchecked == ("ResourceQuota",)
    table.drop("jhub", "odd", "u")
    assert judge(ONE_GPU, index.snapshot()).fits is (used == 0)


@pytest.mark.parametrize(
    ("quotas", "slots"),
    [
        pytest.param([], 8, id="none: as many as the nodes take"),
        pytest.param([a_quota({GPUS: 5}, {GPUS: 2})], 3, id="what is left of one"),
        pytest.param([a_quota({GPUS: 99})], 8, id="more than the nodes take"),
        pytest.param(
            [a_quota({GPUS: 5}), a_quota({"pods": 2}, name="b")], 2, id="the least of several"
        ),
        pytest.param([a_quota({GPUS: 4}, scopes=["Terminating"])], 8, id="one that does not count"),
    ],
)
def test_how_many_more(quotas: list[dict[str, Any]], slots: int) -> None:
    verdict = judge(ONE_GPU, cluster(*quotas))
    assert (verdict.slots, verdict.is_bounded) == (slots, slots < 8)


def test_a_pod_that_could_be_anywhere_is_refused_for_certain() -> None:
    request = replace(ONE_GPU, unchecked=("csi",))
    assert judge(request, cluster(a_quota({GPUS: 0}))).fits is False


@pytest.mark.parametrize(
    ("value", "binary", "text"),
    [
        pytest.param("1.5", False, "1500m", id="thousandths"),
        pytest.param("2000m", False, "2", id="whole again"),
        pytest.param("12000", False, "12k", id="thousands"),
        pytest.param("1100", False, "1100", id="not whole thousands"),
        pytest.param("1.5Gi", True, "1536Mi", id="the largest that leaves it whole"),
        pytest.param("512", True, "512", id="less than one Ki"),
        pytest.param("16G", False, "16G", id="as it was given"),
    ],
)
def test_spelling(value: str, binary: bool, text: str) -> None:
    assert spelled(parse_quantity(value), binary) == text


@given(st.integers(1, 10**18), st.booleans())
def test_a_spelling_means_the_same(value: int, binary: bool) -> None:
    assert parse_quantity(spelled(Fraction(value, 1 if binary else 1000), binary)) == Fraction(
        value, 1 if binary else 1000
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"metadata": {}}, id="no name"),
        pytest.param({}, id="no metadata"),
        pytest.param(
            {"metadata": {"name": "q"}, "status": {"hard": {"pods": "x"}}}, id="no number"
        ),
        pytest.param({"metadata": {"name": "q"}, "spec": {"scopes": "x"}}, id="no list"),
    ],
)
def test_what_is_no_quota(raw: dict[str, Any]) -> None:
    with pytest.raises(MalformedObjectError):
        read_quota(raw)
