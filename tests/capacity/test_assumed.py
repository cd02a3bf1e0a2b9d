"""Assumed pods are counted once: until they are bound, over, deleted or let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.builders import GPU, a_node, a_pod, a_request, altered

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Pod

REQUEST = replace(a_request(gpus=1), name="server", namespace="jhub")
UNBOUND = altered(a_pod("server", gpus=1), uid="uid-1", node=None, phase="Pending")
BOUND = altered(UNBOUND, node="n2")
BEFORE = altered(BOUND, uid="uid-0", node="n1", terminating=True, phase="Running")


def an_index(*pods: Pod) -> ClusterIndex:
    index = ClusterIndex()
    index.replace_nodes([a_node("n1", gpus=4), a_node("n2", gpus=4)])
    index.replace_pods(pods)
    return index


def held(snapshot: Snapshot) -> dict[str, int]:
    """GPUs held, by node."""
    return {
        name: gpus for name, state in snapshot.nodes.items() if (gpus := state.requested.get(GPU))
    }


Step = Callable[[ClusterIndex], None]


def hears(pod: Pod) -> Step:
    return lambda index: index.put_pod(pod)


def loses(uid: str) -> Step:
    return lambda index: index.drop_pod("jhub", "server", uid)


def lists(*pods: Pod) -> Step:
    return lambda index: index.replace_pods(pods)


def forgets(index: ClusterIndex) -> None:
    index.forget_assumed("jhub", "server")


@pytest.mark.parametrize(
    ("steps", "expected", "is_assumed"),
    [
        pytest.param([], {"n1": 1}, True, id="from the start"),
        pytest.param([hears(UNBOUND)], {"n1": 1}, True, id="while the pod waits"),
        pytest.param([hears(UNBOUND), hears(BOUND)], {"n2": 1}, False, id="until it is bound"),
        pytest.param([hears(BOUND)], {"n2": 1}, False, id="until it is bound, heard of at once"),
        pytest.param([lists(BOUND)], {"n2": 1}, False, id="until a list has it bound"),
        pytest.param([lists()], {"n1": 1}, True, id="a list without it says nothing"),
        pytest.param([lists(UNBOUND)], {"n1": 1}, True, id="a list where it waits"),
        pytest.param(
            [hears(altered(UNBOUND, phase="Failed"))], {}, False, id="until it is over unbound"
        ),
        pytest.param([hears(UNBOUND), loses("uid-1")], {}, False, id="until it is deleted"),
        pytest.param([loses("uid-1")], {"n1": 1}, True, id="a deletion of another of its name"),
        pytest.param([loses("")], {"n1": 1}, True, id="a deletion that names no uid"),
        pytest.param([forgets], {}, False, id="until it is let go"),
        pytest.param([forgets, forgets], {}, False, id="it is let go once"),
        pytest.param(
            [hears(altered(UNBOUND, nominated_node="n2", uid="uid-1"))],
            {"n1": 1},
            True,
            id="while the scheduler makes room for it elsewhere",
        ),
    ],
)
def test_it_is_counted(steps: list[Step], expected: dict[str, int], *, is_assumed: bool) -> None:
    index = an_index()
    index.assume(as_assumed(REQUEST, "n1"))
    for step in steps:
        step(index)
    snapshot = index.snapshot()
    assert held(snapshot) == expected
    assert bool(snapshot.assumed) == is_assumed


def test_the_pod_before_it_of_the_same_name_is_another() -> None:
    index = an_index(BEFORE)
    index.assume(as_assumed(REQUEST, "n2"))
    assert held(index.snapshot()) == {"n1": 1, "n2": 1}
    index.put_pod(altered(BEFORE, labels={"seen": "again"}))
    assert held(index.snapshot()) == {"n1": 1, "n2": 1}
    index.replace_pods([BEFORE])
    assert held(index.snapshot()) == {"n1": 1, "n2": 1}
    index.drop_pod("jhub", "server", "uid-0")
    assert held(index.snapshot()) == {"n2": 1}
    index.put_pod(BOUND)
    assert held(index.snapshot()) == {"n2": 1}
    assert index.snapshot().assumed == ()


def test_two_on_one_node_and_one_let_go() -> None:
    index = an_index()
    index.assume(as_assumed(REQUEST, "n1"))
    index.assume(as_assumed(replace(REQUEST, name="other"), "n1"))
    assert held(index.snapshot()) == {"n1": 2}
    forgets(index)
    assert held(index.snapshot()) == {"n1": 1}


def test_an_assumption_takes_the_place_of_the_one_before() -> None:
    index = an_index()
    index.assume(as_assumed(REQUEST, "n1"))
    index.assume(as_assumed(REQUEST, "n2"))
    assert held(index.snapshot()) == {"n2": 1}


def test_room_that_is_made_for_it_is_counted_once() -> None:
    index = an_index()
    index.assume(as_assumed(REQUEST, "n1"))
    index.put_pod(altered(UNBOUND, nominated_node="n1"))
    state = index.snapshot().nodes["n1"]
    assert state.nominated == ()
    assert [pod.name for pod in state.pods] == ["server"]


def test_one_without_a_place_is_known_though_no_node_counts_it() -> None:
    index = an_index()
    before = index.snapshot()
    index.assume(as_assumed(REQUEST, ""))
    after = index.snapshot()
    assert held(after) == {}
    assert [one.request for one in after.assumed] == [REQUEST]
    assert after.generation == before.generation + 1


def test_a_snapshot_that_was_given_away_does_not_change() -> None:
    index = an_index()
    before = index.snapshot()
    index.assume(as_assumed(REQUEST, "n1"))
    assert index.snapshot().changed == {"n1"}
    assert held(before) == {}


def test_a_pod_that_is_bound_by_now_is_not_assumed() -> None:
    index = an_index(BOUND)
    index.assume(as_assumed(replace(REQUEST, uid="uid-1"), "n1"))
    assert held(index.snapshot()) == {"n2": 1}
    assert index.snapshot().assumed == ()
