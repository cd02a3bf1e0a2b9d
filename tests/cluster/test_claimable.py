"""Devices of Dynamic Resource Allocation beside their nodes: named, counted as far as known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import a_catalog, a_cluster, a_node
from tests.devices import DRIVER, a_claim, a_device, a_slice, asks, devices

from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.cluster import Cluster, Look, Watched, cluster_of, picture_of
from gpuspawner.rights import Grant

from .test_grouping import LIVE, MOMENT

STALE = Freshness("stale", age=300)
TWO_IN_USE = a_claim(asks(2), holds=["gpu-0", "gpu-1"])


def said(
    *things: Any,
    unknown: tuple[str, ...] = (),
    freshness: Freshness = LIVE,
    slices: Freshness = LIVE,
    claims: Freshness = LIVE,
) -> Cluster:
    watches = {"resourceslices": Watched(slices), "resourceclaims": Watched(claims)}
    snapshot = a_cluster(a_node("n1"), *things, unknown=unknown)
    return cluster_of(
        Look(MOMENT, snapshot, freshness, (), watches, {}, None, homes=False, grant=Grant())
    )


def words(cluster: Cluster) -> list[str]:
    return [
        line for group in picture_of(cluster).groups for row in group.rows for line in row.claimable
    ]


FOUR = a_slice(*devices(4))
HOW_MANY = f"devices of {DRIVER} served by DRA; how many is not known"
IN_USE = f"4 devices of {DRIVER} served by DRA; how many are in use is not known"


@pytest.mark.parametrize(
    ("things", "known", "expected"),
    [
        pytest.param((FOUR,), {}, f"4 devices of {DRIVER} served by DRA, 0 in use", id="no claim"),
        pytest.param(
            (FOUR, TWO_IN_USE), {}, f"4 devices of {DRIVER} served by DRA, 2 in use",
            id="a claim has some",
        ),
        pytest.param(
            (FOUR, a_claim(asks(2))), {}, f"4 devices of {DRIVER} served by DRA, 0 in use",
            id="a claim has got nothing yet",
        ),
        pytest.param((FOUR,), {"unknown": ("resource_claims",)}, IN_USE, id="claims are hidden"),
        pytest.param((FOUR, TWO_IN_USE), {"claims": STALE}, IN_USE, id="claims are old"),
        pytest.param((FOUR, TWO_IN_USE), {"slices": STALE}, IN_USE, id="slices are old"),
        pytest.param((FOUR, TWO_IN_USE), {"freshness": STALE}, IN_USE, id="nodes are old"),
        pytest.param((a_slice(*devices(4), slices=2),), {}, HOW_MANY, id="a slice is missing"),
        pytest.param(
            (a_slice(a_device(allowMultipleAllocations=True)),), {}, HOW_MANY,
            id="devices that several claims can have",
        ),
        pytest.param(
            (a_slice(*devices(9), name="old"), a_slice(*devices(4), name="new", generation=2)), {},
            f"4 devices of {DRIVER} served by DRA, 0 in use", id="an older generation beside it",
        ),
    ],
)  # fmt: skip
def test_the_devices_of_a_node(things: tuple[Any, ...], known: Any, expected: str) -> None:
    found = said(*things, **known)
    assert words(found) == [expected]
    assert found.claims_hidden


def test_a_node_of_such_devices_alone_is_among_those_with_devices_and_never_full() -> None:
    found = said(FOUR, a_claim(asks(4), holds=[f"gpu-{number}" for number in range(4)]))
    (group,) = picture_of(found).groups
    assert (group.title, group.full_count, group.rows[0].notes) == (DRIVER, 0, ())
    assert found.plain is not None
    assert found.plain.nodes == 0


def refused() -> Watched:
    return Watched(Freshness("denied", missing=(Permission("list", "resourceslices"),)))


@pytest.mark.parametrize(
    ("watched", "unknown", "expected"),
    [
        pytest.param(Watched(LIVE), ("slices",), True, id="one of them cannot be read"),
        pytest.param(Watched(Freshness("starting")), ("slices",), True, id="not listed for long"),
        pytest.param(refused(), ("slices",), True, id="hidden, though the catalog may need them"),
        pytest.param(Watched(LIVE), (), False, id="there are none"),
        pytest.param(Watched(LIVE, served=False), ("slices",), False, id="nobody serves any"),
        pytest.param(None, ("slices",), False, id="nothing is watched as yet"),
    ],
)
def test_a_node_may_have_devices_that_are_not_known(
    watched: Watched | None, unknown: tuple[str, ...], *, expected: bool
) -> None:
    watches = {} if watched is None else {"resourceslices": watched}
    snapshot = a_cluster(a_node("n1"), unknown=unknown)
    look = Look(MOMENT, snapshot, LIVE, (), watches, {}, None, homes=False, grant=Grant())
    assert cluster_of(look).claims_unknown is expected
    # Where nothing in the catalog asks for them, nobody has to grant the right.
    let_be = replace(look, catalog=a_catalog(), watches={"resourceslices": refused()})
    assert not cluster_of(let_be).claims_unknown


def test_devices_of_no_one_node_are_named_by_their_driver_alone() -> None:
    found = said(a_slice(*devices(2), allNodes=True, pool="net"))
    assert (found.shared_drivers, words(found)) == ((DRIVER,), [])
