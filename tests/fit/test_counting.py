"""How many devices there are on the nodes that are for a pod, and how many are held."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import Devices, StandingVerdicts, judge

from ..builders import GPU, a_cluster, a_node, a_pod, a_request
from ..devices import a_claim, a_class, a_device, a_pod_with, a_slice, asks, devices
from .test_standing import index_of

FPGA = "example.com/fpga"
N1 = a_node("n1")
GPUS, FPGAS = a_class(extended=GPU), a_class("fpga", extended=FPGA)
BOTH = {GPU: 1, FPGA: 1}


@pytest.mark.parametrize(
    ("request_", "things", "counted"),
    [
        pytest.param(
            a_request(gpus=1, cpu=1),
            [a_node(gpus=4), a_pod(gpus=1, cpu=3)],
            {GPU: Devices(4, 1)},
            id="cores are no devices",
        ),
        pytest.param(
            a_request(requests=BOTH),
            [a_node(gpus=4, allocatable={FPGA: 2}), a_pod(gpus=1)],
            {GPU: Devices(4, 1), FPGA: Devices(2, 0)},
            id="each that the pod asks for",
        ),
        pytest.param(a_request(gpus=0), [a_node(gpus=4)], {}, id="none that it asks for none of"),
        pytest.param(a_request(gpus=1), [N1], {GPU: Devices(0, 0)}, id="none at all are none"),
        pytest.param(
            a_pod_with(gpus=1),
            [N1, GPUS, a_slice(*devices(3)), a_claim(name="x", holds=["gpu-0"])],
            {GPU: Devices(3, 1)},
            id="those that DRA serves",
        ),
        pytest.param(
            a_pod_with(gpus=1),
            [N1, GPUS, a_slice(a_device(bindingConditions=["x"]))],
            {},
            id="not those of which DRA may refuse some",
        ),
        pytest.param(
            a_pod_with(resources=BOTH),
            [N1, GPUS, FPGAS, a_slice(*devices(3))],
            {},
            id="not those that DRA serves of two kinds",
        ),
        pytest.param(
            a_pod_with("c1", gpus=1),
            [N1, GPUS, a_slice(*devices(3)), a_claim(asks(1))],
            {},
            id="not those that DRA serves beside a claim that may take them",
        ),
    ],
)
def test_devices(request_: PodRequest, things: list[Any], counted: dict[str, Devices]) -> None:
    assert judge(request_, a_cluster(*things)).devices == counted


def test_a_standing_verdict_follows_who_holds_devices_where_it_fits_all_along() -> None:
    index, standing, request = index_of(1), StandingVerdicts(), a_request(gpus=1)
    index.put_node(a_node("n0", gpus=8))
    for number in range(3):
        verdict = standing.verdict(request, index.snapshot())
        assert (verdict.slots, verdict.devices) == (8 - number, {GPU: Devices(8, number)})
        index.put_pod(a_pod(f"p{number}", node="n0", gpus=1))


def test_a_standing_verdict_follows_the_devices_that_come_and_go() -> None:
    index, standing, request = index_of(2), StandingVerdicts(), a_request(gpus=1)
    index.put_pod(a_pod(node="n0", gpus=2))
    for gpus, held in ((4, 2), (1, 1), (0, 0), (4, 2)):
        index.put_node(a_node("n0", gpus=gpus))
        verdict = standing.verdict(request, index.snapshot())
        assert verdict.devices == {GPU: Devices(gpus, held)}
    index.drop_node("n0", "uid-of-n0")
    assert standing.verdict(request, index.snapshot()).devices == {GPU: Devices(0, 0)}
