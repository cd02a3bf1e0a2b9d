"""How many volumes a driver attaches to a node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.model import CSINode, PodRequest, VolumeAttachment
from gpuspawner.fit.node_volume_limits import prepare

from ..builders import a_cluster, a_node, a_request
from ..storage_builders import (
    DRIVER,
    a_bound_claim,
    a_claim,
    a_class,
    a_csi_node,
    a_mounting_pod,
    a_new_claim,
    a_volume,
    answers,
    mounting,
)

FULL = ["node(s) exceed max volume count"]
HOME = (a_bound_claim("home", "pv-home"), a_volume("pv-home"))
DATA = (a_bound_claim("data", "pv-data"), a_volume("pv-data"))
USING_DATA = (*DATA, a_mounting_pod("other", "data"))


def limited_to(count: int, driver: str = DRIVER) -> CSINode:
    return a_csi_node(limits={driver: count})


def held(volume: str, node: str = "n1") -> VolumeAttachment:
    return VolumeAttachment(f"of-{volume}", "u", node=node, driver=DRIVER, volume=volume)


def ask(request: PodRequest, *things: Any, unknown: tuple[str, ...] = ()) -> object:
    snapshot = a_cluster(a_node("n1"), *things, unknown=unknown)
    return answers(prepare(request, snapshot), snapshot)


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        pytest.param([], [], id="a node whose drivers say nothing"),
        pytest.param([a_csi_node()], [], id="drivers without a limit"),
        pytest.param([limited_to(0, "other.csi")], [], id="the limit of another driver"),
        pytest.param([limited_to(1)], [], id="room for one"),
        pytest.param([limited_to(0)], FULL, id="room for none"),
        pytest.param([limited_to(2), *USING_DATA], [], id="room besides that of another pod"),
        pytest.param([limited_to(1), *USING_DATA], FULL, id="no room besides that of another pod"),
        pytest.param(
            [limited_to(1), a_mounting_pod("other", "home")],
            [],
            id="a volume that is there already counts once",
        ),
        pytest.param(
            [limited_to(1), a_mounting_pod("other", "gone")],
            [],
            id="a claim that is gone does not count",
        ),
        pytest.param(
            [limited_to(1), *DATA, held("pv-data")],
            FULL,
            id="a volume that is attached still counts without a pod",
        ),
        pytest.param(
            [limited_to(1), *DATA, held("pv-data", "n2")], [], id="not one on another node"
        ),
        pytest.param(
            [limited_to(2), *USING_DATA, held("pv-data")],
            [],
            id="an attached volume of a pod counts once",
        ),
        pytest.param(
            [limited_to(1), held("pv-home")],
            FULL,
            id="the pod's own volume that is attached still counts twice, as the scheduler counts",
        ),
        pytest.param(
            [limited_to(1), held("gone")], [], id="an attachment of a volume that is gone"
        ),
        pytest.param(
            [limited_to(1), a_mounting_pod("other", "theirs", namespace="elsewhere")],
            ["PersistentVolumeClaim of other namespaces"],
            id="a claim of another namespace that was not seen might count",
        ),
        pytest.param(
            [limited_to(2), a_mounting_pod("other", "theirs", namespace="elsewhere")],
            [],
            id="it does not matter where there is room for it",
        ),
    ],
)
def test_limits(things: list[Any], expected: list[str]) -> None:
    assert ask(mounting("home"), *HOME, *things) == {"n1": expected}


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        pytest.param([a_class()], FULL, id="for the driver of its class"),
        pytest.param([a_class(provisioner="other")], [], id="not for another driver"),
        pytest.param([], [], id="for none without the class"),
        pytest.param(
            [
                a_class(provisioner="kubernetes.io/aws-ebs"),
                a_csi_node(limits={"ebs.csi.aws.com": 0}),
            ],
            FULL,
            id="for the driver that took over its class's disks",
        ),
    ],
)
def test_a_claim_without_a_volume_counts(things: list[Any], expected: list[str]) -> None:
    things = [limited_to(0), *things]
    assert ask(mounting("home"), a_claim(), *things) == {"n1": expected}
    assert ask(mounting(to_make=[a_new_claim()]), *things) == {"n1": expected}


def test_a_volume_that_no_driver_attaches_does_not_count() -> None:
    nfs = a_volume("pv-home", driver="", handle="")
    assert ask(mounting("home"), HOME[0], nfs, limited_to(0)) == {"n1": []}


def test_two_claims_need_room_for_two() -> None:
    request = mounting("home", "data")
    assert ask(request, *HOME, *DATA, limited_to(1)) == {"n1": FULL}
    assert ask(request, *HOME, *DATA, limited_to(2)) == {"n1": []}


def test_claims_on_the_same_disk_need_room_for_one() -> None:
    same = replace(DATA[1], handle=HOME[1].handle)
    assert ask(mounting("home", "data"), *HOME, DATA[0], same, limited_to(1)) == {"n1": []}


@pytest.mark.parametrize(
    ("table", "limit", "expected"),
    [
        pytest.param("claims", 1, ["PersistentVolumeClaim"], id="claims"),
        pytest.param("volumes", 1, ["PersistentVolume"], id="volumes"),
        pytest.param("storage_classes", 1, ["StorageClass"], id="classes"),
        pytest.param("csi_nodes", 1, ["CSINode"], id="limits"),
        pytest.param("attachments", 1, ["VolumeAttachment"], id="attachments"),
        pytest.param("attachments", 0, FULL, id="full even without what is attached"),
    ],
)
def test_what_cannot_be_seen_is_unknown(table: str, limit: int, expected: list[str]) -> None:
    found = ask(mounting("home"), *HOME, limited_to(limit), unknown=(table,))
    assert found == {"n1": expected}


def test_attachments_that_cannot_be_seen_do_not_matter_without_a_limit() -> None:
    assert ask(mounting("home"), *HOME, a_csi_node(), unknown=("attachments",)) == {"n1": []}


def test_a_pod_without_claims_needs_no_check() -> None:
    assert prepare(a_request(), a_cluster(a_node(), unknown=["claims"])) is None
