"""How many copies of a pod fit, where each of them bears on the next."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuspawner.capacity.model import (
    HostPort,
    Node,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    SpreadConstraint,
)
from gpuspawner.fit import judge

from ..builders import a_node, a_pod, a_request, a_snapshot, altered

KIND = {"app": "notebook"}
WEB = {"app": "web"}
NOTEBOOKS = (Requirement("app", "In", ("notebook",)),)
HOST = "kubernetes.io/hostname"


def apart(key: str) -> dict[str, Any]:
    return {"pod_anti_affinity": [PodAffinityTerm(key, NOTEBOOKS)]}


def near(key: str) -> dict[str, Any]:
    return {"pod_affinity": [PodAffinityTerm(key, NOTEBOOKS)]}


def spread(key: str, skew: int = 1, **fields: Any) -> dict[str, Any]:
    return {"spread": [SpreadConstraint(key, skew, NOTEBOOKS, **fields)]}


def node(name: str, zone: str | None = None, rack: str | None = None, gpus: int = 2) -> Node:
    labels = {key: value for key, value in (("zone", zone), ("rack", rack)) if value is not None}
    return a_node(name, labels=labels, gpus=gpus)


def slots(*things: Node | Pod, **request: Any) -> int | None:
    return judge(a_request(gpus=1, labels=KIND, **request), a_snapshot(*things)).slots


THREE = (node("n1", "a"), node("n2", "a"), node("n3", "b"))
ONE_ON_N1 = a_pod("p", node="n1", labels=KIND)


@pytest.mark.parametrize(
    ("things", "request_", "expected"),
    [
        pytest.param(THREE, {}, 6, id="no rule: by room alone"),
        pytest.param(THREE, apart(HOST), 3, id="apart by node: one a node"),
        pytest.param(THREE, apart("zone"), 2, id="apart by zone: one a zone"),
        pytest.param((*THREE, ONE_ON_N1), apart("zone"), 1, id="a zone that has one takes none"),
        pytest.param(
            (*THREE, node("n4", gpus=3)), apart("zone"), 5, id="a node in no zone takes what it can"
        ),
        pytest.param(
            THREE, {**apart("zone"), "labels_": {}}, 6, id="terms that do not mean the pod itself"
        ),
        pytest.param(
            THREE,
            {"pod_anti_affinity": [PodAffinityTerm(key, NOTEBOOKS) for key in (HOST, "zone")]},
            2,
            id="of nested domains the widest decides",
        ),
        pytest.param(
            (node("n1", "a", "1"), node("n2", "a", "2"), node("n3", "b", "1")),
            {"pod_anti_affinity": [PodAffinityTerm(key, NOTEBOOKS) for key in ("rack", "zone")]},
            None,
            id="domains that cross: it depends on who goes where",
        ),
        pytest.param(THREE, spread("zone"), 5, id="spread: the smaller zone and one more"),
        pytest.param(THREE, spread("zone", 2), 6, id="with more skew"),
        pytest.param(
            (*THREE, ONE_ON_N1), spread("zone"), 4, id="what is ahead waits for the others, too"
        ),
        pytest.param(
            (*THREE, node("n4", "c", gpus=0)), spread("zone"), 2, id="a full zone holds up the rest"
        ),
        pytest.param(
            (*THREE, node("n4", gpus=9)), spread("zone"), 5, id="a node in no zone takes none"
        ),
        pytest.param(
            THREE, spread("zone", min_domains=3), 2, id="too few zones: as many as the skew each"
        ),
        pytest.param(THREE, spread("zone") | apart(HOST), 3, id="spread and apart, nested"),
        pytest.param(
            THREE, spread(HOST) | apart("zone"), 2, id="spread by node, but one a zone: told"
        ),
        pytest.param(
            (node("n1", "a"), node("n2", "b"), node("n3", "b"), ONE_ON_N1),
            spread(HOST, 2) | apart("zone"),
            1,
            id="spread by node, where one zone has one",
        ),
        pytest.param(
            (
                *(node(f"n{number}", "ab"[number // 2]) for number in range(4)),
                *(a_pod(f"p{number}", node=f"n{number}", labels=WEB) for number in (1, 2, 3)),
            ),
            {"spread": [SpreadConstraint(HOST, 1, (Requirement("app", "Exists"),))]}
            | apart("zone"),
            None,
            id="a zone whose turn comes once the emptiest node is taken: not told",
        ),
        pytest.param(
            THREE,
            {"spread": [SpreadConstraint(key, 1, NOTEBOOKS) for key in ("zone", HOST)]},
            None,
            id="two spreads: not told",
        ),
        pytest.param(
            THREE, {"spread": [SpreadConstraint("zone", 1, ())]}, 6, id="a spread that counts none"
        ),
        pytest.param(THREE, near("zone"), None, id="the first decides the zone: not told"),
        pytest.param(THREE[:2], near("zone"), 4, id="unless it is all the same"),
        pytest.param((*THREE, ONE_ON_N1), near("zone"), 4, id="the first is there already"),
        pytest.param(
            THREE, {"host_ports": [HostPort("0.0.0.0", "TCP", 1)]}, 3, id="host ports: one a node"
        ),
        pytest.param(
            (*THREE, a_pod("w", node=None, nominated_node="n3", phase="Pending")),
            spread("zone"),
            None,
            id="with a pod that waits for one of the nodes: not told",
        ),
    ],
)
def test_copies(things: Any, request_: dict[str, Any], expected: int | None) -> None:
    fields = dict(request_)
    labels = fields.pop("labels_", KIND)
    request = a_request(gpus=1, labels=labels, **fields)
    assert judge(request, a_snapshot(*things)).slots == expected


def filled(request: PodRequest, things: list[Node | Pod], seed: int) -> int:
    """How many copies fit if each goes to a node drawn from those that take it."""
    draw = Random(seed)
    things = list(things)
    for number in range(100):
        verdict = judge(request, a_snapshot(*things))
        if not verdict.nodes:
            return number
        at = draw.choice(sorted(verdict.nodes))
        copy = a_pod(f"copy-{number}", node=at, gpus=1, labels=request.labels)
        things.append(
            altered(copy, host_ports=request.host_ports, anti_affinity=request.pod_anti_affinity)
        )
    raise AssertionError(things)


ZONES = st.sampled_from(["a", "b", "c", None])
NODES = st.lists(
    st.tuples(ZONES, st.sampled_from(["1", "2", None]), st.integers(0, 3)), min_size=1, max_size=5
).map(lambda rows: [node(f"n{i}", zone, rack, gpus) for i, (zone, rack, gpus) in enumerate(rows)])
KEYS = st.sampled_from([HOST, "zone", "rack"])
MEANT = st.sampled_from(
    [NOTEBOOKS, NOTEBOOKS, NOTEBOOKS, (), (Requirement("app", "Exists"),), None]
)
TERMS = st.lists(st.builds(PodAffinityTerm, KEYS, MEANT), max_size=2)
SPREADS = st.lists(
    st.builds(
        SpreadConstraint, KEYS, st.integers(1, 2), MEANT, min_domains=st.sampled_from([0, 0, 3])
    ),
    max_size=2,
)
REQUESTS = st.builds(
    lambda affinity, anti_affinity, spreads, labels: a_request(
        gpus=1,
        labels=labels,
        pod_affinity=affinity,
        pod_anti_affinity=anti_affinity,
        spread=spreads,
    ),
    st.one_of(st.just([]), TERMS),
    TERMS,
    SPREADS,
    st.sampled_from([KIND, KIND, {"app": "web"}]),
)
THERE = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([KIND, {"app": "web"}])), max_size=3)


@settings(max_examples=200)
@given(NODES, THERE, REQUESTS, st.integers(0, 2**16))
def test_a_number_is_what_fits_one_after_another_in_any_order(
    nodes: list[Node], there: list[tuple[int, dict[str, str]]], request: PodRequest, seed: int
) -> None:
    pods = [
        a_pod(f"p{number}", node=f"n{at}", labels=labels)
        for number, (at, labels) in enumerate(there)
    ]
    things: list[Node | Pod] = [*nodes, *pods]
    verdict = judge(request, a_snapshot(*things))
    if verdict.slots is not None:
        assert filled(request, things, seed) == verdict.slots


@given(NODES, KEYS)
def test_pods_that_keep_apart_fit_once_a_domain_at_most(nodes: list[Node], key: str) -> None:
    number = slots(*nodes, **apart(key))
    assert number is not None
    in_domains = {each.labels[key] for each in nodes if key in each.labels}
    outside = sum(each.allocatable["nvidia.com/gpu"] for each in nodes if key not in each.labels)
    assert number <= len(in_domains) + outside
