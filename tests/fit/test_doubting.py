"""What cannot be read is never shown as free."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gpuspawner.fit import judge
from gpuspawner.fit.doubting import UNREADABLE, doubted

from ..builders import a_node, a_pod, a_request, a_snapshot

TWO = a_snapshot(a_node("n1", gpus=2), a_node("n2", gpus=4), a_pod(node="n2", gpus=1))


@pytest.mark.parametrize(
    ("nodes", "fits", "slots"),
    [
        pytest.param(set(), True, 5, id="nothing is in doubt"),
        pytest.param({"n9"}, True, 5, id="a node that takes none does not matter"),
        pytest.param({"n2"}, True, 2, id="a doubtful node does not count"),
        pytest.param({"n1", "n2"}, None, None, id="all are in doubt"),
        pytest.param({None}, None, None, id="it may be anywhere"),
        pytest.param({None, "n1"}, None, None, id="it may be anywhere else"),
    ],
)
def test_a_yes(nodes: set[str | None], fits: bool | None, slots: int | None) -> None:
    verdict = doubted(judge(a_request(gpus=1), TWO), nodes)
    assert (verdict.fits, verdict.slots) == (fits, slots)
    assert set(verdict.nodes) == ({"n1", "n2"} - nodes if fits else set())
    assert (UNREADABLE in verdict.unchecked) is (slots != 5)


@pytest.mark.parametrize("nodes", [set(), {"n1"}, {None}])
def test_a_pod_that_cannot_be_read_leaves_a_no_a_no(nodes: set[str | None]) -> None:
    full = judge(a_request(gpus=8), TWO)
    uncounted = replace(full, devices=None, slots_taken=None) if nodes else full
    assert doubted(full, nodes) == uncounted


def test_a_node_that_cannot_be_read_may_be_the_one() -> None:
    doubtful = doubted(judge(a_request(gpus=8), TWO), {"n3"}, hides_a_node=True)
    assert (doubtful.fits, doubtful.slots, doubtful.never) == (None, None, False)
    assert UNREADABLE in doubtful.unchecked


def test_a_node_that_cannot_be_read_may_be_the_one_once_a_quota_lets_the_pod_in() -> None:
    refused = replace(judge(a_request(gpus=8), TWO), refusal="exceeded quota: q")
    assert refused.never
    doubtful = doubted(refused, {"n3"}, hides_a_node=True)
    assert (doubtful.fits, doubtful.never) == (False, False)


def test_what_would_be_evicted_where_something_cannot_be_read_is_not_known() -> None:
    placeholder = a_pod(node="n1", gpus=2, priority=-10)
    crowded = a_snapshot(a_node("n1", gpus=2), placeholder)
    verdict = judge(a_request(gpus=1), crowded)
    assert verdict.evicts == 1
    assert doubted(verdict, {"n1"}).evicts is None
