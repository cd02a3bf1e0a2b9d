"""The place of one server: where room is kept for it, and what is told of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import cast

import msgspec
import pytest

from gpuspawner import in_line
from gpuspawner.capacity.denials import Denial, ExceededQuota
from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.in_line import Place, PlaceInLine
from gpuspawner.line import Waiter
from gpuspawner.line.bounds import LEEWAY
from gpuspawner.offers import Offer, offers_in

from .builders import a_catalog, a_node, a_pod, a_profile, a_situation
from .test_claims import Cluster

CATALOG = a_catalog(a_profile("gpu", when_full="wait"))

FULL: tuple[Node | Pod, ...] = (
    *(a_node(name, gpus=1) for name in ("n1", "n2")),
    *(a_pod(f"on-{name}", node=name, gpus=1) for name in ("n1", "n2")),
)


class Line:
    """A cluster, and some who wait in it for one GPU each."""

    def __init__(self, *things: Node | Pod) -> None:
        self.cluster = Cluster(*things)
        situation = a_situation(CATALOG, *things)
        [self.offer] = [each for each in offers_in(situation) if each.profile.slug == "gpu"]

    async def look(self, *names: str) -> dict[str, Place]:
        """All take a place, in this order, and then look."""
        places = {}
        for since, name in enumerate(names):
            places[name] = self.place(name)
            places[name].take(since, self.offer, 9)
        return {name: await place.look(self.offer) for name, place in places.items()}

    def place(self, name: str) -> PlaceInLine:
        return PlaceInLine(cast(SharedCluster, self.cluster), "jhub", name)

    def waiter(self, name: str) -> Waiter:
        return next(one for one in self.cluster.line.all() if one.key[1] == name)

    def denied(self) -> Offer:
        return replace(self.offer, denial=Denial((ExceededQuota("hub", ()),)))


async def test_each_has_a_number_and_a_node_as_long_as_there_are_nodes() -> None:
    line = Line(
        a_node("n1", gpus=1), a_node("n2", gpus=1), a_pod(gpus=1), a_pod("b", node="n2", gpus=1)
    )
    places = await line.look("first", "second", "third", "fourth")
    assert [place.number for place in places.values()] == [1, 2, 3, 4]
    assert [line.waiter(name).node for name in places] == ["n1", "n2", "", ""]


async def test_who_looks_without_a_place_is_first_and_takes_none() -> None:
    line = Line(a_node(gpus=1), a_pod(gpus=1))
    assert await line.place("nobody").look(line.offer) == Place(1)
    place = line.place("announced")
    place.announce(1.0)
    assert await place.look(line.offer) == Place(1)
    assert line.waiter("announced").request is None


@pytest.mark.parametrize(
    ("ends_in", "is_told"),
    [
        pytest.param(7200.0, True, id="it is to come"),
        pytest.param(-LEEWAY - 1, False, id="it has passed: a node that is away ends no pod"),
        pytest.param(None, False, id="there is none"),
    ],
)
async def test_a_latest_time(ends_in: float | None, *, is_told: bool) -> None:
    ends_by = None if ends_in is None else time.time() + ends_in
    line = Line(a_node(gpus=1), a_pod(gpus=1, ends_by=ends_by))
    places = await line.look("first", "second")
    assert places["first"].by == (ends_by + LEEWAY if is_told and ends_by is not None else None)
    assert places["second"].by is None


async def test_of_who_is_held_up_by_something_else_nothing_is_kept_or_told() -> None:
    line = Line(a_node(gpus=1), a_pod(gpus=1, ends_by=time.time() + 60))
    place = line.place("over quota")
    place.take(-1.0, line.offer, 9)
    assert (await place.look(line.denied())).by is None
    assert line.waiter("over quota").is_held_up
    assert line.waiter("over quota").pod is None
    [found] = (await line.look("another")).values()
    assert found.number == 1
    assert found.by is None, "those before may be held up no longer"
    assert (await place.look(line.offer)).by is not None
    assert not line.waiter("over quota").is_held_up


async def test_a_node_is_chosen_again_when_the_others_have_changed() -> None:
    known = a_pod("known", gpus=1, ends_by=time.time() + 60)
    line = Line(*(a_node(name, gpus=1) for name in ("n1", "n2")), known, a_pod(node="n2", gpus=1))
    place = line.place("second")
    place.take(1.0, line.offer, 9)
    await line.look("first")
    await place.look(line.offer)
    assert [line.waiter(name).node for name in ("first", "second")] == ["n1", "n2"]
    line.place("first").leave()
    assert (await place.look(line.offer)).number == 1
    assert line.waiter("second").node == "n1"


async def test_a_node_is_chosen_again_when_it_is_gone_or_can_not_come_to_take_the_pod() -> None:
    line = Line(
        a_node("n1", gpus=1), a_node("n2", gpus=1), a_pod(gpus=1), a_pod("b", node="n2", gpus=1)
    )
    place = line.place("first")
    place.take(1.0, line.offer, 9)
    await place.look(line.offer)
    assert line.waiter("first").node == "n1"
    line.cluster.index.put_node(a_node("n1", gpus=1, unschedulable=True))
    await place.look(line.offer)
    assert line.waiter("first").node == "n2"
    line.cluster.index.drop_node("n2", "uid-of-n2")
    await place.look(line.offer)
    assert line.waiter("first").node == ""


async def test_who_has_no_node_looks_for_one_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(a_node("n1", gpus=1), a_pod(gpus=1))
    places = {name: line.place(name) for name in ("first", "second")}
    for since, place in enumerate(places.values()):
        place.take(since, line.offer, 9)
        await place.look(line.offer)
    await places["second"].look(line.offer)
    assert line.waiter("second").node == ""
    line.cluster.index.put_node(a_node("n2", gpus=1))
    await places["second"].look(line.offer)
    assert line.waiter("second").node == "", "all nodes would have to be examined at each look"
    monkeypatch.setattr(in_line, "_CHOOSE_AGAIN", 0.0)
    await places["second"].look(line.offer)
    assert line.waiter("second").node == "n2"


async def test_who_leaves_tells_the_others_and_nobody_else_does() -> None:
    line = Line(a_node(gpus=1), a_pod(gpus=1))
    await line.look("first", "second")
    news = asyncio.create_task(line.cluster.news(30))
    await asyncio.sleep(0)
    line.place("a passer-by").leave()
    await asyncio.sleep(0)
    assert not news.done()
    line.place("first").leave()
    await news
    assert (await line.place("second").look(line.offer)).number == 1


async def test_while_the_cluster_is_not_known_it_says_so() -> None:
    line = Line(a_node(gpus=1), a_pod(gpus=1))
    line.cluster.freshness_now = Freshness("stale", age=60.0)
    [place] = (await line.look("first")).values()
    assert not place.is_live


async def test_choosing_among_many_nodes_gives_the_others_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_line, "_SLICE", 0.0)
    line = Line(*(a_node(f"n{n}", gpus=1) for n in range(90)))
    looking = asyncio.create_task(line.look("first"))
    turns = 0
    while not looking.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 4


async def test_who_comes_behind_makes_nobody_choose_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(*FULL)
    place = line.place("first")
    place.take(1.0, line.offer, 9)
    await place.look(line.offer)
    line.place("second").take(2.0, line.offer, 9)
    monkeypatch.setattr(in_line, "choosing", None)
    await place.look(line.offer)


async def test_who_was_behind_somebody_that_left_takes_the_better_node() -> None:
    ends = (time.time() + 60, time.time() + 600)
    line = Line(
        *(a_node(name, gpus=1) for name in ("n1", "n2")),
        a_pod("on-n1", node="n1", gpus=1, ends_by=ends[0]),
        a_pod("on-n2", node="n2", gpus=1, ends_by=ends[1]),
    )
    places = {name: line.place(name) for name in ("first", "second")}
    for since, place in enumerate(places.values()):
        place.take(since, line.offer, 9)
        await place.look(line.offer)
    assert line.waiter("second").node == "n2"
    places["first"].leave()
    await places["second"].look(line.offer)
    assert line.waiter("second").node == "n1"


async def test_what_is_waited_for_may_be_changed_meanwhile() -> None:
    line = Line(*FULL)
    place = line.place("first")
    place.take(1.0, line.offer, 9)
    await place.look(line.offer)
    assert line.offer.plan is not None
    request = replace(line.offer.plan.request, requests={"nvidia.com/gpu": 2})
    changed = replace(line.offer, plan=replace(line.offer.plan, request=request))
    await place.look(changed)
    assert line.waiter("first").request == request
    assert line.waiter("first").node == "", "no node has two"


async def test_who_is_over_a_quota_that_is_known_is_held_up() -> None:
    line = Line(*FULL)
    place = line.place("first")
    place.take(1.0, line.offer, 9)
    assert line.offer.verdict is not None
    verdict = msgspec.structs.replace(line.offer.verdict, refusal="exceeded quota")
    await place.look(replace(line.offer, verdict=verdict))
    assert line.waiter("first").is_held_up
