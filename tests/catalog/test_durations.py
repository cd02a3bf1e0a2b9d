"""How long a server may run, as an admin writes it and as a pod has it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import a_catalog, a_node, a_profile, a_situation

from gpuspawner.catalog import duration_seconds
from gpuspawner.form import Preselection, render
from gpuspawner.offers import Offer, offers_in
from gpuspawner.wording import lasting


def the_offer(base: dict[str, Any] | None = None, **fields: Any) -> Offer:
    catalog = a_catalog(a_profile("gpu", **fields))
    [offer] = (
        offer
        for offer in offers_in(a_situation(catalog, a_node(gpus=1), base=base))
        if offer.profile.slug == "gpu"
    )
    return offer


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        pytest.param("90m", 5_400, "1 hour 30 minutes", id="minutes"),
        pytest.param("8h", 28_800, "8 hours", id="hours"),
        pytest.param("1d", 86_400, "1 day", id="a day"),
        pytest.param("1d 12h", 129_600, "1 day 12 hours", id="with a space"),
        pytest.param("1d12h1m", 129_660, "1 day 12 hours 1 minute", id="without one"),
    ],
)
def test_a_duration(text: str, seconds: int, words: str) -> None:
    assert duration_seconds(text) == seconds
    assert lasting(text) == words
    offer = the_offer(session_limit=text)
    assert offer.plan is not None
    assert offer.plan.manifest["spec"]["activeDeadlineSeconds"] == seconds
    assert offer.plan.settings["extra_pod_config"] == {"activeDeadlineSeconds": seconds}
    assert f"ends after {words}" in render([offer], Preselection())


@pytest.mark.parametrize(
    "text", ["8", 8, "", "0m", "8 hours", "h8", "-1h", "12h 1d", None, "9" * 9]
)
def test_what_is_no_duration(text: object) -> None:
    if text is None:
        assert the_offer(session_limit=None).profile.session_limit is None
        return
    with pytest.raises(ValueError, match="90m, 8h or 1d 12h"):
        a_catalog(a_profile("gpu", session_limit=text))


def test_without_a_limit_the_hubs_own_stays() -> None:
    offer = the_offer({"extra_pod_config": {"activeDeadlineSeconds": 60}})
    assert offer.plan is not None
    assert offer.plan.manifest["spec"]["activeDeadlineSeconds"] == 60
    assert "ends after" not in render([offer], Preselection())


def test_the_profile_wins_over_the_hub_and_keeps_the_rest() -> None:
    base = {"extra_pod_config": {"activeDeadlineSeconds": 60, "hostname": "lab"}}
    offer = the_offer(base, session_limit="1h")
    assert offer.plan is not None
    spec = offer.plan.manifest["spec"]
    assert (spec["activeDeadlineSeconds"], spec["hostname"]) == (3_600, "lab")
    assert base["extra_pod_config"]["activeDeadlineSeconds"] == 60


def test_it_is_said_in_one_place() -> None:
    override = {"extra_pod_config": {"activeDeadlineSeconds": 7}}
    with pytest.raises(ValueError, match="session_limit says this already"):
        the_offer(session_limit="1h", kubespawner_override=override)


def test_a_hub_that_spells_it_otherwise_does_not_lengthen_it() -> None:
    offer = the_offer({"extra_pod_config": {"active_deadline_seconds": 60}}, session_limit="1h")
    assert offer.plan is not None
    assert offer.plan.manifest["spec"]["activeDeadlineSeconds"] == 3_600
