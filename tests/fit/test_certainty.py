"""A pod is promised only room that is left wherever the assumed pods go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import GPU, a_node, a_pod, a_request

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import Node, Pod, PodAffinityTerm, PodRequest
from gpuspawner.fit import StandingVerdicts, judge
from gpuspawner.fit.certainty import fits_somewhere, fits_wherever, open_nodes


def a_server(number: int, **asks: Any) -> PodRequest:
    return replace(a_request(**asks), name=f"server-{number}")


def an_index(*things: Node | Pod) -> ClusterIndex:
    index = ClusterIndex()
    index.replace_nodes(thing for thing in things if isinstance(thing, Node))
    index.replace_pods(thing for thing in things if isinstance(thing, Pod))
    index.objects.table("quotas").replace(())
    return index


def with_assumed(
    nodes: Iterable[Node], pods: Iterable[Pod], assumed: Iterable[tuple[PodRequest, str]]
) -> Snapshot:
    index = an_index(*nodes, *pods)
    for request, node in assumed:
        index.assume(as_assumed(request, node))
    return index.snapshot()


def is_sure(request: PodRequest, snapshot: Snapshot) -> bool:
    verdict = judge(request, snapshot)
    return bool(verdict.fits) and fits_wherever(request, snapshot, verdict, judge)


def may_fit(request: PodRequest, snapshot: Snapshot) -> bool:
    if judge(request, snapshot).fits:
        return True
    return fits_somewhere(request, snapshot, StandingVerdicts().verdict)


SINGLE, DUAL, CPU_ONLY = {"gpus": 1}, {"gpus": 2}, {"cpu": 4}


@pytest.mark.parametrize(
    ("free", "pending", "asks", "expected"),
    [
        pytest.param([1], [], SINGLE, "sure", id="nothing is under way"),
        pytest.param([1], [(SINGLE, 0)], SINGLE, "none", id="the last one is promised"),
        pytest.param([2], [(SINGLE, 0)], SINGLE, "sure", id="one of two is promised"),
        pytest.param([1, 1], [(SINGLE, 0)], SINGLE, "sure", id="one of two on two nodes"),
        pytest.param([2, 2], [(SINGLE, 0)], DUAL, "sure", id="a single spoils one of two nodes"),
        pytest.param(
            [1, 2], [(SINGLE, 0)], DUAL, "open", id="a single may spoil the only place for a dual"
        ),
        pytest.param(
            [1, 2], [(SINGLE, 1)], DUAL, "open", id="the same though it is expected there"
        ),
        pytest.param([2], [(SINGLE, 0)], DUAL, "none", id="a single has nowhere else to go"),
        pytest.param([2, 2], [(DUAL, 0), (DUAL, 1)], SINGLE, "none", id="two duals take all"),
        pytest.param([2, 2], [(DUAL, 0)], DUAL, "sure", id="a dual leaves the other node"),
        pytest.param([10, 10], [(SINGLE, 0)] * 19, SINGLE, "sure", id="19 of 20 are promised"),
        pytest.param(
            [10, 10], [(SINGLE, 0)] * 10 + [(SINGLE, 1)] * 10, SINGLE, "none", id="all 20"
        ),
        pytest.param([1], [(CPU_ONLY, 0)] * 15, SINGLE, "sure", id="others take no GPU"),
        pytest.param(
            [1, 1],
            [(SINGLE, None), (SINGLE, None)],
            SINGLE,
            "open",
            id="no place is known for them",
        ),
        pytest.param(
            [5, 1], [(SINGLE, 0)] * 4, SINGLE, "sure", id="nodes that differ, one place is left"
        ),
    ],
)
def test_certainty(
    free: list[int],
    pending: list[tuple[dict[str, Any], int | None]],
    asks: dict[str, Any],
    expected: str,
) -> None:
    nodes = [a_node(f"n{number}", gpus=gpus) for number, gpus in enumerate(free)]
    assumed = [
        (a_server(number, **what), "" if node is None else f"n{node}")
        for number, (what, node) in enumerate(pending)
    ]
    snapshot, request = with_assumed(nodes, (), assumed), a_server(99, **asks)
    found = (
        "sure" if is_sure(request, snapshot) else "open" if may_fit(request, snapshot) else "none"
    )
    assert found == expected


def test_its_own_assumption_is_not_in_its_way() -> None:
    request = a_server(1, gpus=1)
    snapshot = with_assumed([a_node(gpus=2)], [a_pod(gpus=1)], [(request, "n1")])
    assert judge(request, snapshot).fits is False
    assert fits_somewhere(request, snapshot, judge) is False
    assert fits_wherever(request, snapshot, judge(request, snapshot), judge)


def test_a_pod_that_keeps_others_away_leaves_it_open() -> None:
    apart = PodAffinityTerm("kubernetes.io/hostname", None, ("jhub",))
    other = replace(a_server(1), pod_anti_affinity=(apart,))
    snapshot = with_assumed([a_node("n1"), a_node("n2"), a_node("n3")], (), [(other, "n1")])
    assert not is_sure(a_server(2), snapshot)


def test_a_node_that_is_not_for_the_assumed_pod_cannot_be_taken_by_it() -> None:
    nodes = [a_node("n1", gpus=1, labels={"pool": "a"}), a_node("n2", gpus=1)]
    other = replace(a_server(1, gpus=1), node_selector={"pool": "a"})
    mine = replace(a_server(2, gpus=1), node_selector={"kubernetes.io/hostname": "n2"})
    assert is_sure(mine, with_assumed(nodes, (), [(other, "n1")]))
    elsewhere = replace(other, node_selector={})
    assert not is_sure(mine, with_assumed(nodes, (), [(elsewhere, "n1")]))


ASKS = st.fixed_dictionaries({"gpus": st.integers(0, 3), "cpu": st.sampled_from([0, 1, 2, 4])})
FREE = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 8)), min_size=1, max_size=3)


def endings(
    nodes: list[dict[str, int]], pending: list[dict[str, int]]
) -> Iterator[tuple[list[dict[str, int]], bool]]:
    """What is left on the nodes, for every way the scheduler may go; and whether all found one."""
    if not pending:
        yield nodes, True
        return
    for at, asks in enumerate(pending):
        rest = pending[:at] + pending[at + 1 :]
        places = [
            number
            for number, left in enumerate(nodes)
            if all(left[name] >= amount for name, amount in asks.items())
        ]
        if not places:
            for left, _ in endings(nodes, rest):
                yield left, False
        for number in places:
            after = nodes.copy()
            after[number] = {name: left - asks[name] for name, left in nodes[number].items()}
            yield from endings(after, rest)


@settings(max_examples=300)
@given(FREE, st.lists(ASKS, max_size=3), ASKS, st.randoms(use_true_random=False))
def test_neither_answer_is_ever_wrong(
    free: list[tuple[int, int]], pending: list[dict[str, int]], asks: dict[str, int], random: Any
) -> None:
    nodes = [a_node(f"n{n}", gpus=gpus, cpu=cpu) for n, (gpus, cpu) in enumerate(free)]
    index = an_index(*nodes)
    for number, what in enumerate(pending):
        request = a_server(number, **what)
        places = sorted(judge(request, index.snapshot()).nodes)
        index.assume(as_assumed(request, random.choice(places) if places else ""))
    snapshot, request = index.snapshot(), a_server(99, **asks)

    left = [{"gpus": gpus, "cpu": cpu} for gpus, cpu in free]
    found = [
        (any(all(node[k] >= v for k, v in asks.items()) for node in nodes_left), all_placed)
        for nodes_left, all_placed in endings(left, pending)
    ]
    if is_sure(request, snapshot):
        assert all(fits for fits, _ in found)
    if not may_fit(request, snapshot):
        assert not any(fits for fits, all_placed in found if all_placed)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(0, 40))
def test_of_one_kind_every_last_place_can_be_promised(free: list[int], number: int) -> None:
    index = an_index(*(a_node(f"n{n}", gpus=gpus, pods=500) for n, gpus in enumerate(free)))
    admitted = 0
    for one in range(number):
        request = a_server(one, gpus=1)
        snapshot = index.snapshot()
        if is_sure(request, snapshot):
            admitted += 1
            verdict = judge(request, snapshot)
            nodes = open_nodes(request, snapshot, verdict)
            index.assume(as_assumed(request, min(verdict.nodes), nodes))
        else:
            assert not may_fit(request, snapshot)
    assert admitted == min(number, sum(free))


def test_gpus_are_what_is_counted() -> None:
    assert a_server(1, gpus=1).requests[GPU] == 1
