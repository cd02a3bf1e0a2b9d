"""The state of the watches, and the manifest that grants what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from gpuspawner.capacity.freshness import Freshness, Permission, State
from gpuspawner.capacity.kinds import Purpose
from gpuspawner.cluster import Watched
from gpuspawner.cluster.saying import interruptions_in_words, kind_in_words
from gpuspawner.cluster.watches import granting, kinds_of
from gpuspawner.rights import Grant

LIVE = Watched(Freshness("live", age=2.04))
NOT_SERVED = Watched(Freshness("starting"), served=False)


def refused(resource: str, *verbs: str) -> Watched:
    missing = tuple(Permission(verb, resource) for verb in verbs)
    return Watched(Freshness("denied", missing=missing, last_error="list: 403"))


@pytest.mark.parametrize(
    ("watched", "words"),
    [
        pytest.param(LIVE, "watched", id="live"),
        pytest.param(Watched(Freshness("stale", age=90)), "does not answer", id="stale"),
        pytest.param(Watched(Freshness("starting")), "not read yet", id="before the first list"),
        pytest.param(NOT_SERVED, "not served by this cluster", id="not served"),
        pytest.param(
            refused("pods", "list", "watch"), "not allowed: list and watch", id="not allowed"
        ),
        pytest.param(
            Watched(Freshness("live", age=1, unreadable=1)),
            "watched; 1 object cannot be read",
            id="an object that cannot be read",
        ),
    ],
)
def test_a_watch_in_words(watched: Watched, words: str) -> None:
    (kind,) = kinds_of({"pods": watched})
    assert kind_in_words(kind) == words


@pytest.mark.parametrize(
    ("lists", "failures", "words"),
    [
        pytest.param(0, 0, "none", id="before the first list"),
        pytest.param(1, 0, "none", id="the first list is no interruption"),
        pytest.param(2, 0, "read anew 1 time", id="once more"),
        pytest.param(4, 1, "read anew 3 times, 1 attempt failed", id="and a failure"),
        pytest.param(0, 2, "2 attempts failed", id="nothing but failures"),
    ],
)
def test_how_often_a_watch_was_interrupted(lists: int, failures: int, words: str) -> None:
    watched = Watched(Freshness("live", age=1), lists=lists, failures=failures)
    (kind,) = kinds_of({"pods": watched})
    assert interruptions_in_words(kind) == words


@pytest.mark.parametrize("state", ["stale", "denied", "starting"])
def test_none_is_not_said_while_something_is_amiss(state: State) -> None:
    (kind,) = kinds_of({"pods": Watched(Freshness(state))})
    assert interruptions_in_words(kind) == "\N{EN DASH}"


def test_what_is_not_served_cannot_be_interrupted() -> None:
    (kind,) = kinds_of({"csinodes": replace(NOT_SERVED, failures=4)})
    assert interruptions_in_words(kind) == "\N{EN DASH}"


def test_nothing_is_granted_where_nothing_needed_is_missing() -> None:
    watches = {"nodes": LIVE, "csinodes": refused("csinodes", "list"), "resourceslices": NOT_SERVED}
    assert granting(kinds_of(watches, [Purpose.QUOTAS]), Grant()) == ""


def test_the_manifest_grants_what_is_missing_and_takes_nothing_away() -> None:
    watches = {
        "nodes": LIVE,
        "pods": refused("pods", "watch"),
        "resourcequotas": refused("resourcequotas", "list"),
        "persistentvolumes": LIVE,
        "configmaps": refused("configmaps", "list"),
    }
    text = granting(kinds_of(watches, [Purpose.QUOTAS]), Grant("ns", "our-hub", "of-us"))
    role, binding = yaml.safe_load_all(text)
    granted = {name for rule in role["rules"] for name in rule["resources"]}
    assert {"nodes", "pods", "resourcequotas", "persistentvolumes"} <= granted
    # Refused, and nothing needs it.
    assert "configmaps" not in granted
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "our-hub", "namespace": "ns"}]
