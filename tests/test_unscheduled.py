"""The words of a start that found no node in time."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.unscheduled import why_unscheduled

BUSY = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def a_pod(**condition: Any) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": "False"}, condition]}}


WAITS = a_pod(type="PodScheduled", status="False", message=BUSY)


@pytest.mark.parametrize(
    ("pod", "reasons", "words"),
    [
        pytest.param({}, [], "", id="nothing is known of the pod"),
        pytest.param({"status": None}, [], "", id="it has no status"),
        pytest.param(a_pod(type="PodScheduled", status="True"), [], "", id="it has a node"),
        pytest.param(WAITS, [], BUSY, id="the scheduler's words"),
        pytest.param(
            a_pod(type="PodScheduled", status="False", reason="SchedulingGated"),
            [],
            "SchedulingGated",
            id="a reason without words",
        ),
        pytest.param(
            WAITS,
            ["FailedScheduling", "TriggeredScaleUp"],
            f"{BUSY[:-1]}; a node is being started, so try again in a few minutes",
            id="a node is on its way",
        ),
        pytest.param(
            WAITS,
            ["TriggeredScaleUp", "NotTriggerScaleUp"],
            f"{BUSY[:-1]}; and no node can be started for it",
            id="the autoscaler's last word counts",
        ),
    ],
)
def test_why_a_pod_is_not_scheduled(pod: dict[str, Any], reasons: list[str], words: str) -> None:
    assert why_unscheduled(pod, [{"reason": reason} for reason in reasons]) == words
