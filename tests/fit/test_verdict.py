"""Verdicts as a whole, and what must hold of every verdict."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    Node,
    NodeSelectorTerm,
    Pod,
    PodRequest,
    Requirement,
    Taint,
    Toleration,
    read_pod,
)
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.fit import Shortfall, feasible_nodes, judge, scheduler_message

from ..builders import CORDON, GPU, a_node, a_pod, a_request, a_snapshot, a_term

GIB = 2**30
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")
GPU_TAINT = Taint("nvidia.com/gpu", "", "NoSchedule")
TWO_GPUS = a_request(gpus=2, memory="128Gi")
ONE_GPU = a_request(gpus=1)


@pytest.mark.parametrize(
    ("request_", "things", "nodes", "slots_if_empty"),
    [
        pytest.param(
            ONE_GPU,
            [a_node("n1", gpus=2), a_node("n2", gpus=4), a_pod(node="n2", gpus=3)],
            {"n1": 2, "n2": 1},
            6,
            id="slots are counted node by node",
        ),
        pytest.param(
            ONE_GPU,
            [a_node("n1", gpus=2), a_node("n2", gpus=2), a_pod(node="n2", gpus=2)],
            {"n1": 2},
            4,
            id="a node that is full is left out",
        ),
        pytest.param(
            ONE_GPU,
            [a_node("n1", gpus=2), a_node("n2", gpus=2, unschedulable=True)],
            {"n1": 2},
            4,
            id="a cordoned node would count if it were open",
        ),
        pytest.param(
            ONE_GPU,
            [a_node("n1", gpus=2), a_node("n2", gpus=2, taints=[GPU_TAINT])],
            {"n1": 2},
            2,
            id="a node that is not for the pod never counts",
        ),
    ],
)
def test_what_fits(
    request_: PodRequest, things: list[Node | Pod], nodes: dict[str, int], slots_if_empty: int
) -> None:
    verdict = judge(request_, a_snapshot(*things))
    assert verdict.fits is True
    assert verdict.nodes == nodes
    assert verdict.slots == sum(nodes.values())
    assert verdict.slots_if_empty == slots_if_empty
    assert verdict.never is False
    assert verdict.shortfalls == ()
    assert set(feasible_nodes(request_, a_snapshot(*things))) == set(nodes)


@pytest.mark.parametrize(
    ("request_", "things", "never", "shortfalls"),
    [
        pytest.param(ONE_GPU, [], False, (), id="a cluster without nodes may get some"),
        pytest.param(
            ONE_GPU, [a_node(gpus=1), a_pod(gpus=1)], False, (), id="what others hold comes back"
        ),
        pytest.param(
            TWO_GPUS,
            [a_node("n1", gpus=2, memory="122Gi"), a_node("n2", gpus=2, memory="120Gi")],
            True,
            (Shortfall("memory", 128 * GIB, 122 * GIB),),
            id="more memory than the largest node has",
        ),
        pytest.param(
            a_request(gpus=8, cpu=128, memory="1Gi"),
            [a_node(gpus=2, cpu=64)],
            True,
            (Shortfall(GPU, 8, 2), Shortfall("cpu", 128000, 64000)),
            id="each resource that no node has enough of is told",
        ),
        pytest.param(
            TWO_GPUS,
            [a_node("n1", gpus=2, memory="64Gi"), a_node("n2", gpus=0, memory="256Gi")],
            True,
            (),
            id="no single node has everything, yet each resource is somewhere",
        ),
        pytest.param(
            a_request(gpus=4),
            [a_node("n1", gpus=2), a_node("n2", gpus=8, taints=[GPU_TAINT])],
            True,
            (Shortfall(GPU, 4, 2),),
            id="nodes that are not for the pod do not tell what is offered",
        ),
        pytest.param(
            a_request(gpus=1, node_selector={"gpu": "h100"}),
            [a_node(gpus=2)],
            True,
            (),
            id="a pod that no node is for falls short of nothing",
        ),
        pytest.param(
            ONE_GPU,
            [a_node(gpus=2, taints=[NOT_READY])],
            False,
            (),
            id="a node that is not ready may become so",
        ),
        pytest.param(
            a_request(gpus=2),
            [a_node(gpus=1, capacity={GPU: 2})],
            False,
            (),
            id="devices that are unhealthy may recover",
        ),
        pytest.param(
            a_request(gpus=4),
            [a_node(gpus=2, unschedulable=True)],
            True,
            (Shortfall(GPU, 4, 2),),
            id="a cordoned node that is too small is too small",
        ),
        pytest.param(
            a_request(gpus=2),
            [a_node("n1", gpus=1), a_node("n2", gpus=2, taints=[NOT_READY])],
            False,
            (),
            id="one node that may take it is enough",
        ),
    ],
)
def test_what_does_not_fit(
    request_: PodRequest, things: list[Node | Pod], never: bool, shortfalls: tuple[Shortfall, ...]
) -> None:
    verdict = judge(request_, a_snapshot(*things))
    assert (verdict.fits, verdict.nodes, verdict.slots) == (False, {}, 0)
    assert (verdict.never, verdict.shortfalls) == (never, shortfalls)


def test_it_tells_how_many_nodes_are_closed_and_what_is_short_on_the_open_ones() -> None:
    verdict = judge(
        a_request(gpus=1, memory="64Gi"),
        a_snapshot(
            a_node("full-1", gpus=1),
            a_pod("p1", node="full-1", gpus=1),
            a_node("full-2", gpus=2, memory="64Gi"),
            a_pod("p2", node="full-2", memory="1Gi", gpus=2),
            a_node("closed-and-full", gpus=1, unschedulable=True),
            a_pod("p3", node="closed-and-full", gpus=1),
            a_node("closed", gpus=1, taints=[NOT_READY]),
            a_node("small", gpus=0),
            a_node("small-and-closed", gpus=0, unschedulable=True),
            a_node("for-others", gpus=8, taints=[GPU_TAINT]),
        ),
    )
    assert verdict.short == {frozenset({GPU}): 1, frozenset({GPU, "memory"}): 1}
    assert verdict.closed_nodes == 2
    assert verdict.total_nodes == 7
    assert verdict.eligible_nodes == 6


def test_a_node_is_counted_under_the_first_check_that_refuses_it() -> None:
    verdict = judge(
        a_request(gpus=1, cpu=8, node_selector={"gpu": "a100"}),
        a_snapshot(
            a_node("n1", unschedulable=True, taints=[CORDON]),
            a_node("n2", taints=[NOT_READY]),
            a_node("n3", cpu=4),
            a_node("n4", cpu=4, labels={"gpu": "a100"}),
        ),
    )
    assert verdict.reasons == {
        "node(s) were unschedulable": 1,
        "node(s) had untolerated taint(s)": 1,
        "node(s) didn't match Pod's node affinity/selector": 1,
        "Insufficient nvidia.com/gpu": 1,
        "Insufficient cpu": 1,
    }


@pytest.mark.parametrize(
    ("request_", "node", "words"),
    [
        pytest.param(
            a_request(affinity=(a_term(fields=(Requirement("metadata.name", "In", ("n2",)),)),)),
            a_node("n1"),
            "node(s) didn't satisfy plugin(s) [NodeAffinity]",
            id="names in the affinity",
        ),
        pytest.param(
            a_request(), a_node(unschedulable=True), "node(s) were unschedulable", id="cordons"
        ),
        pytest.param(
            a_request(node_name="n2"),
            a_node("n1"),
            "node(s) didn't match the requested node name",
            id="node names",
        ),
        pytest.param(
            a_request(), a_node(taints=[GPU_TAINT]), "node(s) had untolerated taint(s)", id="taints"
        ),
        pytest.param(
            a_request(node_selector={"gpu": "a100"}),
            a_node(),
            "node(s) didn't match Pod's node affinity/selector",
            id="node selectors",
        ),
        pytest.param(a_request(gpus=1), a_node(), f"Insufficient {GPU}", id="resources"),
    ],
)
def test_every_check_has_its_say(request_: PodRequest, node: Node, words: str) -> None:
    verdict = judge(request_, a_snapshot(node))
    assert verdict.fits is False
    assert verdict.reasons == {words: 1}


@pytest.mark.parametrize(
    ("things", "message"),
    [
        pytest.param(
            [
                a_node("n1", gpus=1, cpu=1),
                a_node("n2", gpus=0, cpu=1),
                a_node("n3", unschedulable=True),
            ],
            "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, "
            "1 node(s) were unschedulable, 2 Insufficient cpu.",
            id="counts are sorted as texts",
        ),
        pytest.param([], "0/0 nodes are available.", id="no nodes give no reasons"),
    ],
)
def test_the_words_of_the_scheduler(things: list[Node | Pod], message: str) -> None:
    assert scheduler_message(judge(a_request(gpus=1, cpu=2), a_snapshot(*things))) == message


def test_the_words_of_a_pod_that_can_go_nowhere_count_no_nodes() -> None:
    snapshot = a_snapshot(a_node("n1"), a_node("n2"))
    known = replace(snapshot, objects=ClusterObjects(claims={}))
    verdict = judge(replace(a_request(), claims=("home",)), known)
    assert scheduler_message(verdict) == (
        '0/2 nodes are available: persistentvolumeclaim "home" not found.'
    )


@pytest.mark.parametrize(
    ("things", "fits", "slots", "never"),
    [
        pytest.param([a_node(gpus=2)], None, None, False, id="what seems to fit is not known"),
        pytest.param(
            [a_node(gpus=1), a_pod(gpus=1)], False, 0, False, id="what is full is full for sure"
        ),
        pytest.param([a_node(gpus=0)], False, 0, True, id="what never fits is known for sure"),
    ],
)
def test_a_pod_that_uses_what_is_not_checked(
    things: list[Node | Pod], fits: bool | None, slots: int | None, never: bool
) -> None:
    verdict = judge(a_request(gpus=1, unchecked=("resourceClaims",)), a_snapshot(*things))
    assert (verdict.fits, verdict.slots, verdict.never) == (fits, slots, never)
    assert verdict.unchecked == ("resourceClaims",)


def test_a_verdict_leaves_the_snapshot_as_it_was() -> None:
    snapshot = a_snapshot(a_node(gpus=2), a_pod(gpus=1))
    assert judge(ONE_GPU, snapshot) == judge(ONE_GPU, snapshot)
    assert snapshot == a_snapshot(a_node(gpus=2), a_pod(gpus=1))


TAINTS = st.sampled_from([CORDON, NOT_READY, GPU_TAINT, Taint("a", "b", "PreferNoSchedule")])
RARELY = st.sampled_from([False, False, False, True])


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    """Small nodes, some of them closed, tainted or with unhealthy devices."""
    found = []
    for number in range(draw(st.integers(0, 4))):
        gpus = draw(st.integers(0, 4))
        node = a_node(
            f"n{number}",
            gpus=gpus,
            cpu=draw(st.integers(0, 4)),
            memory=draw(st.sampled_from(["0", "1Gi", "4Gi"])),
            pods=draw(st.integers(0, 6)),
            labels=draw(st.sampled_from([{}, {"zone": "a"}])),
            taints=draw(st.lists(TAINTS, max_size=2)) if draw(RARELY) else (),
            unschedulable=draw(RARELY),
            capacity={GPU: gpus + draw(st.integers(0, 2))} if draw(RARELY) else {},
        )
        if draw(RARELY):
            node = replace(node, allocatable={**node.allocatable}, capacity={})
        found.append(node)
    return found


@st.composite
def pods(draw: st.DrawFn) -> list[Pod]:
    """Pods on those nodes, which may hold more than a node has."""
    return [
        a_pod(
            f"p{number}",
            node=f"n{draw(st.integers(0, 3))}",
            gpus=draw(st.integers(0, 2)),
            cpu=draw(st.sampled_from(["0", "500m", "2"])),
            memory=draw(st.sampled_from(["0", "512Mi"])),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


REQUESTS = st.builds(
    a_request,
    gpus=st.integers(0, 3),
    cpu=st.sampled_from(["0", "100m", "1", "3"]),
    memory=st.sampled_from([0, "1Gi", "8Gi"]),
    node_selector=st.sampled_from([{}, {}, {"zone": "a"}]),
    affinity=st.sampled_from(
        [
            None,
            None,
            (a_term(Requirement("zone", "NotIn", ("b",))),),
            (NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("n1",)),)),),
        ]
    ),
    tolerations=st.sampled_from([[], [], [Toleration("nvidia.com/gpu", "Exists")]]),
    node_name=st.sampled_from(["", "", "", "n0"]),
)


def added(snapshot: Snapshot, request: PodRequest, node: str) -> Snapshot:
    """The cluster after one more pod of `request` was bound to `node`."""
    state = snapshot.nodes[node]
    names = state.requested.keys() | request.requests.keys()
    requested = {
        name: state.requested.get(name, 0) + request.requests.get(name, 0) for name in names
    }
    after = replace(state, requested=requested, pod_count=state.pod_count + 1)
    return replace(snapshot, nodes={**snapshot.nodes, node: after})


@given(nodes(), pods(), REQUESTS)
def test_slots_are_the_number_of_pods_that_go_in_one_after_another(
    nodes: list[Node], pods: list[Pod], request: PodRequest
) -> None:
    snapshot = a_snapshot(*nodes, *pods)
    slots = judge(request, snapshot).slots
    for number in count():
        feasible = feasible_nodes(request, snapshot)
        if not feasible:
            break
        snapshot = added(snapshot, request, feasible[number % len(feasible)])
    assert slots == number


@given(nodes(), pods(), REQUESTS)
def test_there_are_never_more_slots_than_if_the_nodes_were_empty(
    nodes: list[Node], pods: list[Pod], request: PodRequest
) -> None:
    verdict = judge(request, a_snapshot(*nodes, *pods))
    assert verdict.slots is not None
    assert verdict.slots <= verdict.slots_if_empty


@given(nodes(), pods(), REQUESTS)
def test_a_pod_fits_a_node_if_and_only_if_it_has_a_slot_there(
    nodes: list[Node], pods: list[Pod], request: PodRequest
) -> None:
    verdict = judge(request, a_snapshot(*nodes, *pods))
    assert all(slots >= 1 for slots in verdict.nodes.values())
    assert verdict.fits is (verdict.slots != 0)
    assert bool(verdict.reasons) is (len(verdict.nodes) < len(nodes))


@given(nodes(), pods(), REQUESTS, REQUESTS, st.integers(0, 3))
def test_one_pod_more_makes_nothing_fit_that_did_not(
    nodes: list[Node], pods: list[Pod], request: PodRequest, other: PodRequest, where: int
) -> None:
    assume(where < len(nodes))
    snapshot = a_snapshot(*nodes, *pods)
    before = feasible_nodes(request, snapshot)
    after = feasible_nodes(request, added(snapshot, other, f"n{where}"))
    assert set(after) <= set(before)


def open_and_healthy(node: Node) -> Node:
    """The node uncordoned, in no passing condition, registered, and with every device well."""
    devices = {name: amount for name, amount in node.capacity.items() if "/" in name}
    return replace(
        node,
        unschedulable=False,
        taints=tuple(t for t in node.taints if not t.key.startswith("node.kubernetes.io/")),
        allocatable={
            **node.allocatable,
            **{name: max(n, node.allocatable.get(name, 0)) for name, n in devices.items()},
            "pods": node.allocatable.get("pods", 0) or 110,
        },
    )


@given(nodes(), pods(), REQUESTS)
def test_never_means_not_even_alone_on_open_and_healthy_nodes_and_nothing_else_does(
    nodes: list[Node], pods: list[Pod], request: PodRequest
) -> None:
    assume(nodes)
    verdict = judge(request, a_snapshot(*nodes, *pods))
    assert judge(request, a_snapshot(*nodes)).never is verdict.never
    at_best = judge(request, a_snapshot(*map(open_and_healthy, nodes)))
    assert at_best.fits is not verdict.never


@given(nodes(), pods(), REQUESTS)
def test_a_verdict_of_never_names_only_true_shortfalls(
    nodes: list[Node], pods: list[Pod], request: PodRequest
) -> None:
    verdict = judge(request, a_snapshot(*nodes, *pods))
    for shortfall in verdict.shortfalls:
        assert verdict.never
        assert shortfall.asked == request.requests[shortfall.resource] > shortfall.most


def test_the_feasible_nodes_come_in_order_and_not_in_that_of_a_set() -> None:
    names = [f"n{number:02}" for number in range(40)]
    assert feasible_nodes(a_request(), a_snapshot(*map(a_node, names))) == tuple(names)


ADMISSION = "kueue.x-k8s.io/admission"
QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}


@pytest.mark.parametrize(
    ("gates", "labels", "expected"),
    [
        pytest.param((), {}, (True, (), ""), id="no gate"),
        pytest.param((), QUEUE, (True, (), ""), id="a queue that let it pass"),
        pytest.param((ADMISSION,), QUEUE, (False, (ADMISSION,), "team-a"), id="in Kueue's queue"),
        pytest.param(("example.com/hold",), {}, (False, ("example.com/hold",), ""), id="any gate"),
    ],
)
def test_a_pod_with_a_gate_waits_in_a_queue(
    gates: tuple[str, ...], labels: dict[str, str], expected: tuple[bool, tuple[str, ...], str]
) -> None:
    request = replace(ONE_GPU, gates=gates, labels=labels)
    verdict = judge(request, a_snapshot(a_node(gpus=2)))
    assert (verdict.fits, verdict.queued, verdict.queue) == expected
    assert verdict.slots == (0 if gates else 2)
    assert verdict.never is False


def test_the_gated_pods_of_others_hold_nothing() -> None:
    gated = read_pod(
        {
            "metadata": {"name": "gated", "namespace": "jhub"},
            "spec": {
                "schedulingGates": [{"name": ADMISSION}],
                "containers": [{"resources": {"limits": {GPU: 2}}}],
            },
            "status": {"phase": "Pending"},
        }
    )
    assert judge(ONE_GPU, a_snapshot(a_node(gpus=2), gated)).slots == 2
