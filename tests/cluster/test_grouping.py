"""What is said of each node's units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import GPU, a_catalog, a_node, a_pod, a_snapshot

from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.capacity.model import Taint
from gpuspawner.cluster import Cluster, ClusterUnits, ClusterWait, Holder, Look, Watched, cluster_of
from gpuspawner.cluster.grouping import natural
from gpuspawner.cluster.saying import phase_in_words
from gpuspawner.rights import Grant

NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")
PENDING = {"nvidia.com/mig.config.state": "pending"}
FAILED = {"nvidia.com/mig.config.state": "failed"}
LIVE = Freshness("live", age=0.2)
MOMENT = datetime(2026, 11, 23, 4, 30, 5, tzinfo=UTC)


def holder(user: str = "anna", **fields: Any) -> Holder:
    known: dict[str, Any] = {
        "user": user,
        "server": "",
        "profile": "gpu",
        "title": "One GPU",
        "asks_for_devices": True,
        "since": MOMENT,
        "phase": "running",
    }
    return Holder(**{**known, **fields})


def said(
    *things: Any,
    ours: Mapping[str, Holder] | None = None,
    freshness: Freshness = LIVE,
    doubtful: tuple[str | None, ...] = (),
    watches: Mapping[str, Watched] | None = None,
    catalog: Any = None,
) -> Cluster:
    return cluster_of(
        Look(
            taken=MOMENT,
            snapshot=a_snapshot(*things),
            freshness=freshness,
            doubtful=doubtful,
            watches=watches or {},
            holders={("jhub", name): one for name, one in (ours or {}).items()},
            catalog=catalog,
            homes=False,
            grant=Grant(),
        )
    )


def units(cluster: Cluster) -> list[tuple[str, str, int]]:
    return [
        (one.state, one.profile, one.count)
        for group in cluster.groups or ()
        for node in group.nodes
        for devices in node.devices
        for one in devices.units
    ]


@pytest.mark.parametrize(
    ("node", "pods", "doubtful", "expected"),
    [
        pytest.param({"gpus": 2}, {}, (), [("free", "", 2)], id="all free"),
        pytest.param(
            {"gpus": 2}, {"ours": 1}, (), [("ours", "gpu", 1), ("free", "", 1)], id="ours"
        ),
        pytest.param({"gpus": 2}, {"x": 2}, (), [("others", "", 2)], id="another's pod"),
        pytest.param(
            {"gpus": 16}, {"ours": 3, "x": 4}, (),
            [("ours", "gpu", 3), ("others", "", 4), ("free", "", 9)], id="a node of sixteen",
        ),
        pytest.param(
            {"gpus": 6, "capacity": {GPU: 8}}, {}, (),
            [("free", "", 6), ("unhealthy", "", 2)], id="two fewer allocatable than there are",
        ),
        pytest.param(
            {"gpus": 1, "capacity": {GPU: 2}}, {"x": 2}, (),
            [("others", "", 2)], id="one that is in use is unhealthy: which, nobody tells",
        ),
        pytest.param(
            {"gpus": 0}, {"x": 1}, (), [("others", "", 1)], id="in use, the plugin is gone"
        ),
        pytest.param(
            {"gpus": 2, "unschedulable": True}, {"x": 1}, (),
            [("others", "", 1), ("closed", "", 1)], id="cordoned: what is left is not free",
        ),
        pytest.param(
            {"gpus": 2, "taints": [NOT_READY]}, {}, (), [("closed", "", 2)], id="not ready"
        ),
        pytest.param(
            {"gpus": 2, "labels": PENDING}, {"x": 1}, (),
            [("others", "", 1), ("reconfiguring", "", 1)], id="MIG is being reconfigured",
        ),
        pytest.param(
            {"gpus": 2, "labels": PENDING, "unschedulable": True}, {}, (),
            [("reconfiguring", "", 2)], id="MIG is being reconfigured on a cordoned node",
        ),
        pytest.param(
            {"gpus": 2, "labels": FAILED}, {}, (), [("free", "", 2)],
            id="what is offered after a failed reconfiguration can be had",
        ),
        pytest.param(
            {"gpus": 2}, {"ours": 1}, ("n1",), [("ours", "gpu", 1), ("unknown", "", 1)],
            id="a pod there cannot be read",
        ),
        pytest.param(
            {"gpus": 2}, {}, (None,), [("unknown", "", 2)], id="a pod anywhere cannot be read"
        ),
        pytest.param(
            {"gpus": 2, "unschedulable": True}, {}, ("n1",), [("unknown", "", 2)],
            id="unknown comes before closed",
        ),
    ],
)  # fmt: skip
def test_the_units_of_a_node(
    node: dict[str, Any],
    pods: dict[str, int],
    doubtful: tuple[str | None, ...],
    expected: list[tuple[str, str, int]],
) -> None:
    there = [a_pod(name, gpus=count) for name, count in pods.items()]
    assert (
        units(said(a_node(**node), *there, ours={"ours": holder()}, doubtful=doubtful)) == expected
    )


@pytest.mark.parametrize(
    "freshness",
    [
        pytest.param(Freshness("stale", age=300), id="the cluster does not answer"),
        pytest.param(Freshness("starting"), id="not all of it was read"),
        pytest.param(
            Freshness("denied", age=3, missing=(Permission("watch", "pods"),)), id="not allowed"
        ),
    ],
)
def test_unless_it_is_live_everything_is_unknown(freshness: Freshness) -> None:
    node = a_node(gpus=4, capacity={GPU: 5})
    found = said(node, a_pod("p", gpus=1), a_node("c"), ours={"p": holder()}, freshness=freshness)
    assert units(found) == [("unknown", "", 5)]
    assert found.plain is not None
    assert (found.plain.cpu_used, found.plain.memory_used) == (None, None)
    assert [(one.node, one.held) for one in found.holdings] == [(None, None)]


@pytest.mark.parametrize(
    ("freshness", "is_known"),
    [
        pytest.param(Freshness("denied"), False, id="nodes that were never seen are not none"),
        pytest.param(LIVE, True, id="a cluster without nodes"),
    ],
)
def test_no_nodes(freshness: Freshness, *, is_known: bool) -> None:
    found = said(freshness=freshness)
    assert (found.groups == (), found.plain is not None) == (is_known, is_known)
    assert (found.groups is None) is not is_known


@pytest.mark.parametrize(
    ("labels", "gpus", "expected"),
    [
        pytest.param({}, 1, "NVIDIA A100", id="what the catalog calls its devices"),
        pytest.param({"nvidia.com/gpu.product": "L40S"}, 1, "L40S", id="the product's label"),
        pytest.param({"nvidia.com/gpu.present": "true"}, 0, "", id="a node that offers none now"),
        pytest.param(PENDING, 0, "", id="one that is being reconfigured and offers none"),
        pytest.param({}, 0, None, id="a node without devices"),
    ],
)
def test_the_group_of_a_node(labels: dict[str, str], gpus: int, expected: str | None) -> None:
    accelerator = {"title": "NVIDIA A100", "resource": GPU}
    catalog = a_catalog(accelerators={"a100": accelerator})
    found = said(a_node(gpus=gpus, labels=labels), catalog=catalog)
    assert [group.title for group in found.groups or ()] == ([] if expected is None else [expected])
    assert found.plain is not None
    assert found.plain.nodes == (expected is None)


def test_nodes_are_in_the_order_of_their_numbers() -> None:
    names = ["n10", "n2", "n1", "a", "1", ""]
    assert sorted(names, key=natural) == ["", "1", "a", "n1", "n2", "n10"]


def test_who_has_what() -> None:
    ours = {
        "p": holder("bert", server="lab"),
        "waits": holder("anna", phase="starting"),
        "plain": holder("cleo", asks_for_devices=False),
        "odd": holder("dora", asks_for_devices=None, profile="", title="unknown"),
    }
    pods = [a_pod("p", gpus=2), a_pod("plain"), a_pod("odd"), a_pod("p", namespace="other", gpus=1)]
    found = said(a_node(gpus=4), *pods, ours=ours)
    assert [
        (one.user, one.server, one.node, [(held.resource, held.count) for held in one.held or ()])
        for one in found.holdings
    ] == [("anna", "", None, []), ("bert", "lab", "n1", [(GPU, 2)])]
    assert found.holdings[1].since == "2026-11-23T04:30:05Z"
    assert [phase_in_words(one) for one in found.holdings] == ["starting", "running"]
    assert found.without_devices == 2
    # A pod of the same name in another namespace is none of ours.
    assert units(found) == [("ours", "gpu", 2), ("others", "", 1), ("free", "", 1)]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param(2, "waits in line, place 2", id="as whoever waits reads it"),
        pytest.param(None, "waits in line", id="a place that is not known is not said"),
    ],
)
def test_who_waits_in_line(place: int | None, words: str) -> None:
    wait = ClusterWait("2026-11-23T04:20:00Z", place)
    [one] = said(a_node(gpus=1), ours={"p": holder(phase="starting", in_line=wait)}).holdings
    assert one.in_line == wait
    assert phase_in_words(one) == words


@given(
    allocatable=st.integers(0, 20),
    broken=st.integers(0, 5),
    ours=st.integers(0, 12),
    others=st.integers(0, 12),
    cordoned=st.booleans(),
    doubtful=st.sampled_from([(), ("n1",), (None,)]),
)
def test_no_unit_is_drawn_twice_and_none_is_free_that_is_not(
    *,
    allocatable: int,
    broken: int,
    ours: int,
    others: int,
    cordoned: bool,
    doubtful: tuple[str | None, ...],
) -> None:
    node = a_node(gpus=allocatable, capacity={GPU: allocatable + broken}, unschedulable=cordoned)
    pods = [a_pod("ours", gpus=ours), a_pod("x", gpus=others)]
    found = units(said(node, *pods, ours={"ours": holder()}, doubtful=doubtful))
    count = dict.fromkeys(("free", "ours", "others"), 0)
    for state, _, number in found:
        assert number > 0
        count[state] = count.get(state, 0) + number
    assert sum(count.values()) == max(allocatable + broken, ours + others)
    assert (count["ours"], count["others"]) == (ours, others)
    is_open = not cordoned and not doubtful
    assert count["free"] == (max(0, allocatable - ours - others) if is_open else 0)


def test_a_unit_that_others_have_is_of_no_profile() -> None:
    found = said(a_node(gpus=1), a_pod("x", gpus=1))
    assert found.groups is not None
    assert found.groups[0].nodes[0].devices[0].units == (ClusterUnits("others", "", 1),)


def test_slices_of_two_sizes_with_one_title_are_told_apart() -> None:
    sizes = ("nvidia.com/mig-1g.5gb", "nvidia.com/mig-2g.10gb")
    accelerators = {
        size[-3:]: {"title": "MIG slice", "resource": size, "sharing": "mig"} for size in sizes
    }
    node = a_node(allocatable=dict.fromkeys(sizes, 2))
    [group] = said(node, catalog=a_catalog(accelerators=accelerators)).groups or ()
    assert group.title == "MIG slice"
    titles = [devices.title for one in group.nodes for devices in one.devices]
    assert titles == ["MIG slice, mig-1g.5gb", "MIG slice, mig-2g.10gb"]
