"""What may be said of the index, given what its two watches know."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.freshness import Health, Permission, judge

LIST_PODS = Permission("list", "pods")
WATCH_NODES = Permission("watch", "nodes")


def seen(at: float, *missing: Permission) -> Health:
    return Health(synced=True, confirmed_at=at, missing=missing)


@pytest.mark.parametrize(
    ("nodes", "pods", "state", "age"),
    [
        pytest.param(Health(), Health(), "starting", None, id="nothing was listed yet"),
        pytest.param(seen(100), Health(), "starting", None, id="nodes alone are not enough"),
        pytest.param(seen(100), seen(100), "live", 0, id="both were confirmed now"),
        pytest.param(seen(100), seen(70), "live", 30, id="the older of the two counts"),
        pytest.param(seen(60), seen(100), "live", 40, id="at the bound it is still live"),
        pytest.param(seen(59), seen(100), "stale", 41, id="beyond the bound it is stale"),
        pytest.param(
            seen(100, WATCH_NODES), seen(90), "denied", 10, id="a missing permission outweighs age"
        ),
        pytest.param(
            Health(missing=(LIST_PODS,)), seen(90), "denied", None, id="denied before any list"
        ),
    ],
)
def test_the_state(nodes: Health, pods: Health, state: str, age: float | None) -> None:
    freshness = judge([nodes, pods], now=100, stale_after=40)
    assert (freshness.state, freshness.age) == (state, age)


def test_what_is_no_longer_watched_is_never_live() -> None:
    assert judge([seen(100)], now=100, stale_after=40, running=False).state == "stale"


def test_it_names_each_missing_permission_once_and_adds_up_what_was_skipped() -> None:
    freshness = judge(
        [
            Health(missing=(WATCH_NODES,), malformed=2),
            Health(missing=(LIST_PODS, WATCH_NODES), malformed=3, last_error="list pods: HTTP 403"),
        ],
        now=0,
        stale_after=40,
    )
    assert freshness.missing == (LIST_PODS, WATCH_NODES)
    assert freshness.malformed == 5
    assert freshness.last_error == "list pods: HTTP 403"
