"""Pools that the catalog describes: with nodes or without, and what is known of their growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from tests.builders import GPU, a_catalog, a_node, a_pod, a_snapshot

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import AutoscalerStatus, Node, NodeGroup, Pod
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.cluster import Cluster, Holder, Look, Watched, cluster_of, picture_of
from gpuspawner.cluster.saying import pool_in_words
from gpuspawner.rights import Grant

from .test_grouping import LIVE, MOMENT, holder

LABELS = {"pool": "v100"}
POOL: dict[str, Any] = {
    "title": "V100 pool",
    "labels": LABELS,
    "allocatable": {"cpu": "5840m", "memory": "104Gi", GPU: 2},
    "most_nodes": 3,
    "autoscaler_group": "v100-vmss",
}
STALE = Freshness("stale", age=300)
IN_ORDER = NodeGroup()


def member(name: str = "m1") -> Node:
    return a_node(name, gpus=2, labels=LABELS)


def said(
    *nodes: Node,
    group: NodeGroup | None = IN_ORDER,
    freshness: Freshness = LIVE,
    status: Freshness = LIVE,
    doubtful: tuple[str, ...] = (),
    ours: Mapping[str, Holder] | None = None,
    pods: Sequence[Pod] = (),
    more: Mapping[str, Any] | None = None,
    **pool: Any,
) -> Cluster:
    """A cluster whose catalog has one pool; `group` is what its autoscaler says of it."""
    groups = {} if group is None else {"v100-vmss": group}
    table = MappingProxyType(
        {("kube-system", "s"): AutoscalerStatus("kube-system", "s", "u", groups)}
    )
    snapshot = replace(a_snapshot(*nodes, *pods), objects=ClusterObjects(autoscaler=table))
    catalog = a_catalog(node_pools={"v100": {**POOL, **pool}, **(more or {})})
    holders = {("jhub", name): one for name, one in (ours or {}).items()}
    watches = {"configmaps": Watched(status)}
    return cluster_of(
        Look(
            MOMENT,
            snapshot,
            freshness,
            doubtful,
            watches,
            holders,
            catalog,
            homes=False,
            grant=Grant(),
        )
    )


BROKEN = NodeGroup(is_healthy=False)
FAILED = NodeGroup(is_backing_off=True)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, (0, 3, "can"), id="no node, and its autoscaler reports nothing"),
        pytest.param({"nodes": 2}, (2, 3, "can"), id="some nodes"),
        pytest.param({"nodes": 3}, (3, 3, "full"), id="all nodes it may have"),
        pytest.param(
            {"nodes": 1, "group": NodeGroup(max_size=1)}, (1, 1, "full"), id="the group's limit"
        ),
        pytest.param({"group": FAILED}, (0, 3, "failed"), id="its last attempt failed"),
        pytest.param({"group": BROKEN}, (0, 3, "unhealthy"), id="unhealthy"),
        pytest.param({"group": None}, (0, 3, "unknown"), id="the status does not name it"),
        pytest.param({"status": STALE}, (0, 3, "unknown"), id="the status is an old one"),
        pytest.param(
            {"autoscaler_group": None}, (0, 3, "unknown"), id="the catalog names no group"
        ),
        pytest.param(
            {"most_nodes": None}, (0, None, "can"), id="nobody says how many it may have"
        ),
        pytest.param(
            {"nodes": 3, "freshness": STALE}, (None, 3, "unknown"), id="the nodes are not known"
        ),
        pytest.param(
            {"doubtful": ("m9",)}, (None, 3, "unknown"), id="a node that cannot be read"
        ),
        pytest.param(
            {"nodes": 1, "doubtful": ("m0",)}, (1, 3, "can"), id="a pod that cannot be read"
        ),
    ],
)  # fmt: skip
def test_what_is_known_of_a_pool(
    known: dict[str, Any], expected: tuple[int | None, int | None, str]
) -> None:
    nodes = [member(f"m{number}") for number in range(known.pop("nodes", 0))]
    (pool,) = said(*nodes, **known).pools
    assert (pool.nodes, pool.most, pool.growth) == expected
    assert (pool.cpu, pool.memory) == (5.84, 104 * 2**30)
    assert [(one.title, one.count) for one in pool.devices] == [("NVIDIA A100", 2)]


def test_a_pool_without_nodes_has_its_place_in_the_picture() -> None:
    (group,) = picture_of(said()).groups
    assert (group.title, group.count, group.rows, group.sums) == ("V100 pool", 0, (), ())
    assert group.pools == (
        (
            "0 nodes now, and at most 3.",
            "A new node offers 2 \N{MULTIPLICATION SIGN} NVIDIA A100, 5.84 CPU cores and 104 GiB "
            "of memory.",
            "The pool's autoscaler last reported nothing that keeps it from growing.",
        ),
    )


def test_a_pool_with_nodes_is_where_these_are() -> None:
    (group,) = picture_of(said(member())).groups
    assert (group.title, group.count, len(group.rows)) == ("V100 pool", 1, 1)
    assert group.pools[0][0] == "1 node now, and at most 3."
    assert picture_of(said(member()), "V100 pool").groups[0].pools == group.pools


def test_the_nodes_of_a_pool_that_is_not_known_are_not_counted() -> None:
    (group,) = picture_of(said(freshness=STALE)).groups
    assert group.count is None
    assert group.pools[0][0] == "How many nodes the pool has is not known; it may have 3."


@pytest.mark.parametrize(
    ("known", "words"),
    [
        pytest.param(
            {"autoscaler_group": None},
            "Whether the pool can grow at present is not known: the catalog does not name its "
            "autoscaler_group.",
            id="what to do about it is said",
        ),
        pytest.param(
            {"group": None},
            "Whether the pool can grow at present is not known: no status of its autoscaler says "
            "so.",
            id="nobody says",
        ),
        pytest.param(
            {"group": FAILED},
            "The pool cannot grow at present: its last attempt failed.",
            id="it cannot",
        ),
    ],
)
def test_growth_in_words(known: dict[str, Any], words: str) -> None:
    (pool,) = said(**known).pools
    assert pool_in_words(pool)[-1] == words


PROMISED = {
    "p": holder("anna", phase="starting", awaits_node_of="V100 pool"),
    "q": holder("bert", phase="starting", awaits_node_of="V100 pool"),
    "r": holder("cleo", phase="starting"),
}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, 2, id="two starts that were promised a node"),
        pytest.param(
            {"nodes": [member()], "pods": [a_pod("p", node="m1", gpus=2)]}, 1, id="one has its node"
        ),
        pytest.param({"ours": {}}, 0, id="nobody"),
        pytest.param({"freshness": STALE}, None, id="a cluster that is not known"),
        pytest.param({"more": {"other": POOL}}, None, id="two pools of one title"),
    ],
)
def test_who_waits_for_a_new_node(known: dict[str, Any], expected: int | None) -> None:
    nodes = known.pop("nodes", ())
    pool = said(*nodes, **{"ours": PROMISED, **known}).pools[0]
    assert pool.awaited_by == expected
    words = {1: "1 start of this hub waits for", 2: "2 starts of this hub wait for"}
    told = " ".join(pool_in_words(pool))
    assert "for a new node" in told if expected else "for a new node" not in told
    assert words.get(expected or 0, "") in told
