"""Which pods must be near, which must be far, and which keep others away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import LabelSelector, Node, Pod, PodAffinityTerm, Requirement
from gpuspawner.fit import Hindrance, judge
from gpuspawner.fit.inter_pod_affinity import prepare

from ..builders import a_node, a_pod, a_request, a_snapshot, altered

NOT_NEAR = "node(s) didn't match pod affinity rules"
TOO_NEAR = "node(s) didn't match pod anti-affinity rules"
REPELLED = "node(s) didn't satisfy existing pods anti-affinity rules"
UNTOLD = "namespaceSelector"
NAME = "kubernetes.io/metadata.name"
WEB = {"app": "web"}


def equals(**labels: str) -> LabelSelector:
    return tuple(Requirement(key, "In", (value,)) for key, value in labels.items())


def term(
    key: str = "zone", selector: LabelSelector | None = None, **fields: Any
) -> PodAffinityTerm:
    return PodAffinityTerm(key, equals(app="web") if selector is None else selector, **fields)


def in_zone(name: str, zone: str | None, **fields: Any) -> Node:
    return a_node(name, labels={} if zone is None else {"zone": zone}, **fields)


def refusals(*things: Node | Pod, **request: Any) -> dict[str, str]:
    """The words by the name of each node that is refused, or of which it cannot be told."""
    snapshot = a_snapshot(*things)
    check = prepare(a_request(**request), snapshot)
    if check is None:
        return {}
    return {
        name: reasons[0].words
        for name, state in snapshot.nodes.items()
        if (reasons := check(state))
    }


NODES = (in_zone("n1", "a"), in_zone("n2", "a"), in_zone("n3", "b"), in_zone("n4", None))
WEB_ON_N1 = a_pod("web", node="n1", labels=WEB)


@pytest.mark.parametrize(
    ("pods", "terms", "refused"),
    [
        pytest.param([], [term()], {}, id="nothing runs"),
        pytest.param([WEB_ON_N1], [term()], {"n1", "n2"}, id="the whole domain is refused"),
        pytest.param(
            [WEB_ON_N1],
            [term("kubernetes.io/hostname")],
            {"n1"},
            id="a node is a domain of its own",
        ),
        pytest.param(
            [altered(WEB_ON_N1, node="n4")],
            [term()],
            set(),
            id="a node without the label is in none",
        ),
        pytest.param(
            [altered(WEB_ON_N1, terminating=True)],
            [term()],
            {"n1", "n2"},
            id="pods that are terminating count",
        ),
        pytest.param(
            [altered(WEB_ON_N1, phase="Failed")], [term()], set(), id="pods that ended do not"
        ),
        pytest.param(
            [altered(WEB_ON_N1, namespace="other")],
            [term()],
            set(),
            id="pods of other namespaces do not",
        ),
        pytest.param(
            [altered(WEB_ON_N1, labels={})], [term()], set(), id="pods of another kind do not"
        ),
        pytest.param(
            [WEB_ON_N1, a_pod("db", node="n3", labels={"app": "db"})],
            [term(), term(selector=equals(app="db"))],
            {"n1", "n2", "n3"},
            id="each term keeps away by itself",
        ),
        pytest.param(
            [WEB_ON_N1], [PodAffinityTerm("zone", None)], set(), id="no selector matches no pod"
        ),
        pytest.param(
            [altered(WEB_ON_N1, labels={})],
            [PodAffinityTerm("zone", ())],
            {"n1", "n2"},
            id="an empty selector matches every pod",
        ),
    ],
)
def test_anti_affinity(pods: list[Pod], terms: list[PodAffinityTerm], refused: set[str]) -> None:
    expected = dict.fromkeys(refused, TOO_NEAR)
    assert refusals(*NODES, *pods, pod_anti_affinity=terms) == expected


@pytest.mark.parametrize(
    ("pods", "terms", "labels", "near"),
    [
        pytest.param([WEB_ON_N1], [term()], {}, {"n1", "n2"}, id="only where they are"),
        pytest.param([], [term()], {}, set(), id="there are none"),
        pytest.param(
            [], [term()], WEB, {"n1", "n2", "n3"}, id="the first of a group goes anywhere"
        ),
        pytest.param([WEB_ON_N1], [term()], WEB, {"n1", "n2"}, id="the second goes with it"),
        pytest.param(
            [altered(WEB_ON_N1, node="n4")],
            [term()],
            WEB,
            {"n1", "n2", "n3"},
            id="one on a node without the label is no first",
        ),
        pytest.param(
            [WEB_ON_N1, a_pod("both", node="n3", labels={**WEB, "tier": "1"})],
            [term(), term("kubernetes.io/hostname", equals(tier="1"))],
            {},
            {"n3"},
            id="one pod must match every term",
        ),
        pytest.param(
            [WEB_ON_N1, a_pod("tier", node="n1", labels={"tier": "1"})],
            [term(), term(selector=equals(tier="1"))],
            {},
            set(),
            id="two pods that match one each will not do",
        ),
        pytest.param(
            [WEB_ON_N1, a_pod("tier", node="n1", labels={"tier": "1"})],
            [term(), term(selector=equals(tier="1"))],
            {**WEB, "tier": "1"},
            {"n1", "n2", "n3"},
            id="so that the first that matches both goes anywhere",
        ),
        pytest.param(
            [],
            [term(), term("rack")],
            WEB,
            set(),
            id="the first needs all the labels of a node, too",
        ),
    ],
)
def test_affinity(
    pods: list[Pod], terms: list[PodAffinityTerm], labels: dict[str, str], near: set[str]
) -> None:
    expected = {node.name: NOT_NEAR for node in NODES if node.name not in near}
    assert refusals(*NODES, *pods, pod_affinity=terms, labels=labels) == expected


KEEPER = a_pod("keeper", node="n1", anti_affinity=[term()])


@pytest.mark.parametrize(
    ("keeper", "request_", "refused"),
    [
        pytest.param(KEEPER, {"labels": WEB}, {"n1", "n2"}, id="it keeps a kind out of its domain"),
        pytest.param(KEEPER, {"labels": {}}, set(), id="but not another kind"),
        pytest.param(
            KEEPER, {"labels": WEB, "namespace": "other"}, set(), id="nor those of other namespaces"
        ),
        pytest.param(
            altered(KEEPER, namespace="other"),
            {"labels": WEB},
            set(),
            id="a term without namespaces is about those of its own pod",
        ),
        pytest.param(
            altered(KEEPER, namespace="other", anti_affinity=(term(namespaces=("jhub",)),)),
            {"labels": WEB},
            {"n1", "n2"},
            id="unless it names others",
        ),
        pytest.param(
            altered(KEEPER, terminating=True),
            {"labels": WEB},
            {"n1", "n2"},
            id="even if it is terminating",
        ),
        pytest.param(
            altered(KEEPER, node="n4"),
            {"labels": WEB},
            set(),
            id="without the label it has no domain",
        ),
        pytest.param(
            altered(KEEPER, anti_affinity=(term(match_label_keys=("version",)),)),
            {"labels": {**WEB, "version": "2"}},
            {"n1", "n2"},
            id="what the API server merged stands in its selector already",
        ),
    ],
)
def test_pods_that_keep_others_away(
    keeper: Pod, request_: dict[str, Any], refused: set[str]
) -> None:
    assert refusals(*NODES, keeper, **request_) == dict.fromkeys(refused, REPELLED)


ALL: LabelSelector = ()
THIS = (Requirement(NAME, "In", ("other", "jhub")),)
NOT_THIS = (Requirement(NAME, "In", ("other",)),)
TEAM = (Requirement("team", "In", ("ml",)),)


@pytest.mark.parametrize(
    ("fields", "reached"),
    [
        pytest.param({}, True, id="none given: the pod's own namespace"),
        pytest.param({"namespaces": ("other",)}, False, id="others given: not the own"),
        pytest.param({"namespaces": ("other", "jhub")}, True, id="given by name"),
        pytest.param({"namespace_selector": ALL}, True, id="an empty selector is all namespaces"),
        pytest.param({"namespace_selector": TEAM}, None, id="labels of namespaces are not known"),
        pytest.param(
            {"namespace_selector": TEAM, "namespaces": ("jhub",)}, True, id="by name or by selector"
        ),
        pytest.param({"namespace_selector": THIS}, True, id="but that each bears its name"),
        pytest.param({"namespace_selector": NOT_THIS}, False, id="which may be another"),
        pytest.param(
            {"namespace_selector": (*TEAM, *NOT_THIS)}, False, id="which is enough to tell"
        ),
        pytest.param({"namespace_selector": (*TEAM, *THIS)}, None, id="or not"),
        pytest.param(
            {"namespace_selector": (Requirement(NAME, "NotIn", ("other",)),)},
            None,
            id="what only excludes is read differently by different schedulers",
        ),
    ],
)
def test_namespaces(fields: dict[str, Any], *, reached: bool | None) -> None:
    """All three rules, for a pod in the namespace ``jhub`` on both sides."""
    one = in_zone("n1", "a")
    said = {True: True, False: False, None: UNTOLD}[reached]
    far = refusals(one, WEB_ON_N1, pod_anti_affinity=[term(**fields)])
    assert far.get("n1", False) == (TOO_NEAR if said is True else said)
    near = refusals(one, WEB_ON_N1, pod_affinity=[term(**fields)])
    assert near.get("n1", True) == (NOT_NEAR if said is False else said)
    keeper = altered(KEEPER, anti_affinity=(term(**fields),))
    repelled = refusals(one, keeper, labels=WEB)
    assert repelled.get("n1", False) == (REPELLED if said is True else said)


def test_a_pod_of_which_it_cannot_be_told_whether_it_is_the_first() -> None:
    untold = term(namespace_selector=TEAM)
    perhaps_first = {
        "pod_affinity": [term(namespaces=("jhub",), namespace_selector=TEAM)],
        "labels": WEB,
    }
    nodes = NODES[:3]
    assert refusals(*nodes, pod_affinity=[untold], labels=WEB) == dict.fromkeys(
        ["n1", "n2", "n3"], UNTOLD
    )
    one_perhaps = refusals(*nodes, altered(WEB_ON_N1, namespace="other"), **perhaps_first)
    assert one_perhaps == dict.fromkeys(["n1", "n2", "n3"], UNTOLD)
    certain_not = refusals(*nodes, pod_affinity=[untold], labels={})
    assert certain_not == dict.fromkeys(["n1", "n2", "n3"], NOT_NEAR)


def test_what_is_certain_goes_before_what_cannot_be_told() -> None:
    terms = [term(selector=equals(app="db"), namespace_selector=TEAM), term()]
    db = a_pod("db", node="n1", labels={"app": "db"})
    assert refusals(NODES[0], WEB_ON_N1, db, pod_anti_affinity=terms) == {"n1": TOO_NEAR}
    verdict = judge(a_request(pod_anti_affinity=terms), a_snapshot(NODES[0], db))
    assert (verdict.fits, verdict.slots, verdict.unchecked) == (None, None, (UNTOLD,))


@pytest.mark.parametrize(
    ("fields", "labels", "refused"),
    [
        pytest.param({"match_label_keys": ("v",)}, {"v": "1"}, {"n1"}, id="the same value"),
        pytest.param({"match_label_keys": ("v",)}, {"v": "2"}, set(), id="another value"),
        pytest.param({"match_label_keys": ("v",)}, {}, {"n1"}, id="a label that the pod lacks"),
        pytest.param({"mismatch_label_keys": ("v",)}, {"v": "1"}, set(), id="of those that differ"),
        pytest.param({"mismatch_label_keys": ("v",)}, {"v": "2"}, {"n1"}, id="and it does differ"),
    ],
)
def test_label_keys_of_the_pod(
    fields: dict[str, Any], labels: dict[str, str], refused: set[str]
) -> None:
    there = altered(WEB_ON_N1, labels={**WEB, "v": "1"})
    found = refusals(NODES[0], there, pod_anti_affinity=[term(**fields)], labels=labels)
    assert found.keys() == refused


def test_the_first_rule_that_refuses_has_the_word() -> None:
    here = in_zone("n1", "a")
    both = {"pod_affinity": [term(selector=equals(app="db"))], "pod_anti_affinity": [term()]}
    assert refusals(here, WEB_ON_N1, KEEPER, labels=WEB, **both) == {"n1": NOT_NEAR}
    anti = {"pod_anti_affinity": [term()]}
    assert refusals(here, WEB_ON_N1, KEEPER, labels=WEB, **anti) == {"n1": TOO_NEAR}


@pytest.mark.parametrize(
    ("request_", "hindrance"),
    [
        pytest.param({"pod_affinity": [term()]}, Hindrance.NOT_FOR_POD, id="affinity"),
        pytest.param({"pod_anti_affinity": [term()]}, Hindrance.FULL, id="anti-affinity"),
        pytest.param({"labels": WEB}, Hindrance.FULL, id="anti-affinity of a pod that is there"),
    ],
)
def test_eviction_helps_against_anti_affinity_only(
    request_: dict[str, Any], hindrance: Hindrance
) -> None:
    pods = [KEEPER] if "pod_affinity" in request_ else [KEEPER, WEB_ON_N1]
    snapshot = a_snapshot(NODES[0], *pods)
    check = prepare(a_request(**request_), snapshot)
    assert check is not None
    assert [reason.hindrance for reason in check(snapshot.nodes["n1"])] == [hindrance]


@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        pytest.param({"pod_anti_affinity": [term()]}, False, id="it counts against anti-affinity"),
        pytest.param({"pod_affinity": [term()]}, False, id="but affinity cannot rely on it"),
        pytest.param({"pod_anti_affinity": [term()], "priority": 1}, True, id="nor does a lesser"),
    ],
)
def test_pods_that_wait_for_a_node(request_: dict[str, Any], *, fits: bool) -> None:
    waiting = a_pod("w", node=None, nominated_node="n1", phase="Pending", labels=WEB)
    priority = request_.pop("priority", 0)
    request = replace(a_request(**request_), priority=priority)
    assert judge(request, a_snapshot(NODES[0], waiting)).fits is fits


def test_a_node_judged_without_or_with_a_pod() -> None:
    """As for an eviction or a promise: the rest of the cluster stays as it is."""
    snapshot = a_snapshot(*NODES, WEB_ON_N1, altered(KEEPER, node="n3"))
    check = prepare(a_request(pod_anti_affinity=[term()], labels=WEB), snapshot)
    assert check is not None
    n1, n2, n3 = (snapshot.nodes[name] for name in ("n1", "n2", "n3"))
    assert check(n2)[0].words == TOO_NEAR
    assert not check(replace(n1, pods=()))
    assert check(replace(n2, pods=()))[0].words == TOO_NEAR
    assert not check(replace(n3, pods=()))
    assert check(replace(n3, pods=(*n3.pods, altered(WEB_ON_N1, node="n3"))))[0].words == TOO_NEAR
    assert check(n1)[0].words == TOO_NEAR


class _Forbidden(dict[str, Any]):
    """Nodes that must not be gone through."""

    def __iter__(self) -> Any:
        raise AssertionError


def test_a_pod_without_terms_looks_at_no_node_but_those_that_repel() -> None:
    plain = a_snapshot(*NODES, WEB_ON_N1)
    assert prepare(a_request(labels=WEB), replace(plain, nodes=_Forbidden())) is None
    repelling = a_snapshot(*NODES, WEB_ON_N1, KEEPER)
    only_these = _Forbidden({"n1": repelling.nodes["n1"]})
    check = prepare(a_request(labels=WEB), replace(repelling, nodes=only_these))
    assert check is not None
    assert check(repelling.nodes["n2"])[0].words == REPELLED
    assert prepare(a_request(), replace(repelling, nodes=only_these)) is None


CLUSTERS = st.builds(
    lambda zones: [in_zone(f"n{number}", zone) for number, zone in enumerate(zones)],
    st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=5),
)


@given(CLUSTERS, st.lists(st.integers(0, 4), max_size=4))
def test_affinity_and_anti_affinity_part_the_nodes_that_have_the_label(
    nodes: list[Node], places: list[int]
) -> None:
    pods = [a_pod(f"p{number}", node=f"n{at}", labels=WEB) for number, at in enumerate(places)]
    far = refusals(*nodes, *pods, pod_anti_affinity=[term()]).keys()
    near = {node.name for node in nodes} - refusals(*nodes, *pods, pod_affinity=[term()]).keys()
    assert near == far
    assert near <= {node.name for node in nodes if "zone" in node.labels}


@given(
    CLUSTERS,
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from(["pod_affinity", "pod_anti_affinity"]),
)
def test_a_pod_of_another_kind_changes_nothing(
    nodes: list[Node], places: list[int], rule: str
) -> None:
    pods = [a_pod(f"p{number}", node=f"n{at}", labels=WEB) for number, at in enumerate(places)]
    terms = {rule: [term()]}
    other = a_pod("other", node="n0", labels={"app": "db"}, anti_affinity=[term("rack")])
    assert refusals(*nodes, *pods, other, **terms) == refusals(*nodes, *pods, **terms)
