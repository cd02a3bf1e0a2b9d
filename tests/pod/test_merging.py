"""Adding to KubeSpawner's settings without losing what stood there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kubespawner.utils import recursive_update

from gpuspawner.capacity.model import NodeSelectorTerm, Requirement
from gpuspawner.fit.node_affinity import check
from gpuspawner.pod.merging import both_terms, camel_keys, items_of, merged, override, with_item

from ..builders import a_node, a_request, a_state


@pytest.mark.parametrize(
    ("value", "items"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param([], [], id="an empty list"),
        pytest.param({}, [], id="an empty mapping"),
        pytest.param(["b", "a"], ["b", "a"], id="a list keeps its order"),
        pytest.param({"2": "b", "1": "a"}, ["a", "b"], id="a mapping has the order of its keys"),
    ],
)
def test_items(value: Any, items: list[Any]) -> None:
    assert items_of(value) == items


@pytest.mark.parametrize(
    ("value", "after"),
    [
        pytest.param(None, ["new"], id="nothing becomes a list"),
        pytest.param(["a"], ["a", "new"], id="a list gets it at its end"),
        pytest.param({"a": 1}, {"a": 1, "key": "new"}, id="a mapping gets it under the key"),
        pytest.param({}, {"key": "new"}, id="an empty mapping stays a mapping"),
    ],
)
def test_one_item_more(value: Any, after: Any) -> None:
    before = deepcopy(value)
    assert with_item(value, "key", "new") == after
    assert value == before


@pytest.mark.parametrize(
    ("base", "changes", "after"),
    [
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="a value is replaced"),
        pytest.param({"a": [1]}, {"a": [2]}, {"a": [2]}, id="a list is replaced"),
        pytest.param(
            {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}, id="mappings are merged"
        ),
        pytest.param({"a": {"x": 1}}, {"a": {"x": None}}, {"a": {}}, id="a None deletes its key"),
        pytest.param(
            {"a": {"x": {"p": 1}}},
            {"a": {"x": {"q": 2}}},
            {"a": {"x": {"p": 1, "q": 2}}},
            id="mappings are merged at every depth",
        ),
        pytest.param({"a": {"x": 1}}, {"a": [2]}, {"a": [2]}, id="a list replaces a mapping"),
        pytest.param({"a": [1]}, {"a": {"x": 2}}, {"a": {"x": 2}}, id="a mapping replaces a list"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, id="a None at the top is a value"),
        pytest.param({}, {"a": {"x": None}}, {"a": {"x": None}}, id="what was not there is set"),
    ],
)
def test_overrides(base: dict[str, Any], changes: dict[str, Any], after: dict[str, Any]) -> None:
    override(base, changes)
    assert base == after


VALUES = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def clash(base: dict[str, Any], changes: dict[str, Any]) -> bool:
    """Whether a mapping would have to be merged into what is none, which KubeSpawner cannot do."""
    return any(
        isinstance(change, dict)
        and key in base
        and (not isinstance(base[key], dict) or clash(base[key], change))
        for key, change in changes.items()
    )


@given(MAPPINGS, MAPPINGS)
def test_merging_is_what_kubespawner_does(base: dict[str, Any], changes: dict[str, Any]) -> None:
    assume(not clash(base, changes))
    theirs = deepcopy(base)
    recursive_update(theirs, changes)
    before = deepcopy((base, changes))
    assert merged(base, changes) == theirs
    assert (base, changes) == before


@pytest.mark.parametrize(
    ("part", "camel"),
    [
        pytest.param({"mount_path": "/a"}, {"mountPath": "/a"}, id="snake becomes camel"),
        pytest.param({"mountPath": "/a"}, {"mountPath": "/a"}, id="camel stays"),
        pytest.param(
            {"match_expressions": [{"some_key": 1}]},
            {"matchExpressions": [{"some_key": 1}]},
            id="only its own keys, as KubeSpawner does",
        ),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_keys(part: dict[str, Any], camel: dict[str, Any]) -> None:
    assert camel_keys(part) == camel


EXPRESSIONS = st.lists(
    st.sampled_from(
        [
            {"key": "zone", "operator": "In", "values": ["a"]},
            {"key": "zone", "operator": "NotIn", "values": ["a"]},
            {"key": "gpu", "operator": "Exists"},
            {"key": "gpu", "operator": "Gt", "values": ["not a number"]},
        ]
    ),
    min_size=1,
    max_size=2,
)
FIELDS = st.lists(
    st.sampled_from(
        [
            {"key": "metadata.name", "operator": "In", "values": ["n1"]},
            {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]},
        ]
    ),
    min_size=1,
    max_size=2,
)
TERMS = st.fixed_dictionaries(
    {},
    optional={
        "matchExpressions": EXPRESSIONS | st.none() | st.just([]),
        "matchFields": FIELDS | st.none(),
    },
)


def admits(term: dict[str, Any], labels: dict[str, str]) -> bool:
    def parsed(name: str) -> tuple[Requirement, ...]:
        return tuple(
            Requirement(one["key"], one["operator"], tuple(one.get("values", ())))
            for one in term.get(name) or ()
        )

    affinity = (NodeSelectorTerm(parsed("matchExpressions"), parsed("matchFields")),)
    return not check(a_request(affinity=affinity), a_state(a_node("n1", labels=labels)))


@given(TERMS, TERMS, st.sampled_from([{}, {"zone": "a"}, {"gpu": ""}, {"zone": "b", "gpu": "1"}]))
def test_a_node_matches_both_terms_if_and_only_if_it_matches_each(
    one: dict[str, Any], other: dict[str, Any], labels: dict[str, str]
) -> None:
    both = both_terms(one, other)
    assert admits(both, labels) is (admits(one, labels) and admits(other, labels))
