"""ResourceClaims, and extended resources that DRA serves."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import StandingVerdicts, judge

from ..builders import GPU, a_cluster, a_node
from ..devices import (
    DRIVER,
    ENDS,
    Thing,
    a_claim,
    a_class,
    a_device,
    a_pod_with,
    a_slice,
    asks,
    devices,
)

N1, N2 = a_node("n1"), a_node("n2")
CLASS = a_class()
BACKED = a_class(extended=GPU)
TAKEN = "cannot allocate all claims"


@pytest.mark.parametrize(
    ("things", "fits", "reasons"),
    [
        pytest.param([CLASS, a_slice(*devices(1)), a_claim(asks(1))], True, {TAKEN: 1}, id="free"),
        pytest.param(
            [CLASS, a_slice(*devices(1)), a_claim(asks(2))], False, {TAKEN: 2}, id="too few"
        ),
        pytest.param(
            [CLASS, a_slice(*devices(1)), a_claim(asks(1)), a_claim(name="x", holds=["gpu-0"])],
            False,
            {TAKEN: 2},
            id="taken by a claim that no pod uses",
        ),
        pytest.param(
            [
                CLASS,
                a_slice(*devices(1)),
                a_claim(asks(1)),
                a_claim(name="x", holds=["gpu-0"], result={"adminAccess": True}),
            ],
            True,
            {TAKEN: 1},
            id="admin access takes nothing",
        ),
        pytest.param(
            [a_slice(*devices(1)), a_claim(asks(1, of="absent.example.com"))],
            False,
            {"request gpu: device class absent.example.com does not exist": 2},
            id="a class that does not exist",
        ),
        pytest.param(
            [
                CLASS,
                a_claim(
                    {"name": "g", "firstAvailable": [{"name": "big", "deviceClassName": "absent"}]}
                ),
            ],
            False,
            {"request g/big: device class absent does not exist": 2},
            id="an alternative of a class that does not exist",
        ),
        pytest.param(
            [CLASS, a_slice(*devices(1))],
            False,
            {'could not find ResourceClaim "jhub/c1"': 2},
            id="a claim that does not exist",
        ),
        pytest.param(
            [CLASS, a_claim(asks(1), deletionTimestamp="2026-01-01T00:00:00Z")],
            False,
            {'resourceclaim "c1" is being deleted': 2},
            id="a claim that is being deleted",
        ),
        pytest.param(
            [a_claim(asks(1), holds=["gpu-0"], node="n2")],
            True,
            {"resourceclaim not available on the node": 1},
            id="a claim that has its devices ties the pod to their node",
        ),
        pytest.param(
            [a_claim(asks(1), holds=["gpu-0"], reserved_for=map(str, range(255)))],
            True,
            {"resourceclaim not available on the node": 1},
            id="a claim that others use may be shared",
        ),
        pytest.param(
            [a_claim(asks(1), holds=["gpu-0"], reserved_for=map(str, range(256)))],
            False,
            {"resourceclaim in use": 2},
            id="a claim that has as many users as it can",
        ),
        pytest.param(
            [a_claim(asks(1), holds=["gpu-0"], result={"bindingConditions": ["Ready"]})],
            None,
            {"resourceclaim not available on the node": 1},
            id="devices that must report themselves ready",
        ),
        pytest.param(
            [CLASS, a_slice(a_device(), a_device()), a_claim(asks(1))],
            False,
            {"invalid resource pools were encountered": 1, TAKEN: 1},
            id="a pool that contradicts itself",
        ),
        pytest.param(
            [CLASS, a_slice(*devices(1)), a_slice(*devices(1), node="n2"), a_claim(asks(1, ENDS))],
            None,
            {},
            id="a selector that fails",
        ),
        pytest.param(
            [
                CLASS,
                a_slice(*devices(1)),
                a_slice(a_device(attributes={"missing": {"string": "x"}}), node="n2"),
                a_claim(asks(1, ENDS)),
            ],
            None,
            {},
            id="a selector that fails on one node ends the attempt on all",
        ),
    ],
)
def test_a_pod_with_a_claim(
    things: list[Thing], fits: bool | None, reasons: dict[str, int]
) -> None:
    verdict = judge(a_pod_with("c1"), a_cluster(N1, N2, *things))
    assert (verdict.fits, verdict.reasons) == (fits, reasons)


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(["slices"], id="slices"),
        pytest.param(["device_classes"], id="device classes"),
        pytest.param(["resource_claims"], id="claims"),
    ],
)
def test_nothing_is_said_of_claims_while_something_is_hidden(unknown: list[str]) -> None:
    cluster = a_cluster(N1, CLASS, a_slice(*devices(1)), a_claim(asks(1)), unknown=unknown)
    verdict = judge(a_pod_with("c1"), cluster)
    assert (verdict.fits, verdict.slots, verdict.unchecked) == (None, None, ("resourceClaims",))


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod_with(template="t"), id="a claim that is made from a template"),
        pytest.param(a_pod_with("c1", "c1"), id="a claim that is named twice"),
    ],
)
def test_nothing_is_said_of(pod: PodRequest) -> None:
    cluster = a_cluster(N1, CLASS, a_slice(*devices(2)), a_claim(asks(1)))
    assert judge(pod, cluster).fits is None


def test_claims_of_one_pod_do_not_share_a_device() -> None:
    claims = [a_claim(asks(1)), a_claim(asks(1), name="c2")]
    assert (
        judge(a_pod_with("c1", "c2"), a_cluster(N1, CLASS, a_slice(*devices(1)), *claims)).fits
        is False
    )
    assert judge(a_pod_with("c1", "c2"), a_cluster(N1, CLASS, a_slice(*devices(2)), *claims)).fits


def test_copies_share_a_named_claim_so_that_their_number_depends_on_where_it_goes() -> None:
    cluster = a_cluster(N1, CLASS, a_slice(*devices(2)), a_claim(asks(1)))
    assert judge(a_pod_with("c1", cpu=1), cluster).slots is None
    given = a_cluster(N1, N2, CLASS, a_claim(asks(1), holds=["gpu-0"], reserved_for=["a"]))
    assert judge(a_pod_with("c1", cpu=1), given).slots == 64


@pytest.mark.parametrize(
    ("nodes", "things", "fits", "slots", "reasons"),
    [
        pytest.param(
            [N1], [BACKED, a_slice(*devices(4))], True, 2, {}, id="served from a slice, two each"
        ),
        pytest.param(
            [N1],
            [BACKED, a_slice(*devices(4)), a_claim(name="x", holds=["gpu-0"])],
            True,
            1,
            {},
            id="less what claims hold",
        ),
        pytest.param(
            [N1, N2], [BACKED], False, 0, {TAKEN: 2}, id="no devices: the scheduler's words change"
        ),
        pytest.param(
            [N1],
            [CLASS, a_slice(*devices(4))],
            False,
            0,
            {f"Insufficient {GPU}": 1},
            id="no class stands for it",
        ),
        pytest.param(
            [a_node("n1", gpus=3)],
            [BACKED, a_slice(*devices(4))],
            True,
            1,
            {},
            id="a node that advertises some is judged by that",
        ),
        pytest.param(
            [a_node("n1", gpus=1)],
            [BACKED, a_slice(*devices(4))],
            False,
            0,
            {f"Insufficient {GPU}": 1},
            id="a node that advertises too few has no other",
        ),
        pytest.param(
            [N1, a_node("n2", gpus=4)],
            [BACKED, a_slice(*devices(4))],
            True,
            4,
            {},
            id="both kinds of nodes are counted",
        ),
        pytest.param(
            [N1],
            [
                BACKED,
                a_class("later", "false", extended=GPU, created="2026-02-01T00:00:00Z"),
                a_slice(*devices(4)),
            ],
            False,
            0,
            {TAKEN: 1},
            id="of two classes the newer stands for it",
        ),
        pytest.param(
            [N1],
            [BACKED, a_slice(*devices(4, bindingConditions=["x"]))],
            None,
            None,
            {},
            id="devices that are not plain",
        ),
    ],
)
def test_an_extended_resource(
    nodes: list[Any],
    things: list[Thing],
    fits: bool | None,
    slots: int | None,
    reasons: dict[str, int],
) -> None:
    verdict = judge(a_pod_with(gpus=2), a_cluster(*nodes, *things))
    assert (verdict.fits, verdict.slots, verdict.reasons) == (fits, slots, reasons)


def test_a_class_stands_for_the_resource_of_its_own_name() -> None:
    pod = a_pod_with(resources={"deviceclass.resource.kubernetes.io/gpu": 1})
    assert judge(pod, a_cluster(N1, CLASS, a_slice(*devices(1)))).fits is True
    assert judge(pod, a_cluster(N1, a_class("other"), a_slice(*devices(1)))).fits is False


def test_what_would_fit_on_empty_nodes_counts_devices() -> None:
    held = a_claim(name="x", holds=["gpu-0"])
    verdict = judge(a_pod_with(gpus=1), a_cluster(N1, N2, BACKED, a_slice(*devices(4)), held))
    assert (verdict.slots, verdict.slots_if_empty) == (3, 4)


@pytest.mark.parametrize(
    ("things", "never"),
    [
        pytest.param([a_slice(*devices(1)), a_claim(name="x", holds=["gpu-0"])], False, id="taken"),
        pytest.param([a_slice(*devices(1, taint="NoSchedule"))], False, id="unhealthy"),
        pytest.param([a_slice(*devices(1, kind="mig"))], True, id="no such devices"),
    ],
)
def test_what_passes_and_what_stays(things: list[Thing], never: bool) -> None:
    verdict = judge(a_pod_with(gpus=1), a_cluster(N1, BACKED, *things))
    assert (verdict.fits, verdict.never, verdict.shortfalls) == (False, never, ())


@pytest.mark.parametrize(
    ("unknown", "nodes", "fits"),
    [
        pytest.param(["device_classes"], [N1], False, id="classes: a CPU node stays a CPU node"),
        pytest.param(["slices", "device_classes", "resource_claims"], [N1], False, id="all"),
        pytest.param(["slices"], [N1], None, id="slices, though a class stands for the resource"),
        pytest.param(["slices"], [a_node("n1", gpus=2)], True, id="slices, not needed here"),
    ],
)
def test_an_extended_resource_while_something_is_hidden(
    unknown: list[str], nodes: list[Any], fits: bool | None
) -> None:
    cluster = a_cluster(*nodes, BACKED, a_slice(*devices(1)), unknown=unknown)
    assert judge(a_pod_with(gpus=1), cluster).fits is fits


def test_a_standing_verdict_follows_the_device_classes() -> None:
    index, standing, pod = ClusterIndex(), StandingVerdicts(), a_pod_with(gpus=1)
    index.objects.table("quotas").replace(())
    index.replace_nodes([N1, N2])
    index.objects.table("slices").replace([a_slice(*devices(2))])
    index.objects.table("resource_claims").replace([])

    def both(snapshot: Snapshot) -> list[int | None]:
        return [judge(pod, snapshot).slots, standing.verdict(pod, snapshot).slots]

    assert both(index.snapshot()) == [0, 0]
    index.objects.table("device_classes").replace([BACKED])
    assert both(index.snapshot()) == [2, 2]
    index.objects.table("resource_claims").put(a_claim(name="x", holds=["gpu-1"]))
    assert both(index.snapshot()) == [1, 1]
    index.objects.table("device_classes").forget()
    assert both(index.snapshot()) == [0, 0]


def test_devices_of_other_drivers_are_not_of_the_class() -> None:
    other = a_slice(*devices(1), driver="net.example.com")
    assert DRIVER not in other.driver
    assert judge(a_pod_with(gpus=1), a_cluster(N1, BACKED, other)).fits is False
