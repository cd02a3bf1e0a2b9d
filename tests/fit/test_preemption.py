"""How many pods would be evicted, as DefaultPreemption chooses them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import (
    LabelSelector,
    Node,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    SpreadConstraint,
    read_claim,
    read_volume,
)
from gpuspawner.fit import judge, preemption
from gpuspawner.fit.surveying import Survey

from ..builders import CORDON, a_node, a_pod, a_request, a_snapshot, altered

PLACEHOLDER = -10
HOSTNAME = "kubernetes.io/hostname"
NOTEBOOKS = LabelSelector((Requirement("app", "In", ("notebook",)),))
APART = PodAffinityTerm(HOSTNAME, NOTEBOOKS)


def pod(name: str, priority: int = PLACEHOLDER, *, node: str = "n1", **fields: Any) -> Pod:
    """A pod with one GPU, unless `gpus` says otherwise."""
    gpus = fields.pop("gpus", 1)
    return altered(a_pod(name, node=node, gpus=gpus), priority=priority, **fields)


def wants(gpus: int = 1, **fields: Any) -> PodRequest:
    return replace(a_request(gpus=gpus), **fields)


def evicts(request: PodRequest, *things: Node | Pod) -> int | None:
    return judge(request, a_snapshot(*things)).evicts


@pytest.mark.parametrize(
    ("request_", "things", "expected"),
    [
        pytest.param(
            wants(), [a_node(gpus=1), pod("a")], 1, id="a pod of lower priority makes room"
        ),
        pytest.param(
            wants(), [a_node(gpus=1), pod("a", 0)], 0, id="one of the same priority does not"
        ),
        pytest.param(
            wants(priority=1000), [a_node(gpus=1), pod("a", 0)], 1, id="priority is what counts"
        ),
        pytest.param(
            wants(), [a_node(gpus=2), pod("a")], 0, id="nobody is evicted while there is room"
        ),
        pytest.param(
            wants(preempts=False),
            [a_node(gpus=1), pod("a")],
            0,
            id="a preemptionPolicy of Never evicts nobody",
        ),
        pytest.param(
            wants(gates=("kueue.x-k8s.io/admission",)),
            [a_node(gpus=1), pod("a")],
            0,
            id="a pod that waits in a queue evicts nobody",
        ),
        pytest.param(
            wants(2), [a_node(gpus=1), pod("a")], 0, id="a node that is too small stays so"
        ),
        pytest.param(
            wants(3),
            [a_node(gpus=3), pod("a"), pod("b", 0), pod("c")],
            0,
            id="all of lower priority together are not enough",
        ),
        pytest.param(
            wants(),
            [a_node(gpus=1, unschedulable=True, taints=[CORDON]), pod("a")],
            0,
            id="a cordoned node is not emptied",
        ),
        pytest.param(
            wants(),
            [a_node(gpus=1, capacity={"nvidia.com/gpu": 4}, pods=1), pod("a", gpus=0), pod("b")],
            2,
            id="too many pods is something that eviction resolves",
        ),
        pytest.param(
            wants(2), [a_node(gpus=2), pod("a"), pod("b")], 2, id="as many as are needed go"
        ),
        pytest.param(
            wants(2),
            [a_node(gpus=3), pod("a"), pod("b"), pod("c")],
            2,
            id="those that need not go are reprieved",
        ),
        pytest.param(
            wants(1, priority=10),
            [a_node(gpus=2), pod("a", 5, gpus=1), pod("b", 1, gpus=1)],
            1,
            id="the more important of two is reprieved",
        ),
        pytest.param(
            wants(2, priority=10),
            [a_node(gpus=3), pod("a", 5, gpus=1), pod("b", 1, gpus=2)],
            1,
            id="a large one goes alone if the more important one may stay",
        ),
        pytest.param(
            wants(2, priority=10),
            [a_node(gpus=3), pod("a", 5, gpus=2), pod("b", 1, gpus=1)],
            1,
            id="one that cannot be put back goes, however important",
        ),
    ],
)
def test_on_one_node(request_: PodRequest, things: list[Node | Pod], expected: int | None) -> None:
    assert evicts(request_, *things) == expected


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param(
            [pod("a", 5, gpus=2), pod("b", 4, node="n2"), pod("c", 4, node="n2")],
            2,
            id="two of little importance rather than one of more",
        ),
        pytest.param(
            [pod("a", 5), pod("b", 4), pod("c", 5, node="n2", gpus=2)],
            1,
            id="of the same highest priority, the lower sum, so the fewer",
        ),
        pytest.param(
            [pod("a", -1), pod("b", -1), pod("c", -1, node="n2", gpus=2)],
            1,
            id="negative priorities do not make more victims a lower sum",
        ),
    ],
)
def test_which_of_two_nodes_is_chosen(pods: list[Pod], expected: int) -> None:
    nodes = a_node("n1", gpus=2), a_node("n2", gpus=2)
    assert evicts(wants(2, priority=10), *nodes, *pods) == expected


def test_victims_that_leave_already_are_not_evicted_anew() -> None:
    leaving = pod("a", terminating=True)
    assert evicts(wants(2), a_node(gpus=2), leaving, pod("b")) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"terminating": True}, 0, id="while its victims leave"),
        pytest.param({}, 1, id="again if nobody leaves"),
        pytest.param({"priority": 0, "terminating": True}, 0, id="nobody if all are its equals"),
    ],
)
def test_a_pod_that_was_nominated_evicts(fields: dict[str, Any], expected: int) -> None:
    request = wants(nominated_node="n1")
    assert evicts(request, a_node(gpus=1), altered(pod("a"), **fields)) == expected


def test_the_order_of_equals_that_start_times_decide_cannot_be_told() -> None:
    things: list[Node | Pod] = [a_node(gpus=4), pod("a"), pod("b"), pod("c", gpus=2)]
    assert evicts(wants(2), *things) is None
    assert evicts(wants(4), *things) == 3


def test_a_pod_that_nothing_judges_wholly_may_evict() -> None:
    request = wants(unchecked=("csi",))
    assert evicts(request, a_node(gpus=1), pod("a")) is None
    assert evicts(request, a_node(gpus=1), pod("a", 0)) == 0
    assert evicts(request, a_node(gpus=1)) is None


NOTEBOOK = {"app": "notebook"}


@pytest.mark.parametrize(
    ("request_", "things", "expected"),
    [
        pytest.param(
            wants(pod_anti_affinity=(APART,)),
            [a_node(gpus=2), pod("a", labels=NOTEBOOK)],
            1,
            id="what it must be apart from goes",
        ),
        pytest.param(
            wants(labels=NOTEBOOK),
            [a_node(gpus=2), pod("a", anti_affinity=(APART,))],
            1,
            id="what keeps it away goes",
        ),
        pytest.param(
            wants(pod_affinity=(APART,)),
            [a_node(gpus=1), pod("a", labels=NOTEBOOK)],
            0,
            id="what it must be near does not go",
        ),
        pytest.param(
            wants(
                labels=NOTEBOOK,
                spread=(SpreadConstraint(HOSTNAME, 1, NOTEBOOKS),),
            ),
            [
                a_node("n1", gpus=4),
                a_node("n2", gpus=1),
                pod("a", labels=NOTEBOOK),
                pod("b", 0, node="n2"),
            ],
            1,
            id="a skew goes with its pods",
        ),
    ],
)
def test_what_the_cluster_decides_is_asked_again(
    request_: PodRequest, things: list[Node | Pod], expected: int
) -> None:
    assert evicts(request_, *things) == expected


def test_an_eviction_that_leaves_room_only_for_a_nominated_pod_does_not_help() -> None:
    promised = altered(pod("p", 0), node=None, nominated_node="n1", phase="Pending")
    assert evicts(wants(), a_node(gpus=1), pod("a"), promised) == 0
    assert evicts(wants(), a_node(gpus=2), pod("a"), pod("b"), promised) == 2


def nodes_with(*victims: int) -> list[Node | Pod]:
    """A full node for each number of equal placeholders that must go for a pod with two GPUs."""
    things: list[Node | Pod] = []
    for i, count in enumerate(victims):
        things.append(a_node(f"n{i:03}", gpus=2))
        things += [pod(f"p{i}-{j}", node=f"n{i:03}", gpus=2 // count) for j in range(count)]
    return things


@pytest.mark.parametrize(
    ("victims", "expected"),
    [
        pytest.param([2] * 150, 2, id="if they agree, it is told"),
        pytest.param([2, 1] * 75, None, id="if they differ, it is not"),
        pytest.param([2, 1] * 50, 1, id="it tries a hundred, and takes the best of them"),
    ],
)
def test_of_more_nodes_than_the_scheduler_tries(victims: list[int], expected: int | None) -> None:
    assert evicts(wants(2), *nodes_with(*victims)) == expected


def test_what_takes_too_long_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    things: list[Node | Pod] = [a_node(gpus=3), pod("a"), pod("b"), pod("c")]
    monkeypatch.setattr(preemption, "LOOKS", 4)
    assert evicts(wants(3), *things) == 3
    monkeypatch.setattr(preemption, "LOOKS", 3)
    assert evicts(wants(3), *things) is None


def test_what_the_cluster_decides_takes_longer_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    things: list[Node | Pod] = [a_node(gpus=1), pod("a", labels=NOTEBOOK)]
    request = wants(pod_anti_affinity=(APART,))
    monkeypatch.setattr(preemption, "LOOKS", 10)
    assert evicts(request, *things) == 1
    monkeypatch.setattr(preemption, "LOOKS", 9)
    assert evicts(request, *things) is None


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(wants(2), 6, id="three nodes with two looks each between two pauses"),
        pytest.param(
            wants(2, labels=NOTEBOOK, pod_anti_affinity=(APART,)),
            19,
            id="one node if the cluster is asked, too",
        ),
    ],
)
def test_it_pauses_while_there_are_nodes_to_look_at(request_: PodRequest, expected: int) -> None:
    things = nodes_with(*[1] * 20)
    snapshot = a_snapshot(*things, pod("b", 0, labels=NOTEBOOK, node="n000", gpus=0))
    full = [thing.name for thing in things if isinstance(thing, Node)]
    survey = Survey(request_, snapshot)
    steps = preemption.evictions(request_, snapshot, survey, full, looks=5)
    assert len(list(steps)) == expected


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(1, 3)),
        max_size=5,
        unique_by=lambda drawn: drawn[0],
    ),
    st.integers(1, 6),
    st.integers(-3, 3),
)
def test_the_pod_fits_once_that_many_are_gone(
    there: list[tuple[int, int]], gpus: int, priority: int
) -> None:
    pods = [pod(f"p{i}", rank, gpus=held) for i, (rank, held) in enumerate(there)]
    node = a_node(gpus=max(6, sum(held for _, held in there)))
    request = wants(gpus, priority=priority)
    count = evicts(request, node, *pods)
    assert count is not None
    least_first = sorted(pods, key=lambda one: one.priority)
    lower = [one for one in least_first if one.priority < priority]
    assert count <= len(lower)
    if count:
        rest = [one for one in pods if one not in lower]
        assert judge(request, a_snapshot(node, *rest)).fits is True
        assert judge(request, a_snapshot(node, *pods)).fits is False


def test_the_user_of_a_claim_that_is_for_one_pod_only_goes() -> None:
    claim = {
        "metadata": {
            "name": "home",
            "namespace": "jhub",
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
        },
        "spec": {"accessModes": ["ReadWriteOncePod"], "volumeName": "v"},
        "status": {"phase": "Bound"},
    }
    volume = {"metadata": {"name": "v"}, "spec": {"nfs": {}}, "status": {"phase": "Bound"}}
    index = ClusterIndex()
    index.replace_nodes([a_node(gpus=4)])
    index.replace_pods([pod("a", claims=("home",)), pod("b")])
    index.objects.table("claims").replace([read_claim(claim)])
    index.objects.table("volumes").replace([read_volume(volume)])
    for kind in ("storage_classes", "csi_nodes", "attachments"):
        index.objects.table(kind).replace([])
    verdict = judge(wants(claims=("home",)), index.snapshot())
    assert (verdict.fits, verdict.evicts) == (False, 1)
