"""What is counted, and under which labels."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from kubernetes_asyncio.client import ApiException

import gpuspawner
from gpuspawner.catalog import Catalog, Profile, with_profile_list
from gpuspawner.metrics import Counts, families
from gpuspawner.offers import offers_in
from gpuspawner.refusals import SIGN_IN_ENDED, SIGN_IN_UNANSWERED, SpawnRefusedError

from ..builders import a_catalog, a_node, a_profile, a_situation

CATALOG = a_catalog(a_profile("gpu"), a_profile("gone"))
SOURCES = Path(gpuspawner.__file__).parent


def profile(slug: str, catalog: Catalog = CATALOG) -> Profile:
    return next(one for one in catalog.profiles if one.slug == slug)


def samples(counts: Counts) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in counts.collect()
        for sample in metric.samples
        if sample.value
    }


def start(
    counts: Counts,
    error: BaseException | None = None,
    *,
    slug: str | None = "gpu",
    made_pod: bool = False,
    is_undecided: bool = False,
) -> None:
    asked = None if slug is None else profile(slug)
    with counts.start(
        asked, time.time() - 42, made_pod=lambda: made_pod, is_undecided=lambda: is_undecided
    ):
        if error is not None:
            raise error


REFUSED = SpawnRefusedError(503, "busy", "words that nobody may read here")


@pytest.mark.parametrize(
    ("error", "facts", "outcome", "reason"),
    [
        pytest.param(None, {}, "started", "", id="started"),
        pytest.param(REFUSED, {}, "refused", "busy", id="busy"),
        pytest.param(
            REFUSED, {"is_undecided": True}, "refused", "undecided", id="others decide by their way"
        ),
        pytest.param(
            SpawnRefusedError(503, "image", ""), {"made_pod": True}, "failed", "image", id="image"
        ),
        pytest.param(
            SpawnRefusedError(403, "not-allowed", ""), {"slug": None}, "refused", "not-allowed",
            id="nothing that they may have",
        ),
        pytest.param(
            SpawnRefusedError(503, "of-a-subclass", ""), {}, "refused", "other", id="unheard of"
        ),
        pytest.param(SpawnRefusedError(409, "cancelled", ""), {}, "cancelled", "", id="cancelled"),
        pytest.param(asyncio.CancelledError(), {}, "cancelled", "", id="the hub stops"),
        pytest.param(ApiException(500), {}, "failed", "", id="a fault"),
    ],
)  # fmt: skip
def test_a_start_is_counted_once_by_how_it_ends(
    error: BaseException | None, facts: dict[str, object], outcome: str, reason: str
) -> None:
    counts = Counts()
    if error is None:
        start(counts)
    else:
        with pytest.raises(type(error)):
            start(counts, error, **facts)  # type: ignore[arg-type]
    found = samples(counts)
    label = "" if facts.get("slug", "gpu") is None else "gpu"
    starts = {key: value for key, value in found.items() if key[0] == "gpuspawner_starts_total"}
    assert starts == {("gpuspawner_starts_total", label, outcome): 1}
    refusals = {key[1]: value for key, value in found.items() if "refusals" in key[0]}
    assert refusals == ({reason: 1} if reason else {})
    seconds = found.get(("gpuspawner_start_duration_seconds_sum", "gpu"))
    assert seconds is None if error else seconds == pytest.approx(42, abs=5)


def test_each_code_of_a_refusal_is_among_the_reasons() -> None:
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    codes = re.findall(r'(?:SpawnRefusedError\(\s*\d+,|Hopeless\()\s*"([a-z-]+)"', text)
    codes += ["never-fits", "quota", "not-allowed", "misconfigured", "deleted"]
    codes += [SIGN_IN_ENDED, SIGN_IN_UNANSWERED]
    assert len(codes) > 15
    assert set(codes) - {"cancelled"} <= set(families.REASONS)


def test_each_offer_is_counted_by_where_it_stood() -> None:
    counts = Counts()
    counts.shown(offers_in(a_situation(CATALOG, a_node("n", gpus=1))))
    name = "gpuspawner_offers_shown_total"
    assert {key: value for key, value in samples(counts).items() if key[0] == name} == {
        (name, "cpu", "free"): 1,
        (name, "gpu", "free"): 1,
        (name, "gone", "free"): 1,
    }


def series(counts: Counts) -> Iterable[str]:
    return {
        sample.labels["profile"]
        for metric in counts.collect()
        for sample in metric.samples
        if "profile" in sample.labels
    }


def test_the_series_of_a_profile_go_with_it() -> None:
    counts = Counts()
    for slug in ("gpu", "gone"):
        start(counts, slug=slug)
        counts.waited(profile(slug), 5)
    assert series(counts) == {"gpu", "gone"}
    counts.keep(["cpu", "gpu"])
    # One that is there from the start has a zero to rise from.
    assert series(counts) == {"cpu", "gpu"}
    counts.keep(["cpu", "gpu", "gone"])
    assert ("gpuspawner_starts_total", "gone", "started") not in samples(counts)


def test_hostile_lists_make_few_labels() -> None:
    counts = Counts()
    for number in range(1000):
        listed = [{"display_name": f'"}} evil {number}\n', "kubespawner_override": {}}]
        for one in with_profile_list(listed, None).catalog.profiles:
            counts.waited(one, 1)
    # Those of the catalog have places of their own.
    start(counts)
    labels = set(series(counts))
    assert len(labels) == families.MOST_LISTED + 2
    assert {families.OTHER, "gpu"} <= labels
    counts.keep(["gpu"])
    assert len(set(series(counts))) == families.MOST_LISTED + 2


def test_a_catalog_of_a_thousand_profiles_makes_few_labels() -> None:
    counts = Counts()
    slugs = [f"p{number}" for number in range(1000)]
    counts.keep(slugs)
    assert len(set(series(counts))) == families.MOST_PROFILES + 1
    counts.keep(slugs[:3])
    assert set(series(counts)) <= {*slugs[:3], families.OTHER}


def test_names_and_helps_are_as_prometheus_wants_them() -> None:
    names = [family.name for family in families.FAMILIES]
    assert len(set(names)) == len(names)
    for family in families.FAMILIES:
        assert re.fullmatch(r"gpuspawner_[a-z_]+[a-z]", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert (family.kind == "histogram") == bool(family.buckets)
        assert family.help.endswith(".")
        if family.kind == "histogram":
            assert family.name.endswith("_seconds")
