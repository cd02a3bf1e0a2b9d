"""The devices of each node."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.capacity.model import Taint
from gpuspawner.fit import Transition
from gpuspawner.inventory import devices_in

from .builders import GPU, a_node, a_pod, a_snapshot

NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")
MIG_PENDING = {"nvidia.com/mig.config.state": "pending"}


def found(*things: Any, doubtful: tuple[str | None, ...] = ()) -> list[Any]:
    return list(devices_in(a_snapshot(*things), lambda name: name == GPU, doubtful))


@pytest.mark.parametrize(
    ("node", "pods", "doubtful", "expected"),
    [
        pytest.param({"gpus": 2}, [], (), (2, 0, 2, 0, (), None), id="all free"),
        pytest.param({"gpus": 2}, [1], (), (2, 1, 1, 0, (), None), id="one in use"),
        pytest.param({"gpus": 1}, [2], (), (1, 2, 0, 0, (), None), id="never less than none"),
        pytest.param(
            {"gpus": 1, "capacity": {GPU: 3}}, [], (), (1, 0, 1, 2, (), None), id="two unhealthy"
        ),
        pytest.param(
            {"gpus": 2, "unschedulable": True}, [], (), (2, 0, 2, 0, ("cordoned",), None),
            id="cordoned",
        ),
        pytest.param(
            {"gpus": 2, "taints": [NOT_READY]}, [], (), (2, 0, 2, 0, ("not ready",), None),
            id="not ready",
        ),
        pytest.param(
            {"gpus": 2, "labels": MIG_PENDING},
            [],
            (),
            (2, 0, 2, 0, (), Transition.MIG_RECONFIGURATION),
            id="being partitioned anew",
        ),
        pytest.param(
            {"gpus": 2}, [1], ("n1",), (2, 1, None, 0, (), None), id="a pod that cannot be read"
        ),
        pytest.param(
            {"gpus": 2}, [1], (None,), (2, 1, None, 0, (), None), id="a pod that may be anywhere"
        ),
        pytest.param(
            {"gpus": 2}, [1], ("n2",), (2, 1, 1, 0, (), None), id="one that is somewhere else"
        ),
    ],
)  # fmt: skip
def test_what_a_node_has(
    node: dict[str, Any],
    pods: list[int],
    doubtful: tuple[str | None, ...],
    expected: tuple[Any, ...],
) -> None:
    others = [a_pod(f"p{n}", node="n1", gpus=gpus) for n, gpus in enumerate(pods)]
    [one] = found(a_node("n1", **node), *others, doubtful=doubtful)
    figures = (one.allocatable, one.used, one.free, one.unhealthy, one.closed, one.transition)
    assert figures == expected


def test_a_node_without_devices_is_not_listed() -> None:
    nodes = [a_node("n2"), a_node("n1", gpus=1), a_node("n0", allocatable={GPU: 0})]
    assert [one.node for one in found(*nodes)] == ["n1"]
