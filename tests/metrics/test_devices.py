"""Free devices by node pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Taint
from gpuspawner.capacity.node_states import summed
from gpuspawner.metrics import families
from gpuspawner.metrics.devices import MOST_AT_ONCE, PRODUCT, Amounts, DeviceSums, Place

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


def sums_of(sums: DeviceSums, snapshot: Snapshot, **options: Any) -> dict[Place, Amounts]:
    found = sums.of(snapshot, CATALOG, **options)
    assert found is not None
    return found


def figures(snapshot: Snapshot, **options: Any) -> dict[str, tuple[int, ...]]:
    sums = DeviceSums()
    for _ in sums.settle(snapshot, CATALOG):
        """Without a pause."""
    found = sums_of(sums, snapshot, **options)
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
        return sums_of(kept, snapshot), sums_of(DeviceSums(), snapshot)

    for number in range(4):
        index.put_node(a_node(f"n{number}", gpus=4, labels={"pool": "big"}))
        assert both()[0] == both()[1]
    index.put_pod(a_pod(node="n1", gpus=2))
    assert both()[0] == both()[1]
    for number in range(3):
        index.put_node(a_node(f"n{number}", gpus=2, labels={PRODUCT: "T4"}))
        index.snapshot()
    assert both()[0] == both()[1]
    assert sums_of(kept, index.snapshot())[Place(GPU, "T4")]["free"] == 4


def test_a_node_that_went_is_counted_no_more() -> None:
    sums = DeviceSums()
    nodes: list[Node] = [a_node(f"n{i}", gpus=1, labels={PRODUCT: "T4"}) for i in range(2)]
    first = a_snapshot(*nodes)
    assert sums_of(sums, first)[Place(GPU, "T4")]["free"] == 2
    states = {"n0": summed(nodes[0], ())}
    second = replace(first, generation=first.generation + 5, nodes=states, changed=frozenset())
    assert sums_of(sums, second)[Place(GPU, "T4")]["free"] == 1
    third = replace(second, generation=second.generation + 1, nodes={}, changed=frozenset({"n0"}))
    assert Place(GPU, "T4") not in sums_of(sums, third)


def test_many_nodes_are_not_counted_at_once_and_are_not_known_until_then() -> None:
    nodes = [a_node(f"n{i}", gpus=1, labels={"pool": "big"}) for i in range(MOST_AT_ONCE + 1)]
    snapshot, sums = a_snapshot(*nodes), DeviceSums()
    assert sums.of(snapshot, CATALOG) is None
    steps = sums.settle(snapshot, CATALOG)
    next(steps)
    # What is left is few enough by now, and newer.
    newer = a_snapshot(*nodes, *(a_pod(f"p{i}", node=f"n{i}", gpus=1) for i in range(3)))
    newer = replace(
        newer,
        generation=snapshot.generation + 9,
        nodes={**snapshot.nodes, **{f"n{i}": newer.nodes[f"n{i}"] for i in range(3)}},
    )
    assert sums_of(sums, newer)[Place(GPU, "big")]["free"] == MOST_AT_ONCE - 2
    assert not list(steps)
    assert sums_of(sums, newer)[Place(GPU, "big")]["free"] == MOST_AT_ONCE - 2
