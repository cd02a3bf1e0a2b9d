"""Pools of devices."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import ResourceSlice
from gpuspawner.fit.device_pools import PublishedDevices

from ..builders import a_node
from ..devices import a_device, a_slice, devices

ZONE_A = {
    "nodeSelectorTerms": [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    ]
}
N1 = a_node("n1", labels={"zone": "a"})


def offered(*slices: ResourceSlice) -> list[str]:
    pools = PublishedDevices(slices).pools_on(N1)
    return sorted(device.id.device for pool in pools for device in pool.devices)


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param([a_slice(*devices(2))], ["gpu-0", "gpu-1"], id="of the node"),
        pytest.param([a_slice(*devices(2), node="n2")], [], id="of another node"),
        pytest.param([a_slice(*devices(1), allNodes=True)], ["gpu-0"], id="of all nodes"),
        pytest.param([a_slice(*devices(1), nodeSelector=ZONE_A)], ["gpu-0"], id="of a zone"),
        pytest.param(
            [
                a_slice(
                    a_device("gpu-0", nodeName="n1"),
                    a_device("gpu-1", nodeName="n2"),
                    a_device("gpu-2", nodeSelector=ZONE_A),
                    perDeviceNodeSelection=True,
                )
            ],
            ["gpu-0", "gpu-2"],
            id="each device has nodes of its own",
        ),
        pytest.param([a_slice(*devices(1), slices=2)], [], id="a slice is missing"),
        pytest.param(
            [
                a_slice(a_device("gpu-0"), name="a", slices=2),
                a_slice(a_device("gpu-1"), name="b", slices=2),
            ],
            ["gpu-0", "gpu-1"],
            id="in two slices",
        ),
        pytest.param(
            [
                a_slice(a_device("gpu-0"), name="a", pool="p", slices=2),
                a_slice(a_device("gpu-1"), name="b", pool="p", node="n2", slices=2),
            ],
            ["gpu-0"],
            id="the other slice is of another node",
        ),
        pytest.param(
            [a_slice(*devices(3)), a_slice(*devices(1), generation=2)],
            ["gpu-0"],
            id="only the newest generation counts",
        ),
        pytest.param(
            [a_slice(*devices(3)), a_slice(*devices(1), generation=2, slices=2)],
            [],
            id="the newest generation is not whole yet",
        ),
        pytest.param(
            [a_slice(a_device("gpu-0"), a_device("gpu-0"))], [], id="a name is given twice"
        ),
    ],
)
def test_what_a_node_is_offered(slices: list[ResourceSlice], expected: list[str]) -> None:
    assert offered(*slices) == expected


def test_a_pool_without_a_slice_is_incomplete_and_one_with_a_double_name_invalid() -> None:
    (missing,) = PublishedDevices([a_slice(*devices(1), slices=2)]).pools_on(N1)
    (double,) = PublishedDevices([a_slice(a_device(), a_device())]).pools_on(N1)
    assert (missing.is_incomplete, missing.is_invalid) == (True, False)
    assert (double.is_incomplete, double.is_invalid) == (False, True)


@pytest.mark.parametrize(
    "slices",
    [
        pytest.param([a_slice(*devices(1, consumesCounters=[{}]))], id="devices share counters"),
        pytest.param(
            [
                a_slice(*devices(1), name="a", slices=2),
                a_slice(name="b", slices=2, sharedCounters=[{}]),
            ],
            id="a slice has counters",
        ),
        pytest.param(
            [
                a_slice(a_device("gpu-0"), name="a", slices=2),
                a_slice(a_device("gpu-1"), name="b", slices=1),
            ],
            id="the slices disagree about their number",
        ),
        pytest.param([a_slice(*devices(1, bindingConditions=["x"]))], id="binding waits for it"),
        pytest.param(
            [a_slice(a_device(capacity={"memory": {"value": "1", "requestPolicy": {}}}))],
            id="its capacity is shared out",
        ),
    ],
)
def test_a_pool_that_is_not_plain(slices: list[ResourceSlice]) -> None:
    (pool,) = PublishedDevices(slices).pools_on(N1)
    assert pool.devices
    assert not pool.is_plain


def test_asking_for_all_devices_is_an_error_where_a_pool_is_not_whole() -> None:
    assert PublishedDevices([a_slice(*devices(2))]).is_settled
    assert PublishedDevices([a_slice(*devices(2)), a_slice(*devices(2), generation=2)]).is_settled
    assert not PublishedDevices([a_slice(*devices(2), slices=2)]).is_settled
    assert not PublishedDevices([a_slice(*devices(33))]).is_settled
