"""What two pods may take from each other besides room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuspawner.capacity.assumed import as_assumed
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import CSIDriver, PodRequest
from gpuspawner.fit import fits_somewhere, fits_wherever, judge

from ..builders import a_cluster, a_node
from ..storage_builders import (
    DRIVER,
    ZONE,
    a_bound_claim,
    a_claim,
    a_class,
    a_new_claim,
    a_volume,
    a_zonal_node,
    in_zones,
    mounting,
)

STATIC = "kubernetes.io/no-provisioner"
WAITING = a_class(provisioner=STATIC)
AT_ONCE = a_class(provisioner=STATIC, waits=False)


def a_server(number: int, *claims: str, **fields: Any) -> PodRequest:
    return replace(mounting(*claims, **fields), name=f"server-{number}")


def of_two(things: Iterable[Any], one: PodRequest, other: PodRequest) -> str:
    """How `one` stands while `other` is being started."""
    bare = a_cluster(*things)
    claim = as_assumed(other, "", frozenset(judge(other, bare).nodes))
    snapshot: Snapshot = replace(bare, assumed=(claim,))
    verdict = judge(one, snapshot)
    if verdict.fits and fits_wherever(one, snapshot, verdict, judge):
        return "sure"
    return "open" if verdict.fits or fits_somewhere(one, snapshot, judge) else "none"


MINE, THEIRS = a_claim("mine"), a_claim("theirs")


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        pytest.param([WAITING, a_volume("a")], "open", id="one volume for two claims"),
        pytest.param([WAITING, a_volume("a"), a_volume("b")], "sure", id="one for each"),
        pytest.param(
            [WAITING, a_volume("a"), a_volume("b", access_modes=("ReadWriteMany",))],
            "open",
            id="one for each, of which none may use the second",
        ),
        pytest.param(
            [WAITING, a_volume("a"), a_volume("b", claim=("jhub", "theirs", ""))],
            "sure",
            id="one is kept for the other",
        ),
        pytest.param([a_class(), a_volume("a")], "sure", id="a driver makes more of them"),
        pytest.param(
            [a_class(topologies=(in_zones("z")[0].labels,)), a_volume("a")],
            "open",
            id="a driver makes more of them, but not everywhere",
        ),
        pytest.param(
            [a_class(), CSIDriver(DRIVER, "u", tracks_capacity=True), a_volume("a")],
            "open",
            id="a driver may make more of them, if it has room",
        ),
        pytest.param(
            [
                WAITING,
                a_zonal_node("n2", "z"),
                a_volume("a", affinity=in_zones("z")),
                a_volume("b", affinity=in_zones("z")),
            ],
            "open",
            id="one for each, but of one place only",
        ),
    ],
)
def test_claims_that_are_there_compete_for_volumes(things: list[Any], expected: str) -> None:
    things = [a_node("n1", labels={ZONE: "y"}), MINE, THEIRS, *things]
    if not any(isinstance(thing, CSIDriver) for thing in things):
        things.append(CSIDriver(DRIVER, "u"))
    assert of_two(things, a_server(1, "mine"), a_server(2, "theirs")) == expected


@pytest.mark.parametrize(
    ("cls", "volumes", "expected"),
    [
        pytest.param(WAITING, 1, "open", id="one volume, of a class that waits"),
        pytest.param(AT_ONCE, 1, "open", id="one volume, of a class that does not"),
        pytest.param(AT_ONCE, 2, "sure", id="one for each, of a class that does not"),
    ],
)
def test_claims_that_are_made_with_the_pods_compete_too(
    cls: Any, volumes: int, expected: str
) -> None:
    things = [a_node(), cls, *(a_volume(f"v{number}") for number in range(volumes))]
    servers = (a_server(n, to_make=[a_new_claim(f"home-{n}")]) for n in (1, 2))
    assert of_two(things, *servers) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(a_server(2), "sure", id="who mounts nothing"),
        pytest.param(a_server(2, "bound"), "sure", id="whose claim is bound"),
        pytest.param(a_server(2, "mine"), "open", id="who mounts the same claim"),
        pytest.param(a_server(2, "large"), "sure", id="whose claim is larger than each"),
    ],
)
def test_whoever_takes_none_of_the_volumes_is_not_in_the_way(
    other: PodRequest, expected: str
) -> None:
    things = [
        a_node(),
        WAITING,
        MINE,
        a_bound_claim("bound", "pv"),
        a_claim("large", size=2**50),
        a_volume("pv", claim=("jhub", "bound", ""), phase="Bound", storage_class="b"),
        a_volume("a"),
    ]
    assert of_two(things, a_server(1, "mine"), other) == expected


SIZES = st.sampled_from([10, 20, 30])


@settings(max_examples=100, deadline=None)
@given(st.lists(SIZES, max_size=5), st.lists(SIZES, min_size=1, max_size=3))
def test_whoever_is_sure_of_a_volume_has_one_whoever_comes_first(
    offered: list[int], asked: list[int]
) -> None:
    volumes = [a_volume(f"v{n}", capacity=size) for n, size in enumerate(offered)]
    claims = [a_claim(f"c{n}", size=size) for n, size in enumerate(asked)]
    servers = [a_server(n, claim.name) for n, claim in enumerate(claims)]
    bare = a_cluster(a_node(), WAITING, *volumes, *claims)
    others = tuple(as_assumed(server, "n1", frozenset({"n1"})) for server in servers[1:])
    snapshot = replace(bare, assumed=others)
    verdict = judge(servers[0], snapshot)
    if verdict.fits and fits_wherever(servers[0], snapshot, verdict, judge):
        rivals = [size for size in asked[1:] if is_offered(size, offered)]
        assert all(all_are_served(offered, order) for order in permutations([asked[0], *rivals]))


def is_offered(size: int, offered: Iterable[int]) -> bool:
    return any(size <= volume for volume in offered)


def all_are_served(offered: list[int], order: Sequence[int]) -> bool:
    """Whether each finds a volume, whichever those before it took."""
    if not order:
        return True
    large_enough = [size for size in offered if size >= order[0]]
    return bool(large_enough) and all(
        all_are_served(without(offered, size), order[1:]) for size in set(large_enough)
    )


def without(sizes: list[int], size: int) -> list[int]:
    rest = sizes.copy()
    rest.remove(size)
    return rest
