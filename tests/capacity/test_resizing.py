"""What a pod holds while it is resized in place, by the rule of the scheduler's version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gpuspawner.capacity.model import ResizeRule, read_pod, read_server_version
from gpuspawner.errors import MalformedObjectError

Quantities = Mapping[str, str | int]
GIB = 2**30
INFEASIBLE = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
DEFERRED = {**INFEASIBLE, "reason": "Deferred"}


def container(name: str, asked: Quantities, **fields: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": asked}, **fields}


def reached(
    name: str, actuated: Quantities | None, allocated: Quantities | None = None
) -> dict[str, Any]:
    status: dict[str, Any] = {"name": name, "allocatedResources": allocated}
    if actuated is not None:
        status["resources"] = {"requests": actuated, "limits": {"cpu": 99, "memory": "99Gi"}}
    return status


def held(rule: ResizeRule, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, int]:
    pod = read_pod({"metadata": {"name": "p"}, "spec": spec, "status": status}, rule)
    return dict(pod.requests)


def both(cpu: int) -> tuple[dict[str, int], dict[str, int]]:
    return {"cpu": cpu}, {"cpu": cpu}


ONE = {"containers": [container("a", {"cpu": 2})]}
TWO = {"containers": [container("a", {"cpu": 4}), container("b", {"cpu": 1})]}
WHOLE = {**ONE, "resources": {"requests": {"cpu": 4}}}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        pytest.param(ONE, {}, both(2000), id="no status yet: what is asked"),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", {"cpu": 2}, {"cpu": 2})]},
            both(2000),
            id="nothing under way: limits in a status stand in for nothing",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", {"cpu": 1}, {"cpu": 1})]},
            both(2000),
            id="growing: what is asked is held already",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", {"cpu": 8}, {"cpu": 2})]},
            both(8000),
            id="shrinking: what is not given back is held",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", {"cpu": 1}, {"cpu": 6})]},
            both(6000),
            id="admitted and since asked less: what was admitted is held",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("other", {"cpu": 8})]},
            both(2000),
            id="the status of no container of the pod counts for nothing",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", {"cpu": 1}, {"cpu": 1})], "conditions": [DEFERRED]},
            both(2000),
            id="deferred: what is asked is held",
        ),
        pytest.param(
            ONE,
            {
                "containerStatuses": [reached("a", {"cpu": 1}, {"cpu": 1})],
                "conditions": [{"type": "Ready"}, INFEASIBLE],
            },
            both(1000),
            id="infeasible: what is asked is not held",
        ),
        pytest.param(
            ONE,
            {"containerStatuses": [reached("a", None, {"cpu": 6})]},
            ({"cpu": 2000}, {"cpu": 6000}),
            id="admitted but no resources reached: up to 1.36 that counts for nothing",
        ),
        pytest.param(
            TWO,
            {"containerStatuses": [reached("a", {"cpu": 1}), reached("b", {"cpu": 3})]},
            ({"cpu": 7000}, {"cpu": 5000}),
            id="one grows while another shrinks: from 1.37 the larger sum",
        ),
        pytest.param(
            {
                "containers": [container("a", {"cpu": 1})],
                "initContainers": [container("s", {"cpu": 1}, restartPolicy="Always")],
            },
            {"initContainerStatuses": [reached("s", {"cpu": 3})]},
            both(4000),
            id="a sidecar is resized, too",
        ),
        pytest.param(
            {
                "containers": [container("a", {"cpu": 1})],
                "initContainers": [container("i", {"cpu": 2})],
            },
            {"initContainerStatuses": [reached("i", {"cpu": 3})]},
            ({"cpu": 2000}, {"cpu": 3000}),
            id="an init container that ends is not, up to 1.36",
        ),
        pytest.param(
            WHOLE,
            {"resources": {"requests": {"cpu": 6}}, "allocatedResources": {"cpu": 5}},
            both(6000),
            id="the pod as a whole shrinks",
        ),
        pytest.param(
            WHOLE,
            {
                "resources": {"requests": {"cpu": 1}},
                "allocatedResources": {"cpu": 3},
                "conditions": [INFEASIBLE],
            },
            both(3000),
            id="the pod as a whole cannot grow",
        ),
        pytest.param(
            WHOLE,
            {"resources": {"requests": {"memory": "1Gi"}}},
            ({"cpu": 4000}, {"cpu": 4000, "memory": GIB}),
            id="what is reached but not asked for the whole counts from 1.37 on",
        ),
        pytest.param(
            ONE,
            {"resources": {"requests": {"cpu": 6}}, "allocatedResources": {"cpu": 5}},
            ({"cpu": 2000}, {"cpu": 6000}),
            id="sums that the kubelet gives count from 1.37 on",
        ),
        pytest.param(
            {**ONE, "overhead": {"cpu": "250m"}},
            {"containerStatuses": [reached("a", {"cpu": 3})]},
            both(3250),
            id="the overhead comes on top",
        ),
    ],
)
def test_what_is_held(
    spec: dict[str, Any],
    status: dict[str, Any],
    expected: tuple[dict[str, int], dict[str, int]],
) -> None:
    by_container, by_pod = expected
    assert held(ResizeRule.BY_CONTAINER, spec, status) == by_container
    assert held(ResizeRule.BY_POD, spec, status) == by_pod


def test_the_older_rule_is_the_default() -> None:
    status = {"containerStatuses": [reached("a", {"cpu": 1}), reached("b", {"cpu": 3})]}
    pod = read_pod({"metadata": {"name": "p"}, "spec": TWO, "status": status})
    assert pod.requests == {"cpu": 7000}


def test_pods_that_are_alike_share_what_they_hold() -> None:
    status = {"containerStatuses": [reached("a", {"cpu": 2}, {"cpu": 2})]}
    pods = [read_pod({"metadata": {"name": name}, "spec": ONE, "status": status}) for name in "ab"]
    assert pods[0].requests is pods[1].requests


@pytest.mark.parametrize(
    ("version", "rule"),
    [
        pytest.param("v1.36.2", ResizeRule.BY_CONTAINER, id="1.36"),
        pytest.param("v1.37.0-rc.1", ResizeRule.BY_POD, id="1.37"),
        pytest.param("v1.40.1-eks-abc", ResizeRule.BY_POD, id="a later one"),
        pytest.param("v2.0.0", ResizeRule.BY_POD, id="a much later one"),
        pytest.param("", ResizeRule.BY_CONTAINER, id="unknown: the one that never counts less"),
    ],
)
def test_the_rule_of_a_version(version: str, rule: ResizeRule) -> None:
    assert ResizeRule.of(read_server_version(version)) is rule


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"conditions": "PodResizePending"}, id="conditions that are no list"),
        pytest.param({"containerStatuses": [{"name": "a", "resources": 3}]}, id="resources"),
        pytest.param(
            {"containerStatuses": [{"name": "a", "allocatedResources": []}]}, id="amounts"
        ),
        pytest.param({"containerStatuses": [reached("a", {"cpu": "x"})]}, id="no quantity"),
    ],
)
def test_what_is_malformed(status: dict[str, Any]) -> None:
    with pytest.raises(MalformedObjectError):
        held(ResizeRule.BY_POD, ONE, status)
