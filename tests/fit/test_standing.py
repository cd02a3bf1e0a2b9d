"""Standing verdicts say what a fresh one says, whatever happened in between."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice, zip_longest
from random import Random
from types import FunctionType, ModuleType

from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.index import ClusterIndex, Snapshot
from gpuspawner.capacity.model import (
    Charge,
    Node,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    ResourceQuota,
    Taint,
)
from gpuspawner.fit import StandingVerdicts, Verdict, judge

from ..builders import GPU, a_node, a_pod, a_request, altered

DONE = object()
WEB = {"app": "web"}
APART = PodAffinityTerm("kubernetes.io/hostname", (Requirement("app", "In", ("web",)),))
NODE = st.builds(
    a_node,
    st.sampled_from(["n0", "n1", "n2"]),
    gpus=st.integers(0, 3),
    cpu=st.integers(0, 4),
    labels=st.sampled_from([{}, {"gpu": "a100"}, {"nvidia.com/mig.config.state": "pending"}]),
    taints=st.sampled_from([(), (Taint("nvidia.com/gpu", "", "NoSchedule"),)]),
    unschedulable=st.booleans(),
    capacity=st.sampled_from([{}, {GPU: 4}]),
)
POD = st.builds(
    a_pod,
    st.sampled_from(["p0", "p1", "p2", "p3"]),
    node=st.sampled_from(["n0", "n1", "n2", "gone", None]),
    gpus=st.integers(0, 2),
    cpu=st.integers(0, 2),
    phase=st.sampled_from(["Running", "Pending", "Succeeded"]),
    priority=st.sampled_from([-1, 0]),
    labels=st.sampled_from([{}, WEB]),
    anti_affinity=st.sampled_from([(), (), (APART,)]),
)
REQUEST = st.builds(
    a_request,
    gpus=st.integers(0, 2),
    cpu=st.sampled_from([0, 1, 3]),
    node_selector=st.sampled_from([{}, {"gpu": "a100"}]),
    labels=st.sampled_from([{}, WEB]),
    pod_anti_affinity=st.sampled_from([(), (), (APART,)]),
)
NOMINATED = st.builds(
    lambda pod, node: altered(pod, node=None, nominated_node=node, priority=5),
    POD,
    st.sampled_from(["n0", "n1"]),
)
Change = Node | Pod | str
CHANGES = st.lists(
    st.lists(NODE | POD | NOMINATED | st.sampled_from(["n0", "n1", "p0", "p1"]), max_size=4),
    min_size=1,
    max_size=5,
)


def apply(index: ClusterIndex, change: Change) -> None:
    if isinstance(change, Node):
        index.put_node(change)
    elif isinstance(change, Pod):
        index.put_pod(change)
    elif change.startswith("n"):
        index.drop_node(change, f"uid-of-{change}")
    else:
        index.drop_pod("jhub", change, f"uid-of-{change}")


@given(history=CHANGES, requests=st.lists(REQUEST, min_size=1, max_size=3), read=st.data())
def test_after_any_history_a_standing_verdict_is_the_fresh_one(
    history: list[list[Change]], requests: list[PodRequest], read: st.DataObject
) -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    for changes in history:
        for change in changes:
            apply(index, change)
        snapshot = index.snapshot()
        for request in requests:
            if read.draw(st.booleans(), label="read"):
                assert standing.verdict(request, snapshot) == judge(request, snapshot)


@given(
    history=st.lists(st.lists(POD | NOMINATED | st.sampled_from(["p0", "p1"]), max_size=2)),
    requests=st.lists(REQUEST, min_size=1, max_size=3),
    read=st.randoms(use_true_random=False),
)
def test_while_pods_come_and_go_a_standing_verdict_is_the_fresh_one(
    history: list[list[Change]], requests: list[PodRequest], read: Random
) -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    for number, labels in enumerate(({}, {"gpu": "a100"}, {"gpu": "a100"})):
        index.put_node(a_node(f"n{number}", gpus=3, cpu=4, labels=labels))
    for changes in history:
        for change in changes:
            apply(index, change)
        snapshot = index.snapshot()
        for request in requests:
            if read.random() < 0.7:
                assert standing.verdict(request, snapshot) == judge(request, snapshot)


@given(history=CHANGES, requests=st.lists(REQUEST, min_size=1, max_size=3))
def test_a_verdict_that_was_given_stays_as_it_was(
    history: list[list[Change]], requests: list[PodRequest]
) -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    verdicts: list[tuple[Verdict, Verdict]] = []
    for changes in history:
        for change in changes:
            apply(index, change)
        snapshot = index.snapshot()
        verdicts += [(standing.verdict(one, snapshot), judge(one, snapshot)) for one in requests]
    assert all(kept == fresh for kept, fresh in verdicts)


@given(history=CHANGES, request=REQUEST, nodes=st.integers(1, 2))
def test_work_that_is_overtaken_by_a_change_is_taken_up_again(
    history: list[list[Change]], request: PodRequest, nodes: int
) -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    snapshot = index.snapshot()
    for changes in history:
        for change in changes:
            apply(index, change)
        snapshot = index.snapshot()
        next(standing.steps(request, snapshot, nodes), None)
    assert standing.verdict(request, snapshot) == judge(request, snapshot)


@given(history=CHANGES, request=REQUEST, read=st.data())
def test_forms_that_look_at_different_moments_get_each_its_own_verdict(
    history: list[list[Change]], request: PodRequest, read: st.DataObject
) -> None:
    """Their steps are taken in any order, as an event loop may."""
    index, standing = ClusterIndex(), StandingVerdicts()
    under_way: list[tuple[PodRequest, Snapshot, Iterator[None]]] = []
    for changes in history:
        for change in changes:
            apply(index, change)
        snapshot = index.snapshot()
        # The same pod twice, and one that only shares its sums.
        under_way.extend(
            (asked, snapshot, standing.steps(asked, snapshot, 1))
            for asked in (request, request, replace(request))
        )
        for _ in range(read.draw(st.integers(0, 9), label="turns")):
            take_a_step(under_way, standing, read.draw(st.integers(0, 99), label="whose"))
    while under_way:
        take_a_step(under_way, standing, read.draw(st.integers(0, 99), label="whose"))


def take_a_step(
    under_way: list[tuple[PodRequest, Snapshot, Iterator[None]]],
    standing: StandingVerdicts,
    whose: int,
) -> None:
    """One form goes on; when it is through it reads its verdict, before any other goes on."""
    if not under_way:
        return
    request, snapshot, steps = under_way[whose % len(under_way)]
    if next(steps, DONE) is DONE:
        del under_way[whose % len(under_way)]
        assert standing.verdict(request, snapshot) == judge(request, snapshot)


def test_a_node_that_joins_during_a_pause_is_not_in_a_verdict_on_the_moment_before() -> None:
    index, standing = index_of(4), StandingVerdicts()
    request, alike = (a_request(cpu=1, pod_anti_affinity=[APART]) for _ in range(2))
    index.put_pod(a_pod("web", node="n0", labels=WEB))
    older = index.snapshot()
    steps = standing.steps(request, older, 3)
    next(steps)  # Three nodes are examined,
    next(steps)  # and now the fourth, and the checks of the cluster are prepared.
    index.put_node(a_node("new"))
    standing.verdict(alike, index.snapshot())
    deque(steps, maxlen=0)
    assert standing.verdict(request, older) == judge(request, older)


def test_two_forms_that_look_at_different_moments_do_not_undo_each_others_work() -> None:
    index, standing = index_of(8), StandingVerdicts()
    older = index.snapshot()
    for number in range(8):
        index.put_pod(a_pod(f"p{number}", node=f"n{number}", cpu=1))
    newer = index.snapshot()
    turns = zip_longest(
        standing.steps(a_request(cpu=1), older, 2), standing.steps(a_request(cpu=1), newer, 2)
    )
    assert len(list(islice(turns, 9))) < 9


def test_a_node_that_fills_up_while_evictions_are_weighed_is_not_in_the_verdict() -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    for number in range(3):
        index.put_node(a_node(f"n{number}", gpus=1))
        index.put_pod(a_pod(f"p{number}", node=f"n{number}", gpus=1, priority=-1))
    request, older = a_request(gpus=1), index.snapshot()
    steps = standing.steps(request, older, 2)
    next(steps)  # Two nodes are examined,
    next(steps)  # and now the third, and eviction is tried on one.
    index.drop_node("n1", "uid-of-n1")
    assert standing.verdict(replace(request), index.snapshot()).total_nodes == 2
    deque(steps, maxlen=0)
    assert standing.verdict(request, older) == judge(request, older)


def test_an_older_snapshot_gets_the_verdict_on_itself() -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    index.objects.table("quotas").replace(())
    request = a_request(gpus=1)
    older = newer = index.snapshot()
    for number in range(3):
        index.put_node(a_node(f"n{number}", gpus=1))
        older, newer = newer, index.snapshot()
        standing.verdict(request, newer)
    assert standing.verdict(request, older).slots == 2
    assert standing.verdict(request, newer).slots == 3
    index.put_node(a_node("n2", gpus=2))
    assert standing.verdict(request, index.snapshot()).slots == 4


def test_a_look_back_that_took_as_many_changes_is_not_taken_for_the_latest() -> None:
    index, standing = index_of(1), StandingVerdicts()
    request, snapshots = a_request(cpu=1), [index.snapshot()]
    for name in ("p1", "p2"):
        index.put_pod(a_pod(name, node="n0", cpu=1))
        snapshots.append(index.snapshot())
    slots = [standing.verdict(request, snapshots[at]).slots for at in (0, 1, 0, 2)]
    assert slots == [64, 63, 64, 62]


def test_steps_pause_while_nodes_are_left() -> None:
    standing, request = StandingVerdicts(), a_request()
    snapshot = Snapshot(1, index_of(5).snapshot().nodes)
    assert len(list(standing.steps(request, snapshot, 2))) == 2
    assert list(standing.steps(request, snapshot, 2)) == []


def test_a_verdict_that_nothing_changed_is_the_same_object() -> None:
    standing, request, snapshot = StandingVerdicts(), a_request(), index_of(2).snapshot()
    assert standing.verdict(request, snapshot) is standing.verdict(request, snapshot)


def test_a_verdict_is_kept_while_only_nodes_that_are_not_for_the_pod_change() -> None:
    index, standing = index_of(2), StandingVerdicts()
    index.put_node(a_node("mine", labels={"gpu": "a100"}))
    request = a_request(cpu=1, node_selector={"gpu": "a100"})
    before = standing.verdict(request, index.snapshot())
    index.put_pod(a_pod(node="n0", cpu=1))
    assert standing.verdict(request, index.snapshot()) is before
    index.put_pod(a_pod("p2", node="mine", cpu=1))
    now = standing.verdict(request, index.snapshot())
    assert (before.slots, now.slots) == (64, 63)


def test_a_pod_whose_room_stays_but_that_must_now_keep_away_is_judged_anew() -> None:
    index, standing = index_of(1), StandingVerdicts()
    request = a_request(cpu=1, pod_anti_affinity=[APART])
    for labels, fits in (({}, True), (WEB, False)):
        index.put_pod(a_pod("p1", node="n0", labels=labels))
        assert standing.verdict(request, index.snapshot()).fits is fits


def test_a_pod_whose_room_stays_but_that_others_now_keep_away_is_judged_anew() -> None:
    index, standing = index_of(1), StandingVerdicts()
    request = a_request(cpu=1, labels=WEB)
    for terms, fits in (((), True), ((APART,), False), ((), True)):
        index.put_pod(a_pod("p1", node="n0", anti_affinity=terms))
        assert standing.verdict(request, index.snapshot()).fits is fits


def test_what_no_node_ever_has_follows_the_nodes() -> None:
    index, standing = index_of(1), StandingVerdicts()
    request = a_request(gpus=4)
    for gpus in (1, 3, 2):
        index.put_node(a_node("n0", gpus=gpus))
        [shortfall] = standing.verdict(request, index.snapshot()).shortfalls
        assert shortfall.most == gpus


def test_a_change_of_what_could_be_evicted_is_heard_of() -> None:
    index, standing = ClusterIndex(), StandingVerdicts()
    index.put_node(a_node("n0", gpus=2))
    request = a_request(gpus=2)
    index.put_pod(a_pod("one", node="n0", gpus=2, priority=-1))
    assert standing.verdict(request, index.snapshot()).evicts == 1
    index.put_pod(a_pod("one", node="n0", gpus=1, priority=-1))
    index.put_pod(a_pod("two", node="n0", gpus=1, priority=-1))
    assert standing.verdict(request, index.snapshot()).evicts == 2


def test_a_quota_that_changes_is_heard_of() -> None:
    index, standing = index_of(1), StandingVerdicts()
    request = replace(a_request(), charge=Charge({"pods": Fraction(1)}))
    quotas = index.objects.table("quotas")
    for hard in ("5", "0"):
        quotas.replace([ResourceQuota("jhub", "q", "uid", {"pods": hard}, {"pods": "0"})])
        verdict = standing.verdict(request, index.snapshot())
        assert verdict.fits is (hard == "5")


def test_pods_that_are_not_asked_for_any_more_are_forgotten() -> None:
    standing, snapshot = StandingVerdicts(most=2), index_of(1).snapshot()
    for cpu in range(100):
        request = a_request(cpu=cpu)
        assert standing.verdict(request, snapshot) == judge(request, snapshot)
    assert len(standing._standing) == 2
    assert len(standing._known) <= 2


def test_verdicts_that_were_read_last_are_kept() -> None:
    standing, snapshot = StandingVerdicts(most=2), index_of(1).snapshot()
    often = a_request()
    verdict = standing.verdict(often, snapshot)
    for cpu in range(1, 9):
        standing.verdict(a_request(cpu=cpu), snapshot)
        assert standing.verdict(often, snapshot) is verdict


def test_no_snapshot_is_kept_for_a_pod_that_is_not_asked_for_any_more() -> None:
    index, standing = index_of(1), StandingVerdicts()
    once, often = a_request(cpu=1), a_request(cpu=2)
    standing.verdict(once, index.snapshot())
    index.put_node(a_node("n1"))
    standing.verdict(often, index.snapshot())
    assert not [held for held in all_that(standing) if isinstance(held, Snapshot)]


def all_that(holder: object) -> list[object]:
    """What the values of this package that are held refer to, one after another."""
    found, ahead = {id(holder): holder}, [holder]
    while ahead:
        for held in gc.get_referents(ahead.pop()):
            if id(held) not in found and not isinstance(held, type | ModuleType | FunctionType):
                found[id(held)] = held
                ahead.append(held)
    return list(found.values())


def index_of(nodes: int) -> ClusterIndex:
    index = ClusterIndex()
    index.objects.table("quotas").replace(())
    index.replace_nodes(a_node(f"n{number}") for number in range(nodes))
    return index
