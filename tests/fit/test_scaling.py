"""Pools that can grow by a node, which is never the same as a node that is there."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    READ_WRITE_ONCE_POD,
    AutoscalerStatus,
    Node,
    NodeGroup,
    PodRequest,
    Taint,
    Toleration,
)
from gpuspawner.capacity.model.autoscaler import read_autoscaler_status
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.errors import MalformedObjectError
from gpuspawner.fit import (
    Growth,
    NodeTemplate,
    Shortfall,
    SmallPool,
    Stuck,
    growths,
    too_small,
)

from ..builders import GPU, a_cluster, a_node, a_request, a_snapshot
from ..storage_builders import (
    ZONE,
    a_bound_claim,
    a_mounting_pod,
    a_volume,
    in_zones,
)

SKU = Taint("sku", "gpu", "NoSchedule")
POOL = {"pool": "v100"}
TOLERANT = [Toleration("sku", "Equal", "gpu", "NoSchedule")]
NEW = replace(a_node("new", gpus=4, taints=[SKU]), labels=POOL)
V100 = NodeTemplate("V100 pool", NEW)
ONE = a_request(gpus=1, tolerations=TOLERANT)


def member(number: int) -> Node:
    return a_node(f"m{number}", gpus=4, labels=POOL, taints=[SKU])


def with_autoscaler(snapshot: Snapshot, **groups: NodeGroup) -> Snapshot:
    status = AutoscalerStatus("kube-system", "cluster-autoscaler-status", "u", groups)
    table = MappingProxyType({("kube-system", "cluster-autoscaler-status"): status})
    return replace(snapshot, objects=ClusterObjects(autoscaler=table))


@pytest.mark.parametrize(
    ("request_", "growth"),
    [
        pytest.param(ONE, (Growth("V100 pool", 4),), id="a pool of no nodes can get one"),
        pytest.param(
            a_request(gpus=2, tolerations=TOLERANT),
            (Growth("V100 pool", 2),),
            id="a node takes as many as go into it",
        ),
        pytest.param(
            a_request(gpus=8, tolerations=TOLERANT), (), id="too small a node is of no use"
        ),
        pytest.param(a_request(gpus=1), (), id="neither is one whose taint is not tolerated"),
        pytest.param(
            a_request(gpus=1, tolerations=TOLERANT, node_selector={"pool": "a100"}),
            (),
            id="nor one without the labels",
        ),
    ],
)
def test_a_new_node_is_judged_as_an_empty_one(
    request_: PodRequest, growth: tuple[Growth, ...]
) -> None:
    assert growths(request_, a_snapshot(), [V100]) == growth


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        pytest.param(
            a_request(gpus=8, tolerations=TOLERANT),
            (SmallPool("V100 pool", (Shortfall(GPU, 8, 4),)),),
            id="a node of it has fewer",
        ),
        pytest.param(
            a_request(gpus=8, cpu=1000, tolerations=TOLERANT),
            (SmallPool("V100 pool", (Shortfall(GPU, 8, 4), Shortfall("cpu", 1_000_000, 64_000))),),
            id="each that it has too little of",
        ),
        pytest.param(ONE, (), id="large enough"),
        pytest.param(a_request(gpus=8), (), id="too small, and not for it either"),
    ],
)
def test_a_pool_is_too_small_if_it_is_for_the_pod_otherwise(
    request_: PodRequest, found: tuple[SmallPool, ...]
) -> None:
    assert too_small(request_, [V100]) == found


@pytest.mark.parametrize(
    ("members", "template", "hindrance"),
    [
        pytest.param(1, replace(V100, most=2), None, id="there is room for one more"),
        pytest.param(2, replace(V100, most=2), Stuck.FULL, id="it is as large as it may be"),
        pytest.param(9, V100, None, id="a pool without a limit"),
    ],
)
def test_a_pool_grows_to_its_limit(
    members: int, template: NodeTemplate, hindrance: Stuck | None
) -> None:
    others = [a_node("other", gpus=4)]
    snapshot = a_snapshot(*others, *map(member, range(members)))
    assert growths(ONE, snapshot, [template]) == (Growth("V100 pool", 4, hindrance, nodes=members),)


@pytest.mark.parametrize(
    ("group", "hindrance"),
    [
        pytest.param(NodeGroup(max_size=3), None, id="a group in order"),
        pytest.param(NodeGroup(max_size=1), Stuck.FULL, id="the group's own limit"),
        pytest.param(NodeGroup(is_backing_off=True), Stuck.FAILED, id="backing off"),
        pytest.param(NodeGroup(is_healthy=False), Stuck.UNHEALTHY, id="unhealthy"),
    ],
)
def test_what_the_autoscaler_says_of_the_group(group: NodeGroup, hindrance: Stuck | None) -> None:
    snapshot = with_autoscaler(a_snapshot(member(0)), v100=group, other=NodeGroup(max_size=0))
    [growth] = growths(ONE, snapshot, [replace(V100, group="v100")])
    assert growth.hindrance == hindrance


def test_pools_that_can_grow_now_come_first() -> None:
    full = replace(V100, pool="Full pool", most=1)
    found = growths(ONE, a_snapshot(member(0)), [full, V100])
    assert [growth.pool for growth in found] == ["V100 pool", "Full pool"]


STATUS = """
time: 2026-11-22 10:00:00 +0000 UTC
autoscalerStatus: Running
nodeGroups:
- name: v100
  health: {status: Healthy, cloudProviderTarget: 1, minSize: 0, maxSize: 8}
  scaleUp: {status: Backoff}
