"""How evenly pods must be spread, over which domains, and what counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import (
    Node,
    Pod,
    Requirement,
    SpreadConstraint,
    Taint,
)
from gpuspawner.fit import Hindrance, judge
from gpuspawner.fit.pod_topology_spread import prepare

from ..builders import a_node, a_pod, a_request, a_snapshot, a_term, altered

WORDS = "node(s) didn't match pod topology spread constraints"
MISSING = f"{WORDS} (missing required label)"
KIND = {"app": "notebook"}
NOTEBOOKS = (Requirement("app", "In", ("notebook",)),)
ZONES = SpreadConstraint("zone", 1, NOTEBOOKS)
RACKS = SpreadConstraint("rack", 1, NOTEBOOKS)


def in_zone(name: str, zone: str | None, **fields: Any) -> Node:
    """A node, in a zone unless that is None."""
    return a_node(name, labels={} if zone is None else {"zone": zone}, **fields)


def notebook(name: str, node: str, **fields: Any) -> Pod:
    return a_pod(name, node=node, **{"labels": KIND, **fields})


def refusals(
    *things: Node | Pod,
    spread: tuple[SpreadConstraint, ...] = (ZONES,),
    labels: Mapping[str, str] = KIND,
    **fields: Any,
) -> dict[str, str]:
    """The words by the name of each node that is refused."""
    snapshot = a_snapshot(*things)
    check = prepare(a_request(spread=spread, labels=labels, **fields), snapshot)
    assert check is not None
    return {
        name: reasons[0].words
        for name, state in snapshot.nodes.items()
        if (reasons := check(state))
    }


TWO_ZONES = (in_zone("n1", "a"), in_zone("n2", "b"))
ONE_IN_A = (*TWO_ZONES, notebook("p1", "n1"))


@pytest.mark.parametrize(
    ("things", "changes", "refused"),
    [
        pytest.param(TWO_ZONES, {}, {}, id="nothing runs: every zone will do"),
        pytest.param(ONE_IN_A, {}, {"n1": WORDS}, id="a zone that is ahead is refused"),
        pytest.param(ONE_IN_A, {"spread": (replace(ZONES, max_skew=2),)}, {}, id="within the skew"),
        pytest.param(
            (*ONE_IN_A, in_zone("n3", "a")), {}, {"n1": WORDS, "n3": WORDS}, id="with all its nodes"
        ),
        pytest.param(
            (*ONE_IN_A, in_zone("n3", "")),
            {},
            {"n1": WORDS},
            id="an empty value is a domain like any other",
        ),
        pytest.param(
            (*TWO_ZONES, in_zone("n3", None)), {}, {"n3": MISSING}, id="a node without the label"
        ),
        pytest.param(
            (*TWO_ZONES, notebook("p1", "n1", terminating=True)),
            {},
            {},
            id="pods that are terminating do not count",
        ),
        pytest.param(
            (*TWO_ZONES, notebook("p1", "n1", phase="Succeeded")),
            {},
            {},
            id="pods that ended do not count",
        ),
        pytest.param(
            (*TWO_ZONES, notebook("p1", "n1", namespace="other")),
            {},
            {},
            id="pods of other namespaces do not count",
        ),
        pytest.param(
            (*TWO_ZONES, notebook("p1", "n1", labels={"app": "web"})),
            {},
            {},
            id="pods of another kind do not count",
        ),
        pytest.param(
            (*ONE_IN_A, notebook("p2", "n3"), in_zone("n3", None)),
            {},
            {"n1": WORDS, "n3": MISSING},
            id="pods on nodes without the label do not count",
        ),
        pytest.param(
            ONE_IN_A,
            {"labels": {}},
            {},
            id="a pod of another kind adds nothing itself",
        ),
        pytest.param(
            (*ONE_IN_A, notebook("p2", "n1")),
            {"labels": {}},
            {"n1": WORDS},
            id="but stays out of a zone that is too far ahead",
        ),
        pytest.param(
            ONE_IN_A, {"spread": (replace(ZONES, selector=None),)}, {}, id="no selector, no pods"
        ),
        pytest.param(
            ONE_IN_A, {"spread": (replace(ZONES, selector=()),)}, {}, id="an empty one counts none"
        ),
        pytest.param(
            TWO_ZONES,
            {"spread": (replace(ZONES, min_domains=3),)},
            {},
            id="too few domains: the least is taken for 0",
        ),
        pytest.param(
            (*ONE_IN_A, notebook("p2", "n2")),
            {"spread": (replace(ZONES, min_domains=3),)},
            {"n1": WORDS, "n2": WORDS},
            id="so that each takes no more than the skew",
        ),
        pytest.param(
            (*ONE_IN_A, notebook("p2", "n2")),
            {"spread": (replace(ZONES, min_domains=2),)},
            {},
            id="enough domains",
        ),
    ],
)
def test_skew(
    things: tuple[Node | Pod, ...], changes: dict[str, Any], refused: dict[str, str]
) -> None:
    assert refusals(*things, **changes) == refused


OLD = notebook("p1", "n1", labels={**KIND, "version": "1"})


@pytest.mark.parametrize(
    ("selector", "labels", "refused"),
    [
        pytest.param(NOTEBOOKS, {**KIND, "version": "1"}, {"n1": WORDS}, id="the same value"),
        pytest.param(NOTEBOOKS, {**KIND, "version": "2"}, {}, id="another value is another kind"),
        pytest.param(NOTEBOOKS, KIND, {"n1": WORDS}, id="a pod without the label asks for none"),
        pytest.param((), {"version": "1"}, {"n1": WORDS}, id="it makes an empty selector count"),
        pytest.param(None, {"version": "1"}, {}, id="but not one that is not there"),
    ],
)
def test_match_label_keys(selector: Any, labels: dict[str, str], refused: dict[str, str]) -> None:
    constraint = replace(ZONES, selector=selector, match_label_keys=("version",))
    assert refusals(*TWO_ZONES, OLD, spread=(constraint,), labels=labels) == refused


TAINTED = in_zone("n2", "b", taints=[Taint("gpu", "", "NoSchedule")])
ONLY_N1 = (a_term(fields=(Requirement("metadata.name", "In", ("n1",)),)),)
IN_ZONE_A = (a_term(Requirement("zone", "In", ("a",))),)


@pytest.mark.parametrize(
    ("things", "changes", "refused"),
    [
        pytest.param(
            ONE_IN_A,
            {"node_selector": {"zone": "a"}},
            {},
            id="zones that the node selector leaves out are not looked at",
        ),
        pytest.param(
            ONE_IN_A, {"affinity": IN_ZONE_A}, {}, id="nor those that the node affinity leaves out"
        ),
        pytest.param(
            ONE_IN_A, {"affinity": ONLY_N1}, {}, id="nor those that it leaves out by their name"
        ),
        pytest.param(
            ONE_IN_A,
            {"affinity": IN_ZONE_A, "spread": (replace(ZONES, honors_affinity=False),)},
            {"n1": WORDS},
            id="unless nodeAffinityPolicy is Ignore",
        ),
        pytest.param(
            (in_zone("n1", "a"), TAINTED, notebook("p1", "n1")),
            {},
            {"n1": WORDS},
            id="taints are not looked at",
        ),
        pytest.param(
            (in_zone("n1", "a"), TAINTED, notebook("p1", "n1")),
            {"spread": (replace(ZONES, honors_taints=True),)},
            {},
            id="unless nodeTaintsPolicy is Honor",
        ),
        pytest.param(
            (in_zone("n1", "a"), in_zone("n2", "b", unschedulable=True), notebook("p1", "n1")),
            {"spread": (replace(ZONES, honors_taints=True),)},
            {"n1": WORDS},
            id="a cordon without its taint changes nothing",
        ),
    ],
)
def test_which_domains_take_part(
    things: tuple[Node | Pod, ...], changes: dict[str, Any], refused: dict[str, str]
) -> None:
    assert refusals(*things, **changes) == refused


def test_a_node_without_one_of_the_labels_takes_no_part_in_any_constraint() -> None:
    things = (
        a_node("n1", labels={"zone": "a", "rack": "1"}),
        a_node("n2", labels={"zone": "b", "rack": "2"}),
        in_zone("n3", "c"),
        notebook("p1", "n1"),
        notebook("p2", "n2"),
    )
    assert refusals(*things, spread=(ZONES, RACKS)) == {"n3": MISSING}
    assert refusals(*things) == {"n1": WORDS, "n2": WORDS}


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        pytest.param((ZONES, RACKS), WORDS, id="the skew comes first"),
        pytest.param((RACKS, ZONES), MISSING, id="the missing label comes first"),
    ],
)
def test_the_first_constraint_that_fails_has_the_word(
    spread: tuple[SpreadConstraint, ...], words: str
) -> None:
    things = (
        in_zone("n1", "a"),
        a_node("n2", labels={"zone": "a", "rack": "1"}),
        a_node("n3", labels={"zone": "b", "rack": "2"}),
        notebook("p1", "n2"),
    )
    assert refusals(*things, spread=spread)["n1"] == words


@pytest.mark.parametrize(
    ("things", "hindrance"),
    [
        pytest.param(ONE_IN_A, Hindrance.FULL, id="eviction could help against a skew"),
        pytest.param((in_zone("n1", None),), Hindrance.NOT_FOR_POD, id="but not for a label"),
    ],
)
def test_what_would_have_to_change(things: tuple[Node | Pod, ...], hindrance: Hindrance) -> None:
    snapshot = a_snapshot(*things)
    check = prepare(a_request(spread=(ZONES,), labels=KIND), snapshot)
    assert check is not None
    assert [reason.hindrance for reason in check(snapshot.nodes["n1"])] == [hindrance]


def test_a_pod_without_constraints_needs_no_check() -> None:
    assert prepare(a_request(labels=KIND), a_snapshot(*ONE_IN_A)) is None


@pytest.mark.parametrize(
    ("priority", "fits"),
    [
        pytest.param(0, False, id="a pod of no lower priority counts where it waits for the node"),
        pytest.param(-1, True, id="one of lower priority does not"),
    ],
)
def test_pods_that_wait_for_a_node(priority: int, *, fits: bool) -> None:
    waiting = notebook("w", "", nominated_node="n1", phase="Pending", priority=priority)
    full = in_zone("n2", "b", pods=0)
    things = (in_zone("n1", "a"), full, altered(waiting, node=None))
    verdict = judge(a_request(spread=(ZONES,), labels=KIND), a_snapshot(*things))
    assert verdict.fits is fits


def test_a_node_judged_without_a_pod_that_is_there() -> None:
    """As for an eviction: the rest of the cluster stays as it is."""
    snapshot = a_snapshot(*ONE_IN_A)
    check = prepare(a_request(spread=(ZONES,), labels=KIND), snapshot)
    assert check is not None
    state = snapshot.nodes["n1"]
    assert check(state)
    assert not check(replace(state, pods=()))
    assert check(state)


NODES = st.builds(
    lambda zones: [in_zone(f"n{number}", zone) for number, zone in enumerate(zones)],
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=5),
)


@given(NODES, st.lists(st.integers(0, 4), max_size=6), st.integers(1, 2), st.integers(0, 3))
def test_what_passes_keeps_the_skew_within_its_bound(
    nodes: list[Node], places: list[int], max_skew: int, min_domains: int
) -> None:
    """Against a plain count over the nodes that have the label."""
    pods = [
        notebook(f"p{number}", f"n{place}")
        for number, place in enumerate(places)
        if place < len(nodes)
    ]
    constraint = replace(ZONES, max_skew=max_skew, min_domains=min_domains)
    refused = refusals(*nodes, *pods, spread=(constraint,))
    zone_of = {node.name: node.labels.get("zone") for node in nodes}
    zones = sorted({zone for zone in zone_of.values() if zone is not None})
    for name, zone in zone_of.items():
        if zone is None:
            assert refused[name] == MISSING
            continue
        counts = {z: sum(zone_of[str(pod.node)] == z for pod in pods) for z in zones}
        least = min(counts.values()) if len(zones) >= min_domains else 0
        assert (refused.get(name) == WORDS) == (counts[zone] + 1 - least > max_skew)


@given(NODES, st.sampled_from(["x", "notebook"]))
def test_a_pod_elsewhere_changes_nothing(nodes: list[Node], app: str) -> None:
    other = notebook("other", "n0", namespace="other", labels={"app": app})
    assert refusals(*nodes, other) == refusals(*nodes)
