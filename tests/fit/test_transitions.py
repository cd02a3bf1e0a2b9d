"""What nodes go through explains a verdict; it never makes a device free."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import Node, PodRequest
from gpuspawner.fit import Note, Transition, judge

from ..builders import GPU, a_node, a_request, a_snapshot

MIG = "nvidia.com/mig-1g.5gb"
MIG_STATE = "nvidia.com/mig.config.state"
UPGRADE = "nvidia.com/gpu-driver-upgrade-state"
SLICE = a_request(requests={MIG: 1})


@pytest.mark.parametrize(
    ("request_", "node", "notes"),
    [
        pytest.param(a_request(gpus=1), a_node(gpus=2), {}, id="a node in order"),
        pytest.param(
            a_request(gpus=1),
            a_node(gpus=2, capacity={GPU: 4}),
            {Note(Transition.UNHEALTHY_DEVICES, GPU, 2): 1},
            id="devices that are there and not allocatable are unhealthy",
        ),
        pytest.param(
            a_request(cpu=1),
            a_node(gpus=2, capacity={GPU: 4}),
            {},
            id="a pod without devices does not care",
        ),
        pytest.param(
            a_request(gpus=1, node_selector={"gpu": "h100"}),
            a_node(gpus=2, capacity={GPU: 4}),
            {},
            id="a node that is not for the pod does not matter",
        ),
        pytest.param(
            SLICE,
            a_node(labels={MIG_STATE: "rebooting"}),
            {Note(Transition.MIG_RECONFIGURATION): 1},
            id="partitioning under way",
        ),
        pytest.param(
            SLICE,
            a_node(labels={MIG_STATE: "failed"}),
            {Note(Transition.MIG_FAILED): 1},
            id="partitioning that failed",
        ),
        pytest.param(
            SLICE, a_node(labels={MIG_STATE: "success"}), {}, id="partitioning that is done"
        ),
        pytest.param(
            a_request(gpus=1),
            a_node(labels={UPGRADE: "drain-required"}),
            {Note(Transition.DRIVER_UPGRADE): 1},
            id="a driver upgrade under way",
        ),
        pytest.param(
            a_request(gpus=1),
            a_node(labels={UPGRADE: "upgrade-required"}),
            {},
            id="a driver upgrade that waits changes nothing yet",
        ),
        pytest.param(
            a_request(gpus=1), a_node(labels={UPGRADE: "upgrade-done"}), {}, id="one that is done"
        ),
        pytest.param(
            a_request(gpus=1),
            a_node(labels={UPGRADE: "upgrade-failed"}),
            {Note(Transition.DRIVER_UPGRADE_FAILED): 1},
            id="one that failed",
        ),
    ],
)
def test_what_is_noted(request_: PodRequest, node: Node, notes: dict[Note, int]) -> None:
    assert judge(request_, a_snapshot(node)).notes == notes


def test_a_note_counts_the_nodes_it_is_on() -> None:
    nodes = [a_node(f"n{i}", labels={MIG_STATE: "pending"}) for i in range(3)]
    assert judge(SLICE, a_snapshot(*nodes)).notes == {Note(Transition.MIG_RECONFIGURATION): 3}


@pytest.mark.parametrize(
    ("labels", "never"),
    [
        pytest.param({MIG_STATE: "pending"}, False, id="slices that are being made may come"),
        pytest.param(
            {UPGRADE: "pod-restart-required"}, False, id="devices come back after an upgrade"
        ),
        pytest.param({MIG_STATE: "success"}, True, id="a node that is done offers what it offers"),
        pytest.param({MIG_STATE: "failed"}, True, id="a failed one offers nothing by itself"),
        pytest.param({}, True, id="a node without labels"),
    ],
)
def test_what_is_missing_while_a_node_is_in_transition_is_not_never(
    labels: dict[str, str], never: bool
) -> None:
    verdict = judge(SLICE, a_snapshot(a_node(labels=labels)))
    assert (verdict.fits, verdict.slots, verdict.never) == (False, 0, never)


def test_a_transition_excuses_devices_only() -> None:
    request = a_request(requests={MIG: 1}, memory="1Ti")
    assert judge(request, a_snapshot(a_node(labels={MIG_STATE: "pending"}))).never