- name: a100
  health: {status: Unhealthy, maxSize: 2}
  scaleUp: {status: NoActivity}
- {name: odd, health: nonsense, scaleUp: 3}
- 7
"""


@pytest.mark.parametrize(
    ("status", "groups"),
    [
        pytest.param(
            STATUS,
            {
                "v100": NodeGroup(8, is_backing_off=True),
                "a100": NodeGroup(2, is_healthy=False),
                "odd": NodeGroup(),
            },
            id="groups with their limits and moods",
        ),
        pytest.param(
            f"{STATUS}clusterWide: {{health: {{status: Healthy}}}}",
            {
                "v100": NodeGroup(8, is_backing_off=True),
                "a100": NodeGroup(2, is_healthy=False),
                "odd": NodeGroup(),
            },
            id="a cluster in order",
        ),
        pytest.param(
            f"{STATUS}clusterWide: {{health: {{status: Unhealthy}}}}",
            {
                "v100": NodeGroup(8, is_healthy=False, is_backing_off=True),
                "a100": NodeGroup(2, is_healthy=False),
                "odd": NodeGroup(is_healthy=False),
            },
            id="a cluster in which nothing is scaled",
        ),
        pytest.param("Cluster-autoscaler status at ten o'clock\n", {}, id="the old form"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_reading_the_autoscalers_status(status: str, groups: dict[str, NodeGroup]) -> None:
    obj = {"metadata": {"name": "s", "namespace": "kube-system"}, "data": {"status": status}}
    assert read_autoscaler_status(obj).groups == groups


def test_a_status_that_is_no_yaml_is_malformed() -> None:
    with pytest.raises(MalformedObjectError, match="not YAML"):
        read_autoscaler_status({"metadata": {"name": "s"}, "data": {"status": "a: b: c: ["}})


def test_a_new_node_does_not_help_a_pod_whose_claim_another_pod_has() -> None:
    claim = replace(a_bound_claim("home", "pv"), access_modes=(READ_WRITE_ONCE_POD,))
    volume = a_volume("pv", claim=("jhub", "home", ""))
    request = replace(ONE, claims=("home",))
    free = a_cluster(member(0), claim, volume)
    in_use = a_cluster(member(0), claim, volume, a_mounting_pod("p", "home", node="m0"))
    assert growths(request, free, [V100]) == (Growth("V100 pool", 4, nodes=1),)
    assert growths(request, in_use, [V100]) == ()


def test_a_home_in_a_zone_that_the_template_does_not_tell_leaves_it_open() -> None:
    claim = a_bound_claim("home", "pv")
    volume = a_volume("pv", affinity=in_zones("a"), claim=("jhub", "home", ""))
    request = replace(ONE, claims=("home",))
    snapshot = a_cluster(member(0), claim, volume)
    assert growths(request, snapshot, [V100]) == (
        Growth("V100 pool", 4, is_certain=False, nodes=1),
    )
    zonal = replace(V100, node=replace(NEW, labels={**POOL, ZONE: "a"}))
    assert growths(request, snapshot, [zonal]) == (Growth("V100 pool", 4),)
