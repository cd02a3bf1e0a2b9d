"""Who waits, what is kept for them, and what that leaves to others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.builders import a_node, a_pod, a_request, a_snapshot

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import (
    HostPort,
    LabelSelector,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    SpreadConstraint,
    Toleration,
)
from gpuspawner.fit import Verdict, judge
from gpuspawner.fit.surveying import Survey
from gpuspawner.line import (
    Left,
    Line,
    LineFullError,
    Waiter,
    choosing,
    competitors,
    left_by,
    proven_by,
)
from gpuspawner.line.bounds import LEEWAY

NOTEBOOKS = LabelSelector((Requirement("app", "In", ("notebook",)),))
SINGLE, DUAL = a_request(gpus=1), a_request(gpus=2)


def busy(node: str, *gpus: int, ends_by: float | None = None) -> list[Pod]:
    """A pod for each number of GPUs that are in use on a node."""
    return [
        a_pod(f"{node}-{n}", node=node, gpus=number, ends_by=ends_by)
        for n, number in enumerate(gpus)
    ]


def two_nodes(first: list[Pod], second: list[Pod], gpus: int = 2) -> Snapshot:
    return a_snapshot(a_node("n1", gpus=gpus), a_node("n2", gpus=gpus), *first, *second)


def a_waiter(
    name: str, request: PodRequest | None, node: str = "", since: float = 0.0, **fields: Any
) -> Waiter:
    return Waiter(("jhub", name), since, request, node, **fields)


def left(request: PodRequest, snapshot: Snapshot, *ahead: Waiter) -> Left:
    return left_by(ahead, request, judge(request, snapshot), snapshot, judge)


def chosen(request: PodRequest, snapshot: Snapshot, *ahead: Waiter, now: str = "") -> str | None:
    [*_, name] = choosing(a_waiter("me", request, now), ahead, snapshot, 0.0)
    return name


def test_who_came_first_goes_first() -> None:
    line = Line()
    for name, since in (("third", 3.0), ("first", 1.0), ("second", 2.0)):
        line.join(a_waiter(name, SINGLE, since=since), most=3)
    assert [waiter.key[1] for waiter in line.all()] == ["first", "second", "third"]
    assert [waiter.key[1] for waiter in line.ahead_of(("jhub", "third"))] == ["first", "second"]
    assert len(line.ahead_of(("jhub", "a newcomer"))) == 3


def test_a_full_line_takes_nobody_but_those_of_before_a_restart() -> None:
    line = Line()
    line.announce(("jhub", "old"), 5.0)
    line.join(a_waiter("new", SINGLE, since=6.0), most=2)
    with pytest.raises(LineFullError):
        line.join(a_waiter("another", SINGLE, since=1.0), most=2)
    line.join(a_waiter("old", DUAL, since=7.0), most=0)
    [old, _] = line.all()
    assert (old.key[1], old.since, old.request) == ("old", 5.0, DUAL)


def test_who_leaves_makes_room_in_the_line() -> None:
    line = Line()
    line.join(a_waiter("one", SINGLE, since=1.0), most=1)
    line.leave(("jhub", "nobody"))
    assert line
    line.leave(("jhub", "one"))
    assert not line
    line.join(a_waiter("two", SINGLE, since=2.0), most=1)


def test_what_is_free_on_a_node_is_kept_for_who_waits_for_more() -> None:
    snapshot = two_nodes(busy("n1", 1), busy("n2", 2))
    found = left(SINGLE, snapshot, a_waiter("dual", DUAL, "n1"))
    assert found.verdict.fits is False
    assert found.avoids == {"n1"}


def test_others_go_where_nothing_is_kept() -> None:
    snapshot = two_nodes(busy("n1", 1), busy("n2", 1))
    found = left(SINGLE, snapshot, a_waiter("dual", DUAL, "n1"))
    assert found.verdict.nodes == {"n2": 1}
    assert found.verdict.slots == 1
    assert found.avoids == {"n1"}
    assert found.rivals == 0


def test_a_large_node_takes_others_beside_what_is_kept() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=8), *busy("n1", 5))
    found = left(SINGLE, snapshot, a_waiter("four", a_request(gpus=4), "n1"))
    assert (found.verdict.fits, found.avoids) == (False, frozenset({"n1"}))
    found = left(SINGLE, snapshot, a_waiter("two", a_request(gpus=2, cpu=200), "n1"))
    assert found.verdict.nodes == {"n1": 1}
    assert found.avoids == frozenset()


def test_nobody_overtakes_who_fits_at_this_moment() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1))
    assert left(SINGLE, snapshot, a_waiter("first", SINGLE)).rivals == 1


def test_who_cannot_use_a_node_is_no_rival_for_it() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), a_node("n2", gpus=2))
    assert left(SINGLE, snapshot, a_waiter("dual", DUAL)).rivals == 1
    on_the_first = replace(SINGLE, node_name="n1")
    assert left(on_the_first, snapshot, a_waiter("dual", DUAL)).rivals == 0


def test_who_is_behind_another_is_no_rival_for_what_is_kept_for_that_one() -> None:
    snapshot = two_nodes(busy("n1", 5), busy("n2", 8), gpus=8)
    three = a_waiter("three", a_request(gpus=3), "n2")
    assert left(SINGLE, snapshot, three).rivals == 1, "three are free on n1"
    # It waits for cores, and two of the three GPUs that are free are kept for it.
    two = a_waiter("two", a_request(gpus=2, cpu=200), "n1")
    found = left(SINGLE, snapshot, two, three)
    assert (found.rivals, found.verdict.nodes) == (0, {"n1": 1})


def test_as_long_as_it_is_not_known_what_somebody_waits_for_nobody_overtakes_them() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1))
    assert left(SINGLE, snapshot, a_waiter("announced", None)).rivals == 1


def test_nobody_waits_for_who_is_held_up_by_something_else() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1))
    found = left(SINGLE, snapshot, a_waiter("over quota", SINGLE, "n1", is_held_up=True))
    assert (found.rivals, found.avoids, found.verdict.fits) == (0, frozenset(), True)


def test_where_all_is_kept_there_is_room_for_none_though_copies_were_not_counted() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=2), *busy("n1", 1))
    uncounted = msgspec.structs.replace(judge(SINGLE, snapshot), slots=None)
    found = left_by((a_waiter("dual", DUAL, "n1"),), SINGLE, uncounted, snapshot, judge)
    assert (found.verdict.fits, found.verdict.slots) == (False, 0)


def test_with_nobody_ahead_the_verdict_is_the_same_object() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1))
    verdict = judge(SINGLE, snapshot)
    assert left_by((), SINGLE, verdict, snapshot, judge).verdict is verdict


def test_it_is_kept_where_the_ends_of_others_are_known_first() -> None:
    snapshot = a_snapshot(
        *(a_node(name, gpus=2) for name in ("n1", "n2", "n3")),
        *busy("n1", 1),
        *busy("n2", 1, 1, ends_by=9000.0),
        *busy("n3", 2, ends_by=8000.0),
    )
    assert chosen(DUAL, snapshot) == "n3"
    assert chosen(DUAL, snapshot, a_waiter("first", DUAL, "n3")) == "n2"
    assert chosen(DUAL, snapshot, a_waiter("first", SINGLE, "n3")) == "n2"


def test_it_is_kept_where_the_least_is_missing_if_no_end_is_known() -> None:
    snapshot = two_nodes(busy("n1", 1, 1), busy("n2", 1))
    assert chosen(DUAL, snapshot) == "n2"


def test_it_is_kept_nowhere_if_no_node_would_ever_take_it() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), a_node("n2", gpus=2, unschedulable=True))
    assert chosen(DUAL, snapshot) == ""


def test_it_is_kept_where_there_is_room_already() -> None:
    assert chosen(SINGLE, two_nodes(busy("n1", 2, ends_by=1.0), busy("n2", 1))) == "n2"


def test_of_what_is_missing_the_scarcest_counts() -> None:
    request = a_request(gpus=2, cpu=8)
    snapshot = a_snapshot(
        *(a_node(name, gpus=2, cpu=64) for name in ("n1", "n2")),
        *busy("n1", 2),
        a_pod("cores", node="n2", gpus=1, cpu=64),
    )
    assert chosen(request, snapshot) == "n2", "one GPU is missing there, and two on the other"


def test_what_is_kept_for_others_is_missing_as_well() -> None:
    snapshot = two_nodes(busy("n1", 4), busy("n2", 7), gpus=8)
    first = a_waiter("first", a_request(gpus=4), "n1")
    assert chosen(DUAL, snapshot) == "n1"
    assert chosen(DUAL, snapshot, first) == "n2", "two are missing on n1, and one here"


def test_it_stays_where_it_is_kept_unless_another_node_is_better() -> None:
    snapshot = two_nodes(busy("n1", 1), busy("n2", 1))
    assert chosen(DUAL, snapshot) == "n1"
    assert chosen(DUAL, snapshot, now="n2") == "n2"
    better = two_nodes([], busy("n2", 1))
    assert chosen(DUAL, better, now="n2") == "n1"


def test_it_is_kept_nowhere_if_those_before_have_it_all() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), *busy("n1", 1))
    assert chosen(SINGLE, snapshot) == "n1"
    assert chosen(SINGLE, snapshot, a_waiter("first", SINGLE, "n1")) == ""


def test_choosing_gives_the_event_loop_its_turns() -> None:
    snapshot = a_snapshot(*(a_node(f"n{n:02}", gpus=2) for n in range(40)))
    assert list(choosing(a_waiter("me", DUAL), (), snapshot, 0.0)) == [None, None, "n00"]


def test_it_is_chosen_among_some_nodes_only_where_that_is_asked_for() -> None:
    snapshot = two_nodes(busy("n1", 1), busy("n2", 1, 1))
    [name] = choosing(a_waiter("me", DUAL), (), snapshot, 0.0, {"n2", "n3"})
    assert name == "n2"


def test_it_is_not_kept_where_other_pods_or_volumes_never_let_it_run() -> None:
    zone = "topology.kubernetes.io/zone"
    snapshot = a_snapshot(
        a_node("n1", gpus=2), a_node("n2", gpus=2, labels={zone: "b"}), *busy("n2", 2)
    )
    spread = SpreadConstraint(zone, 1, NOTEBOOKS)
    assert chosen(DUAL, snapshot) == "n1"
    assert chosen(a_request(gpus=2, spread=(spread,)), snapshot) == "n2", "n1 has no zone"


def test_it_is_not_kept_where_a_pod_should_have_ended_and_has_not() -> None:
    snapshot = two_nodes(busy("n1", 2, ends_by=10.0), busy("n2", 2, ends_by=9000.0))
    [*_, name] = choosing(a_waiter("me", DUAL), (), snapshot, 20.0)
    assert name == "n2"


def test_a_pod_that_should_have_ended_proves_nothing() -> None:
    pods = [a_pod("stuck", gpus=1, ends_by=10.0), a_pod("b", gpus=1, ends_by=90.0)]
    snapshot = a_snapshot(a_node("n1", gpus=2), *pods)
    assert bound(snapshot, a_waiter("me", DUAL, "n1"), now=20.0) is None
    assert bound(snapshot, a_waiter("me", SINGLE, "n1"), now=20.0) == 90.0 + LEEWAY


def test_who_has_room_beside_another_is_no_rival() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1, cpu=8))
    first = a_waiter("first", a_request(gpus=1, cpu=4))
    second = a_waiter("second", a_request(cpu=2))
    assert left(a_request(cpu=4), snapshot, first).rivals == 0
    assert left(a_request(cpu=5), snapshot, first).rivals == 1
    assert left(a_request(cpu=2), snapshot, first, second).rivals == 0
    assert left(a_request(cpu=3), snapshot, first, second).rivals == 2


def test_only_the_first_tries_what_is_not_known() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), *busy("n1", 1))
    unknown = msgspec.structs.replace(judge(SINGLE, snapshot), fits=None)
    ahead = (a_waiter("first", SINGLE, "n1"),)
    assert left_by(ahead, SINGLE, unknown, snapshot, judge).rivals == 1
    assert left_by((), SINGLE, unknown, snapshot, judge).rivals == 0


def test_who_is_over_a_quota_has_no_turn() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1))

    def over_quota(request: PodRequest, snapshot: Snapshot) -> Verdict:
        return msgspec.structs.replace(judge(request, snapshot), fits=False, refusal="a quota")

    verdict = judge(SINGLE, snapshot)
    ahead = (a_waiter("over quota", SINGLE),)
    assert left_by(ahead, SINGLE, verdict, snapshot, over_quota).rivals == 0


def test_competitors_are_those_who_may_take_what_is_awaited() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=2), a_node("plain"))
    ahead = (
        a_waiter("dual", DUAL, "n1"),
        a_waiter("cpu", a_request(cpu=1000), "plain"),
        a_waiter("not known yet", None),
        a_waiter("over quota", SINGLE, "n1", is_held_up=True),
    )
    found = competitors(SINGLE, "n1", ahead, snapshot)
    assert [waiter.key[1] for waiter in found] == ["dual", "not known yet"]


def test_where_no_node_is_known_those_before_count_who_wait_for_such_devices() -> None:
    dual, cores = a_waiter("dual", DUAL), a_waiter("cores", a_request(cpu=1000))
    assert competitors(SINGLE, "", (dual, cores), a_snapshot()) == [dual, cores]
    assert competitors(a_request(cpu=1000), "", (dual, cores), a_snapshot()) == [cores]


def test_those_before_count_who_have_no_node_of_their_own() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), a_node("n2", cpu=8), *busy("n1", 1))
    first, second = a_waiter("first", SINGLE, "n1"), a_waiter("second", SINGLE)
    hopeless = a_waiter("hopeless", a_request(gpus=99))
    cores = a_waiter("cores", a_request(cpu=8), "n2")
    found = competitors(SINGLE, "", (first, second, hopeless, cores), snapshot)
    assert [waiter.key[1] for waiter in found] == ["first", "second"]


def test_who_goes_before_and_could_use_the_own_node_counts() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=2), a_node("n2", gpus=2))
    on_the_first = replace(SINGLE, node_name="n1")
    other = a_waiter("other", SINGLE, "n2")
    assert competitors(on_the_first, "n1", (other,), snapshot) == [other]
    on_the_second = a_waiter("other", replace(SINGLE, node_name="n2"), "n2")
    assert competitors(on_the_first, "n1", (on_the_second,), snapshot) == []


def test_nothing_keeps_off_a_node_where_it_could_not_run_anyway() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), a_node("n2", cpu=8))
    cores = a_waiter("cores", a_request(cpu=8), "n2")
    assert left(SINGLE, snapshot, cores).avoids == frozenset()


def bound(snapshot: Snapshot, waiter: Waiter, *ahead: Waiter, now: float = 0.0) -> float | None:
    assert waiter.request is not None
    return proven_by(waiter, ahead, snapshot, judge(waiter.request, snapshot), now)


@pytest.mark.parametrize(
    ("request_", "pods", "expected"),
    [
        pytest.param(SINGLE, busy("n1", 2, ends_by=50.0), 50.0, id="the only pod ends in time"),
        pytest.param(
            SINGLE,
            [*busy("n1", 1, ends_by=70.0), a_pod("b", gpus=1, ends_by=60.0)],
            60.0,
            id="the first of two to end is enough for one GPU",
        ),
        pytest.param(
            DUAL,
            [*busy("n1", 1, ends_by=70.0), a_pod("b", gpus=1, ends_by=60.0)],
            70.0,
            id="two GPUs need both to end",
        ),
        pytest.param(
            DUAL,
            [*busy("n1", 1), a_pod("b", gpus=1, ends_by=60.0)],
            None,
            id="one that has no limit may stay for ever",
        ),
        pytest.param(
            SINGLE,
            [*busy("n1", 1), a_pod("b", gpus=1, ends_by=60.0)],
            60.0,
            id="one that has no limit does not matter if another makes room",
        ),
    ],
)
def test_the_latest_time_follows_from_session_limits(
    request_: PodRequest, pods: list[Pod], expected: float | None
) -> None:
    found = bound(a_snapshot(a_node("n1", gpus=2), *pods), a_waiter("me", request_, "n1"))
    assert found == (None if expected is None else expected + LEEWAY)


def test_who_goes_before_is_thought_to_stay_for_ever() -> None:
    snapshot = a_snapshot(
        a_node("n1", gpus=2), *busy("n1", 1, ends_by=60.0), a_pod("b", gpus=1, ends_by=90.0)
    )
    me = a_waiter("me", SINGLE, "n1")
    assert bound(snapshot, me) == 60.0 + LEEWAY
    assert bound(snapshot, me, a_waiter("first", SINGLE, "n1")) == 90.0 + LEEWAY


def test_nothing_is_proven_behind_somebody_who_asks_for_something_else() -> None:
    snapshot = a_snapshot(
        a_node("n1", gpus=2),
        a_node("n2", gpus=2),
        *busy("n1", 2, ends_by=60.0),
        *busy("n2", 2, ends_by=90.0),
    )
    me = a_waiter("me", SINGLE, "n1")
    assert bound(snapshot, me, a_waiter("first", DUAL, "n2")) is None
    elsewhere = a_waiter("first", replace(DUAL, node_name="n2"), "n2")
    assert bound(snapshot, me, elsewhere) == 60.0 + LEEWAY


def test_those_before_are_alike_only_if_they_may_go_where_one_may() -> None:
    snapshot = two_nodes(busy("n1", 2, ends_by=60.0), busy("n2", 2, ends_by=90.0))
    me = a_waiter("me", SINGLE, "n1")
    assert bound(snapshot, me, a_waiter("first", SINGLE, "n2")) == 90.0 + LEEWAY
    tolerant = replace(SINGLE, tolerations=(Toleration(operator="Exists"),))
    assert bound(snapshot, me, a_waiter("first", tolerant, "n2")) is None
    assert bound(snapshot, me, a_waiter("first", SINGLE)) is None
    assert bound(snapshot, me, a_waiter("first", SINGLE, "a node that is gone")) is None
    assert bound(snapshot, me, a_waiter("not known yet", None)) is None


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(30.0, 60.0, id="who goes before has theirs sooner and leaves this"),
        pytest.param(90.0, 90.0, id="who goes before takes this, and theirs comes later"),
        pytest.param(None, None, id="who goes before takes this, and theirs may never come"),
    ],
)
def test_who_goes_before_may_take_what_is_kept_for_one_behind(
    before: float | None, expected: float | None
) -> None:
    theirs = busy("n2", 2, ends_by=before)
    snapshot = two_nodes(busy("n1", 2, ends_by=60.0), theirs)
    found = bound(snapshot, a_waiter("me", SINGLE, "n1"), a_waiter("first", SINGLE, "n2"))
    assert found == (None if expected is None else expected + LEEWAY)


def test_a_pod_that_is_being_started_on_the_node_counts_once() -> None:
    starting = a_pod("starting", gpus=1)
    snapshot = a_snapshot(a_node("n1", gpus=2), *busy("n1", 1, ends_by=60.0), starting)
    assumed = as_assumed(replace(SINGLE, name="starting"), "n1", frozenset({"n1"}))
    me = a_waiter("me", SINGLE, "n1")
    assert bound(replace(snapshot, assumed=(assumed,)), me) == 60.0 + LEEWAY


def test_a_pod_that_is_being_started_may_yet_come_to_the_node() -> None:
    snapshot = two_nodes(busy("n1", 1, ends_by=60.0), [], gpus=1)
    me = a_waiter("me", replace(SINGLE, node_name="n1"), "n1")
    assert bound(snapshot, me) == 60.0 + LEEWAY
    starting = as_assumed(replace(SINGLE, name="other"), "n2", frozenset({"n1", "n2"}))
    assert bound(replace(snapshot, assumed=(starting,)), me) is None
    nowhere = as_assumed(replace(SINGLE, name="other"), "")
    assert bound(replace(snapshot, assumed=(nowhere,)), me) is None
    elsewhere = as_assumed(replace(SINGLE, name="other"), "n2", frozenset({"n2"}))
    assert bound(replace(snapshot, assumed=(elsewhere,)), me) == 60.0 + LEEWAY


@pytest.mark.parametrize("request_", [SINGLE, DUAL], ids=["alike", "another"])
def test_nothing_is_proven_behind_who_is_held_up_and_may_be_so_no_longer(
    request_: PodRequest,
) -> None:
    snapshot = two_nodes(busy("n1", 2, ends_by=60.0), busy("n2", 2))
    me = a_waiter("me", SINGLE, "n1")
    assert bound(snapshot, me) == 60.0 + LEEWAY
    assert bound(snapshot, me, a_waiter("first", request_, "n2", is_held_up=True)) is None
    elsewhere = replace(request_, node_name="n2")
    held_up = a_waiter("first", elsewhere, "n2", is_held_up=True)
    assert bound(snapshot, me, held_up) == 60.0 + LEEWAY


def test_where_other_pods_keep_away_a_time_is_proven_for_the_first_only() -> None:
    apart = PodAffinityTerm("kubernetes.io/hostname", NOTEBOOKS)
    snapshot = a_snapshot(
        a_node("n1", gpus=1),
        a_node("n2"),
        *busy("n1", 1, ends_by=60.0),
        a_pod("alone", node="n2", anti_affinity=(apart,)),
    )
    request = a_request(gpus=1, labels={"app": "notebook"})
    assert Survey(request, snapshot)
    me = a_waiter("me", request, "n1")
    assert bound(snapshot, me) == 60.0 + LEEWAY
    assert bound(snapshot, me, a_waiter("alike", request, "n1")) is None
    assert bound(snapshot, a_waiter("me", request, "n2")) is None


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        pytest.param((), 60.0 + LEEWAY, id="a neighbour that minds nobody changes nothing"),
        pytest.param(
            (PodAffinityTerm("kubernetes.io/hostname", NOTEBOOKS),),
            None,
            id="one that keeps it away and has no limit may stay for ever",
        ),
    ],
)
def test_a_time_is_proven_only_on_a_node_that_others_let_it_come_to(
    terms: tuple[PodAffinityTerm, ...], expected: float | None
) -> None:
    neighbour = a_pod("neighbour", node="n1", anti_affinity=terms)
    snapshot = a_snapshot(a_node("n1", gpus=1), *busy("n1", 1, ends_by=60.0), neighbour)
    request = a_request(gpus=1, labels={"app": "notebook"})
    assert bound(snapshot, a_waiter("me", request, "n1")) == expected


def test_those_before_are_not_alike_if_they_ask_for_other_ports_of_the_node() -> None:
    snapshot = two_nodes(busy("n1", 2, ends_by=60.0), busy("n2", 2, ends_by=90.0))
    me = a_waiter("me", SINGLE, "n1")
    with_port = replace(SINGLE, host_ports=(HostPort("", "TCP", 8443),))
    assert bound(snapshot, me, a_waiter("first", SINGLE, "n2")) == 90.0 + LEEWAY
    assert bound(snapshot, me, a_waiter("first", with_port, "n2")) is None


def test_nothing_is_proven_by_ends_where_more_than_room_decides() -> None:
    snapshot = a_snapshot(a_node("n1", gpus=1), *busy("n1", 1, ends_by=60.0))
    apart = PodAffinityTerm("kubernetes.io/hostname", NOTEBOOKS)
    me = a_waiter("me", a_request(gpus=1, pod_anti_affinity=(apart,)), "n1")
    assert bound(snapshot, me) is None
    verdict = msgspec.structs.replace(judge(SINGLE, snapshot), refusal="a quota")
    assert proven_by(a_waiter("me", SINGLE, "n1"), (), snapshot, verdict, 0.0) is None
