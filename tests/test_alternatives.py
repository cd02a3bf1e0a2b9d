"""What is offered instead is what comes nearest, of what can be started."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gpuspawner.alternatives import nearest
from gpuspawner.offers import Offer, Standing, offers_in
from gpuspawner.wording import instead

from .builders import LIVE, a_catalog, a_node, a_pod, a_profile, a_situation

MIG, L4 = "nvidia.com/mig-1g.5gb", "example.com/l4"
CATALOG = a_catalog(
    a_profile("one"),
    a_profile("two", count=2),
    a_profile("slice", accelerator="slice"),
    a_profile("other", accelerator="l4"),
    a_profile("careful", count=2, fallbacks=["slice", "cpu"]),
    accelerators={
        "a100": {"title": "A100", "resource": "nvidia.com/gpu", "memory": "40Gi"},
        "slice": {"title": "Slice", "resource": MIG, "memory": "5Gi", "sharing": "mig"},
        "l4": {"title": "L4", "resource": L4, "memory": "24Gi"},
    },
)


def offers(*, gpus: int = 0, slices: int = 0, l4: int = 0, cpu: str = "8") -> dict[str, Offer]:
    """What is offered where so many of so many devices are free, in the catalog's order."""
    allocatable = {"nvidia.com/gpu": 4, MIG: 4, L4: 4}
    free = {"nvidia.com/gpu": gpus, MIG: slices, L4: l4}
    held = {resource: allocatable[resource] - left for resource, left in free.items()}
    node = a_node("n1", cpu=cpu, allocatable=allocatable)
    situation = a_situation(CATALOG, node, a_pod("others", node="n1", requests=held))
    return {offer.profile.slug: offer for offer in offers_in(situation)}


@pytest.mark.parametrize(
    ("free", "wanted", "expected"),
    [
        pytest.param({"gpus": 1, "l4": 4}, "two", "one", id="fewer of the same"),
        pytest.param({"l4": 1, "slices": 1}, "one", "other", id="what is closest in memory"),
        pytest.param({"gpus": 1, "slices": 1}, "careful", "slice", id="what the profile names"),
        pytest.param({"gpus": 1}, "careful", "cpu", id="the second that the profile names"),
        pytest.param({"slices": 1}, "one", "slice", id="a slice rather than none"),
        pytest.param({}, "one", "cpu", id="no device rather than nothing"),
        pytest.param({"gpus": 4, "slices": 4}, "cpu", "slice", id="no device: the smallest"),
        pytest.param({"gpus": 4}, None, "cpu", id="who wants what there is not has the first"),
    ],
)
def test_nearest(free: dict[str, Any], wanted: str | None, expected: str) -> None:
    found = offers(**free)
    offer = nearest(None if wanted is None else found[wanted], found.values())
    assert offer is not None
    assert offer.profile.slug == expected


@pytest.mark.parametrize(
    ("fallbacks", "fault"),
    [
        pytest.param(["gpu"], "fallbacks[0]: 'gpu' is this profile; name another", id="itself"),
        pytest.param(["cpus"], "no profile 'cpus'; did you mean 'cpu'?", id="unknown"),
        pytest.param(["cpu", "cpu"], "fallbacks[1]: the profile 'cpu' is listed twice", id="twice"),
    ],
)
def test_a_fallback_must_be_another_profile(fallbacks: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        a_catalog(a_profile("gpu", fallbacks=fallbacks))


def test_what_is_not_known_to_fit_is_no_alternative() -> None:
    stale = a_situation(CATALOG, a_node(), freshness=LIVE.__class__("stale", age=600.0))
    found = offers_in(stale)
    assert {offer.standing for offer in found} == {Standing.UNKNOWN}
    assert nearest(found[0], found) is None
    assert instead(None) == "Nothing else can be started at the moment; try again later."


def test_it_is_named_with_where_it_stands() -> None:
    found = offers(slices=3)
    assert instead(found["slice"]) == (
        "The nearest that can be started is Slice (3 of 4 free, on 1 node)."
    )
