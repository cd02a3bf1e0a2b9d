"""What is left on a node, and how many pods of a kind go into it."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import Node, Pod, PodRequest
from gpuspawner.fit import Hindrance, Reason
from gpuspawner.fit.resources import check, room, slots_if_empty

from ..builders import GPU, a_node, a_pod, a_request, a_state

MIG = "nvidia.com/mig-1g.5gb"
FULL, LARGE, CLOSED = Hindrance.FULL, Hindrance.TOO_LARGE, Hindrance.CLOSED
GIB = 2**30


@pytest.mark.parametrize(
    ("request_", "node", "pods", "expected"),
    [
        pytest.param(a_request(gpus=2), a_node(gpus=2), [], [], id="the whole node is enough"),
        pytest.param(
            a_request(gpus=1),
            a_node(gpus=2),
            [a_pod(gpus=2)],
            [(f"Insufficient {GPU}", FULL, 1, 2)],
            id="what pods hold is not free",
        ),
        pytest.param(
            a_request(gpus=1), a_node(gpus=2), [a_pod(gpus=1)], [], id="what they leave is free"
        ),
        pytest.param(
            a_request(gpus=3),
            a_node(gpus=2),
            [],
            [(f"Insufficient {GPU}", LARGE, 3, 2)],
            id="more than the node has is too large for it",
        ),
        pytest.param(
            a_request(requests={MIG: 1}),
            a_node(gpus=2),
            [],
            [(f"Insufficient {MIG}", LARGE, 1, 0)],
            id="allocatable that is not given is 0",
        ),
        pytest.param(
            a_request(requests={MIG: 0}), a_node(), [], [], id="a request of zero is skipped"
        ),
        pytest.param(
            a_request(gpus=0, cpu=0),
            a_node(cpu=1),
            [a_pod(cpu=2)],
            [],
            id="a request of zero is skipped even on a node that promised too much",
        ),
        pytest.param(
            a_request(cpu="1m"),
            a_node(cpu=1),
            [a_pod(cpu=2)],
            [("Insufficient cpu", FULL, 1, 1000)],
            id="a node that promised too much has nothing left",
        ),
        pytest.param(
            a_request(gpus=1, cpu=16, memory="64Gi"),
            a_node(gpus=1, cpu=16, memory="64Gi"),
            [a_pod(gpus=1, cpu="1m", memory=1)],
            [
                (f"Insufficient {GPU}", FULL, 1, 1),
                ("Insufficient cpu", FULL, 16000, 16000),
                ("Insufficient memory", FULL, 64 * GIB, 64 * GIB),
            ],
            id="every resource that is short is a reason of its own",
        ),
        pytest.param(
            a_request(),
            a_node(pods=2),
            [a_pod("p1"), a_pod("p2")],
            [("Too many pods", FULL, 1, 2)],
            id="a node has places for so many pods",
        ),
        pytest.param(
            a_request(), a_node(pods=2), [a_pod()], [], id="the last place for a pod is a place"
        ),
        pytest.param(
            a_request(),
            Node("n1", "", {}, (), unschedulable=False, allocatable={}, capacity={}),
            [],
            [("Too many pods", CLOSED, 1, 0)],
            id="a number of pods that is not given is 0, and the node is not open yet",
        ),
        pytest.param(
            a_request(gpus=1),
            a_node(gpus=1, pods=1),
            [a_pod(gpus=1)],
            [("Too many pods", FULL, 1, 1), (f"Insufficient {GPU}", FULL, 1, 1)],
            id="places for pods come before resources",
        ),
        pytest.param(
            a_request(gpus=2),
            a_node(gpus=1, capacity={GPU: 2}),
            [],
            [(f"Insufficient {GPU}", CLOSED, 2, 1)],
            id="devices that are unhealthy are expected back",
        ),
        pytest.param(
            a_request(memory="100Gi"),
            a_node(memory="90Gi", capacity={"memory": 128 * GIB}),
            [],
            [("Insufficient memory", LARGE, 100 * GIB, 90 * GIB)],
            id="memory that the system keeps is not expected back",
        ),
        pytest.param(
            a_request(gpus=1),
            a_node(gpus=1),
            [a_pod(gpus=1, phase="Succeeded")],
            [],
            id="a pod that has ended holds nothing",
        ),
    ],
)
def test_what_is_short(
    request_: PodRequest,
    node: Node,
    pods: list[Pod],
    expected: list[tuple[str, Hindrance, int, int]],
) -> None:
    def shown(reason: Reason) -> tuple[str, Hindrance, int, int]:
        return reason.words, reason.hindrance, reason.asked, reason.offered

    assert [shown(reason) for reason in check(request_, a_state(node, *pods))] == expected


@pytest.mark.parametrize(
    ("request_", "node", "pods", "now", "if_empty"),
    [
        pytest.param(a_request(gpus=1), a_node(gpus=4), [], 4, 4, id="one GPU each"),
        pytest.param(a_request(gpus=2), a_node(gpus=5), [], 2, 2, id="a rest does not count"),
        pytest.param(
            a_request(gpus=1), a_node(gpus=4), [a_pod(gpus=3)], 1, 4, id="pods take from it"
        ),
        pytest.param(
            a_request(gpus=1, memory="64Gi"),
            a_node(gpus=4, memory="130Gi"),
            [],
            2,
            2,
            id="the scarcest resource decides",
        ),
        pytest.param(
            a_request(), a_node(pods=3), [a_pod()], 2, 3, id="places for pods bound what is free"
        ),
        pytest.param(
            a_request(cpu=1),
            a_node(cpu=2),
            [a_pod(cpu=3)],
            0,
            2,
            id="a node that promised too much has no slots, not fewer than none",
        ),
        pytest.param(
            a_request(requests={MIG: 1}), a_node(), [], 0, 0, id="what is not offered fits never"
        ),
        pytest.param(
            a_request(cpu=0), a_node(pods=5), [], 5, 5, id="a request of zero divides nothing"
        ),
    ],
)
def test_slots(request_: PodRequest, node: Node, pods: list[Pod], now: int, if_empty: int) -> None:
    assert room(request_, a_state(node, *pods)).slots == now
    assert slots_if_empty(request_, node) == if_empty
