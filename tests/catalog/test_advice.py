"""What a valid catalog says that its author can hardly mean."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.catalog import advice_on
from gpuspawner.catalog.problems import field_name

from ..builders import a_catalog, a_profile

POOL = {"title": "P", "allocatable": {"cpu": 4, "memory": "8Gi"}}
SAME_DEVICE = {
    "a100": {"title": "A100", "resource": "nvidia.com/gpu"},
    "same": {"title": "The same", "resource": "nvidia.com/gpu"},
    "other": {"title": "Another", "resource": "amd.com/gpu"},
}


def said(*profiles: dict[str, Any], **sections: Any) -> list[tuple[str, str]]:
    catalog = a_catalog(*profiles, **sections)
    return [(one.severity, field_name(one.finding.path)) for one in advice_on(catalog)]


WAITS = {"when_full": "wait", "wait_limit": "8h"}


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        pytest.param([a_profile(session_limit="8h", **WAITS)], [], id="limits that agree"),
        pytest.param(
            [a_profile(session_limit="8h", when_full="wait", wait_limit="2h")],
            [("hint", "profiles[1].wait_limit")],
            id="a wait shorter than the sessions",
        ),
        pytest.param(
            [a_profile(session_limit="8h", when_full="wait")],
            [("hint", "profiles[1].wait_limit")],
            id="the wait that is left out is an hour",
        ),
        pytest.param(
            [a_profile(**WAITS), a_profile("two", accelerator="same", session_limit="8h")],
            [("hint", "profiles[1]")],
            id="only some that want a device have a session_limit",
        ),
        pytest.param(
            [a_profile(**WAITS), a_profile("two", accelerator="other", session_limit="8h")],
            [],
            id="other devices are another matter",
        ),
        pytest.param([a_profile(**WAITS), a_profile("two")], [], id="none has a session_limit"),
        pytest.param(
            [a_profile(session_limit="8h"), a_profile("two")], [], id="nobody waits for it"
        ),
    ],
)
def test_hints_on_waiting(profiles: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    assert said(*profiles, accelerators=SAME_DEVICE) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param({"autoscaler_group": "g"}, {"autoscaler_group": "h"}, [], id="two groups"),
        pytest.param({}, {}, [], id="no groups"),
        pytest.param(
            {"autoscaler_group": "g"},
            {"autoscaler_group": "g"},
            [("warning", "node_pools.b.autoscaler_group")],
            id="one group for both",
        ),
        pytest.param(
            {},
            {"labels": {"pool": "a"}},
            [("warning", "node_pools.b.labels")],
            id="the same labels",
        ),
    ],
)
def test_warnings_on_pools(
    one: dict[str, Any], other: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    pools = {
        "a": {**POOL, "labels": {"pool": "a"}, **one},
        "b": {**POOL, "labels": {"pool": "b"}, **other},
    }
    assert said(node_pools=pools) == expected


def test_a_warning_where_nobody_may_start_anything() -> None:
    assert said(access=[]) == [("warning", "access")]
