"""Node pools, as an operator declares them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ..builders import a_catalog

POOL: dict[str, Any] = {
    "title": "V100 pool",
    "labels": {"pool": "v100"},
    "allocatable": {"cpu": 6, "memory": "100Gi", "nvidia.com/gpu": 1},
}


def a_pool(**fields: Any) -> Any:
    return a_catalog(node_pools={"v100": {**POOL, **fields}}).node_pools["v100"]


def test_a_pool() -> None:
    taints = [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    pool = a_pool(taints=taints, most_nodes=8, autoscaler_group="v100-1")
    assert pool.allocatable == {"cpu": "6", "memory": "100Gi", "nvidia.com/gpu": "1"}
    assert (pool.taints[0].key, pool.most_nodes, pool.autoscaler_group) == ("sku", 8, "v100-1")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"labels": {}}, "labels", id="a pool whose nodes nothing tells from others"),
        pytest.param(
            {"allocatable": {"cpu": 6}}, "of memory is missing", id="a node without memory"
        ),
        pytest.param(
            {"allocatable": {**POOL["allocatable"], "memory": "lots"}},
            "'lots' is not a Kubernetes quantity",
            id="an amount that is none",
        ),
        pytest.param(
            {"allocatable": {**POOL["allocatable"], "cpu": -1}},
            "less than nothing",
            id="a negative amount",
        ),
        pytest.param(
            {"allocatable": {**POOL["allocatable"], "nvidia gpu": 1}},
            "is not a resource",
            id="a name that is no resource",
        ),
        pytest.param({"most_nodes": 0}, "most_nodes", id="a pool that may have no node"),
        pytest.param(
            {"taints": [{"key": "a b", "effect": "NoSchedule"}]},
            "is not a taint's key",
            id="a taint's key",
        ),
        pytest.param(
            {"taints": [{"key": "a", "effect": "Never"}]}, "effect", id="an effect there is not"
        ),
        pytest.param({"scale": 3}, "scale", id="a field there is not"),
    ],
)
def test_what_is_wrong_with_a_pool(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        a_pool(**fields)
