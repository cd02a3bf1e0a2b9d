"""When a pod has ended at the latest, as its deadline or its deletion say."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.capacity.model import read_pod

BEGAN = "2026-03-01T10:00:00Z"
AT = 1_772_359_200.0
"""The same moment, in seconds since the epoch."""


def ends_by(spec: dict[str, Any], status: dict[str, Any], **metadata: Any) -> float | None:
    pod = {
        "metadata": {"name": "p", "namespace": "jhub", "uid": "u", **metadata},
        "spec": {"nodeName": "n1", "containers": [], **spec},
        "status": status,
    }
    return read_pod(pod).ends_by


@pytest.mark.parametrize(
    ("spec", "status", "deleted", "expected"),
    [
        pytest.param({}, {"startTime": BEGAN}, None, None, id="no deadline"),
        pytest.param(
            {"activeDeadlineSeconds": 3600}, {"startTime": BEGAN}, None, 3630.0, id="a deadline"
        ),
        pytest.param(
            {"activeDeadlineSeconds": 3600, "terminationGracePeriodSeconds": 0},
            {"startTime": BEGAN},
            None,
            3600.0,
            id="no grace",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 3600, "terminationGracePeriodSeconds": 600},
            {"startTime": BEGAN},
            None,
            4200.0,
            id="a long grace",
        ),
        pytest.param({"activeDeadlineSeconds": 3600}, {}, None, None, id="it has not begun"),
        pytest.param({}, {}, "2026-03-01T10:05:00Z", 300.0, id="it is being deleted"),
        pytest.param(
            {"activeDeadlineSeconds": 3600},
            {"startTime": BEGAN},
            "2026-03-01T10:05:00Z",
            300.0,
            id="the deletion comes before the deadline",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 60},
            {"startTime": BEGAN},
            "2026-03-01T10:05:00Z",
            90.0,
            id="the deadline comes before the deletion",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 60}, {"startTime": "soon"}, None, None, id="no time at all"
        ),
        pytest.param(
            {"activeDeadlineSeconds": 60},
            {"startTime": BEGAN},
            "soon",
            90.0,
            id="a deletion at no time, and a deadline",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 60},
            {"startTime": "2026-03-01T12:00:00.5+02:00"},
            None,
            90.5,
            id="another zone, and parts of a second",
        ),
        pytest.param(
            {"activeDeadlineSeconds": 60},
            {"startTime": "2026-03-01T10:00:00"},
            None,
            90.0,
            id="without a zone it is UTC",
        ),
    ],
)
def test_the_end_of_a_pod(
    spec: dict[str, Any], status: dict[str, Any], deleted: str | None, expected: float | None
) -> None:
    metadata = {} if deleted is None else {"deletionTimestamp": deleted}
    found = ends_by(spec, status, **metadata)
    assert found == (None if expected is None else AT + expected)
