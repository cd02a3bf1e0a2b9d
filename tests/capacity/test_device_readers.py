"""Objects of resource.k8s.io/v1 as the API server sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from gpuspawner.capacity.model import (
    DeviceID,
    Toleration,
    Version,
    read_device_class,
    read_resource_claim,
    read_slice,
)
from gpuspawner.errors import MalformedObjectError

SLICE: dict[str, Any] = {
    "metadata": {"name": "n1-gpus", "uid": "u1", "managedFields": [{}]},
    "spec": {
        "driver": "gpu.nvidia.com",
        "pool": {"name": "n1", "generation": 3, "resourceSliceCount": 1},
        "nodeName": "n1",
        "devices": [
            {
                "name": "gpu-0",
                "attributes": {
                    "type": {"string": "gpu"},
                    "index": {"int": 0},
                    "driverVersion": {"version": "1.2.3"},
                    "other.example.com/flag": {"bool": False},
                    "later": {"ints": [1]},
                },
                "capacity": {"memory": {"value": "40Gi"}},
            }
        ],
    },
}


def test_a_slice() -> None:
    found = read_slice(msgspec.json.encode(SLICE))
    (device,) = found.devices
    assert (found.name, found.uid, found.generation, found.slices) == ("n1-gpus", "u1", 3, 1)
    assert found.reach is not None
    assert found.reach.node == "n1"
    assert device.id == DeviceID("gpu.nvidia.com", "n1", "gpu-0")
    assert device.attributes == {
        "gpu.nvidia.com/type": "gpu",
        "gpu.nvidia.com/index": 0,
        "gpu.nvidia.com/driverVersion": Version("1.2.3"),
        "other.example.com/flag": False,
        "gpu.nvidia.com/later": None,
    }
    assert device.capacity == {"gpu.nvidia.com/memory": Fraction(40 * 2**30)}
    assert found == read_slice(SLICE)


def test_a_request_has_the_defaults_of_the_api_server() -> None:
    (request,) = read_resource_claim(
        {
            "metadata": {"name": "c"},
            "spec": {
                "devices": {
                    "requests": [
                        {
                            "name": "gpu",
                            "exactly": {"deviceClassName": "gpu", "tolerations": [{"key": "k"}]},
                        }
                    ]
                }
            },
        }
    ).requests
    assert (request.count, request.is_plain, request.classes) == (1, True, (("gpu", "gpu"),))
    assert request.tolerations == (Toleration("k"),)


@pytest.mark.parametrize(
    "exactly",
    [
        pytest.param({"adminAccess": True}, id="admin access"),
        pytest.param({"capacity": {"requests": {"memory": "1Gi"}}}, id="a part of a device"),
        pytest.param({"allocationMode": "Some"}, id="a mode of the future"),
    ],
)
def test_a_request_that_is_not_plain(exactly: dict[str, Any]) -> None:
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu", **exactly}}
    claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}}
    assert not read_resource_claim(claim).requests[0].is_plain


@pytest.mark.parametrize(
    ("read", "obj"),
    [
        pytest.param(read_slice, {"metadata": {"name": "s"}}, id="a slice without a spec"),
        pytest.param(read_slice, {**SLICE, "metadata": {}}, id="a slice without a name"),
        pytest.param(
            read_slice,
            {
                **SLICE,
                "spec": {
                    **SLICE["spec"],
                    "devices": [{"name": "d", "capacity": {"memory": {"value": "much"}}}],
                },
            },
            id="a capacity that is no quantity",
        ),
        pytest.param(read_device_class, {"metadata": {}}, id="a class without a name"),
        pytest.param(read_resource_claim, {"metadata": {}}, id="a claim without a name"),
        pytest.param(read_resource_claim, b"[]", id="a claim that is a list"),
    ],
)
def test_what_is_malformed(read: Callable[[bytes | Mapping[str, Any]], object], obj: Any) -> None:
    with pytest.raises(MalformedObjectError):
        read(obj)
