"""Whether devices satisfy claims."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import DeviceID, ResourceClaim, ResourceSlice
from gpuspawner.fit.device_allocation import Claimed, Outcome, Want, allocate
from gpuspawner.fit.device_pools import PublishedDevices

from ..builders import a_node
from ..devices import DRIVER, ENDS, UNREAD, a_claim, a_device, a_slice, asks, devices

INDEX = "device.attributes['gpu.nvidia.com'].index"
PCI = "resource.kubernetes.io/pcieRoot"
SAME_PCI = {"matchAttribute": PCI}


def on(root: str, name: str, **others: Any) -> dict[str, Any]:
    return a_device(name, attributes={PCI: {"string": root}}, **others)


def outcome(claims: list[ResourceClaim], *slices: ResourceSlice, taken: str = "") -> Outcome:
    published = PublishedDevices(slices)
    claimed = tuple(
        Claimed(tuple(Want(asked, asked.selectors) for asked in claim.requests), claim.constraints)
        for claim in claims
    )
    pools = published.pools_on(a_node("n1"))
    in_use = frozenset(DeviceID(DRIVER, "n1", name) for name in taken.split())
    return allocate(claimed, pools, published, in_use)


@pytest.mark.parametrize(
    ("claim", "held", "taken", "expected"),
    [
        pytest.param(a_claim(asks(2)), devices(2), "", True, id="as many as there are"),
        pytest.param(a_claim(asks(3)), devices(2), "", False, id="more than there are"),
        pytest.param(a_claim(asks(2)), devices(2), "gpu-1", False, id="one is taken"),
        pytest.param(a_claim(asks(1)), devices(1, taint="NoSchedule"), "", False, id="a taint"),
        pytest.param(a_claim(asks(1)), devices(1, taint="NoExecute"), "", False, id="another"),
        pytest.param(a_claim(asks(1)), devices(1, taint="None"), "", True, id="a taint that warns"),
        pytest.param(
            a_claim(asks(1, tolerations=[{"key": "unhealthy", "operator": "Exists"}])),
            devices(1, taint="NoSchedule"),
            "",
            True,
            id="a taint that is tolerated",
        ),
        pytest.param(
            a_claim(asks(1, tolerations=[{"key": "unhealthy", "value": "no"}])),
            devices(1, taint="NoSchedule"),
            "",
            False,
            id="a toleration of another value",
        ),
        pytest.param(a_claim(asks(None)), devices(3), "", True, id="all"),
        pytest.param(a_claim(asks(None)), devices(3), "gpu-2", False, id="all, one is taken"),
        pytest.param(a_claim(asks(None, "false")), devices(3), "", False, id="all of none"),
        pytest.param(a_claim(asks(33)), devices(40), "", False, id="more than a claim can get"),
        pytest.param(a_claim(asks(1, UNREAD)), devices(1), "", None, id="not read"),
        pytest.param(a_claim(asks(1, ENDS)), devices(1), "", None, id="a selector fails"),
        pytest.param(
            a_claim(asks(1, f"{INDEX} == 0")),
            [a_device("gpu-0", attributes={"index": {"int": 0}}), a_device("gpu-1")],
            "",
            None,
            id="a selector fails for one of two devices",
        ),
        pytest.param(a_claim(asks(2, UNREAD)), devices(1), "", False, id="too few at best"),
        pytest.param(
            a_claim(asks(1)),
            devices(1, allowMultipleAllocations=True),
            "",
            None,
            id="a device that is shared",
        ),
        pytest.param(
            a_claim(asks(4)),
            devices(1, allowMultipleAllocations=True),
            "",
            None,
            id="a device that may be shared by more than there are devices",
        ),
        pytest.param(
            a_claim(asks(1, adminAccess=True)), devices(1), "gpu-0", None, id="admin access"
        ),
        pytest.param(
            a_claim({"name": "gpu", "firstAvailable": [{"name": "a", "deviceClassName": "gpu"}]}),
            devices(1),
            "",
            None,
            id="alternatives",
        ),
        pytest.param(
            a_claim(asks(2), constraints=[SAME_PCI]),
            [on("a", "gpu-0"), on("b", "gpu-1"), on("b", "gpu-2")],
            "",
            True,
            id="two that agree",
        ),
        pytest.param(
            a_claim(asks(2), constraints=[SAME_PCI]),
            [on("a", "gpu-0"), on("b", "gpu-1"), a_device("gpu-2")],
            "",
            False,
            id="none that agree",
        ),
        pytest.param(
            a_claim(asks(1), asks(1, name="b"), constraints=[{**SAME_PCI, "requests": ["gpu"]}]),
            [on("a", "gpu-0"), on("b", "gpu-1")],
            "",
            True,
            id="a constraint that is about one request",
        ),
        pytest.param(
            a_claim(asks(1), constraints=[{"distinctAttribute": PCI}]),
            [on("a", "gpu-0")],
            "",
            None,
            id="a constraint of another kind",
        ),
    ],
)
def test_one_claim(
    claim: ResourceClaim, held: list[dict[str, Any]], taken: str, expected: bool | None
) -> None:
    assert outcome([claim], a_slice(*held), taken=taken).fits is expected


def test_a_greedy_choice_is_taken_back() -> None:
    claims = [a_claim(asks(1)), a_claim(asks(1, f"{INDEX} == 0"))]
    held = [a_device(f"gpu-{i}", attributes={"index": {"int": i}}) for i in range(2)]
    assert outcome(claims, a_slice(*held)).fits is True
    assert outcome([*claims, a_claim(asks(1))], a_slice(*held)).fits is False


def test_where_there_are_no_devices_nothing_can_fail() -> None:
    assert outcome([a_claim(asks(1, ENDS))]) == Outcome(fits=False, free=0)


def test_a_selector_that_fails_for_a_taken_device_is_not_asked() -> None:
    assert outcome([a_claim(asks(1, ENDS))], a_slice(*devices(1)), taken="gpu-0") == Outcome(
        fits=False, free=0
    )


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=4),
    st.sets(st.integers(0, 3)),
)
def test_it_is_what_trying_every_choice_finds(wanted: list[list[int]], taken: set[int]) -> None:
    claims = [a_claim(asks(1, f"{INDEX} in {sorted(set(choice))}")) for choice in wanted]
    held = [a_device(f"gpu-{i}", attributes={"index": {"int": i}}) for i in range(4)]
    found = outcome(claims, a_slice(*held), taken=" ".join(f"gpu-{i}" for i in taken))
    free = [i for i in range(4) if i not in taken]
    tried = any(
        all(i in choice for i, choice in zip(way, wanted, strict=True))
        for way in permutations(free, len(wanted))
    )
    assert found.fits is tried
