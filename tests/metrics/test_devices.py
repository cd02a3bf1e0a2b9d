"""Free devices by node pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Taint
from gpuspawner.capacity.node_states import summed
from gpuspawner.metrics import families
from gpuspawner.metrics.devices import PRODUCT, DeviceSums, Place

from ..builders import GPU, a_catalog, a_node, a_pod, a_snapshot

POOLS = {
    "big": {
        "title": "Big ones",
        "labels": {"pool": "big"},
        "allocatable": {"cpu": 8, "memory": "8Gi", GPU: 4},
    }
}
CATALOG = a_catalog(node_pools=POOLS)
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")
OWN_TAINT = Taint("nvidia.com/gpu", "", "NoSchedule")


def figures(snapshot: Snapshot, **options: Any) -> dict[str, tuple[int, ...]]:
    found = DeviceSums().of(snapshot, CATALOG, **options)
    return {place.pool: tuple(amounts.values()) for place, amounts in found.items()}


@pytest.mark.parametrize(
    ("node", "used", "expected"),
    [
        pytest.param({"gpus": 4}, 1, (3, 1, 0), id="free and used"),
        pytest.param({"gpus": 3, "capacity": {GPU: 4}}, 1, (2, 1, 1), id="one is unhealthy"),
        pytest.param({"gpus": 4, "unschedulable": True}, 1, (0, 1, 3), id="cordoned"),
        pytest.param({"gpus": 4, "taints": [NOT_READY]}, 1, (0, 1, 3), id="not ready"),
        pytest.param({"gpus": 4, "taints": [OWN_TAINT]}, 1, (3, 1, 0), id="the operator's taint"),
        pytest.param({"gpus": 1}, 2, (0, 2, 0), id="never less than none"),
        pytest.param({"gpus": 0, "capacity": {GPU: 4}}, 2, (0, 2, 2), id="lost ones in use"),
    ],
)
def test_what_is_free(node: dict[str, Any], used: int, expected: tuple[int, ...]) -> None:
    snapshot = a_snapshot(a_node("n", labels={"pool": "big"}, **node), a_pod(node="n", gpus=used))
    assert figures(snapshot) == {"big": expected}


def test_a_pool_that_has_no_node_has_none_and_that_is_known() -> None:
    assert figures(a_snapshot(a_node("n"))) == {"big": (0, 0, 0)}


def test_a_pool_with_something_that_cannot_be_read_is_left_out() -> None:
    big = a_node("n", gpus=4, labels={"pool": "big"})
    other = a_node("m", gpus=2, labels={PRODUCT: "T4"})
    assert figures(a_snapshot(big, other), doubtful={"n"}) == {"T4": (2, 0, 0)}


def test_of_a_thousand_products_some_are_named() -> None:
    nodes = [a_node(f"n{i}", gpus=1, labels={PRODUCT: f"x-{i}"}) for i in range(1000)]
    found = figures(a_snapshot(*nodes, a_node("bare", gpus=1)))
    assert len(found) == families.MOST_PRODUCTS + 3
    assert sum(amounts[0] for amounts in found.values()) == 1001
    assert found[families.OTHER] == (1000 - families.MOST_PRODUCTS, 0, 0)
    assert found[families.NO_POOL] == (1, 0, 0)


def test_sums_kept_up_to_date_are_those_counted_afresh() -> None:
    index, kept = ClusterIndex(), DeviceSums()

    def both() -> tuple[object, object]:
        snapshot = index.snapshot()
        return kept.of(snapshot, CATALOG), DeviceSums().of(snapshot, CATALOG)

    for number in range(4):
        index.put_node(a_node(f"n{number}", gpus=4, labels={"pool": "big"}))
        assert both()[0] == both()[1]
    index.put_pod(a_pod(node="n1", gpus=2))
    assert both()[0] == both()[1]
    for number in range(3):
        index.put_node(a_node(f"n{number}", gpus=2, labels={PRODUCT: "T4"}))
        index.snapshot()
    assert both()[0] == both()[1]
    assert kept.of(index.snapshot(), CATALOG)[Place(GPU, "T4")]["free"] == 4


def test_a_node_that_went_is_counted_no_more() -> None:
    sums = DeviceSums()
    nodes: list[Node] = [a_node(f"n{i}", gpus=1, labels={PRODUCT: "T4"}) for i in range(2)]
    first = a_snapshot(*nodes)
    assert sums.of(first, CATALOG)[Place(GPU, "T4")]["free"] == 2
    states = {"n0": summed(nodes[0], ())}
    second = replace(first, generation=first.generation + 5, nodes=states, changed=frozenset())
    assert sums.of(second, CATALOG)[Place(GPU, "T4")]["free"] == 1
    third = replace(second, generation=second.generation + 1, nodes={}, changed=frozenset({"n0"}))
    assert Place(GPU, "T4") not in sums.of(third, CATALOG)
