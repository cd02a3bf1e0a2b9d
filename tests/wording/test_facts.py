"""What is said of a profile, whether it can be started or not."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from gpuspawner.language import LANGUAGES, speaking
from gpuspawner.offers import Offer, offers_in
from gpuspawner.wording import (
    AfterStop,
    granted,
    home,
    named,
    session,
    sharing,
    spelled,
    unbroken,
    volume,
)

from ..builders import GPU, a_catalog, a_node, a_profile, a_situation

NO_BREAK = "\N{NO-BREAK SPACE}"


def an_offer(base: dict[str, Any] | None = None, count: int = 1, **accelerator: Any) -> Offer:
    a100 = {"title": "A100", "resource": GPU, "fail_requests_greater_than_one": False}
    if accelerator.get("sharing") != "time-slicing":
        del a100["fail_requests_greater_than_one"]
    catalog = a_catalog(a_profile(count=count), accelerators={"a100": {**a100, **accelerator}})
    return offers_in(a_situation(catalog, a_node(gpus=4), base=base))[1]


@pytest.mark.parametrize(
    ("accelerator", "english", "german"),
    [
        pytest.param({}, "yours alone", "für Sie allein", id="a device of one's own"),
        pytest.param(
            {"count": 2},
            "all on one node, yours alone",
            "alle auf einem Knoten, für Sie allein",
            id="two of one's own",
        ),
        pytest.param(
            {"sharing": "mig"},
            "part of a GPU, isolated from its neighbours",
            "Teil einer GPU, von den Nachbarn isoliert",
            id="a slice",
        ),
        pytest.param(
            {"sharing": "mig", "count": 2},
            "parts of GPUs, isolated from their neighbours",
            "Teile von GPUs, von den Nachbarn isoliert",
            id="two slices",
        ),
        pytest.param(
            {"sharing": "time-slicing"},
            "shared with others by taking turns, no memory isolation",
            "abwechselnd mit anderen geteilt, Speicher nicht isoliert",
            id="turns, with nobody knows how many",
        ),
        pytest.param(
            {"sharing": "time-slicing", "shared_by": 4},
            "shared with up to 3 others by taking turns, no memory isolation",
            "abwechselnd mit bis zu 3 anderen geteilt, Speicher nicht isoliert",
            id="turns, with a few",
        ),
        pytest.param(
            {"sharing": "mps", "shared_by": 2},
            "shared with up to 1 other at the same time, limited isolation: "
            "an error of one can stop all",
            "gleichzeitig mit bis zu 1 anderen geteilt, nur begrenzt isoliert: "
            "ein Fehler bei einem kann alle beenden",
            id="at the same time",
        ),
    ],
)
def test_whose_the_devices_are(accelerator: dict[str, Any], english: str, german: str) -> None:
    offer = an_offer(**accelerator)
    assert sharing(offer) == english
    with speaking("de"):
        assert sharing(offer) == german


@pytest.mark.parametrize(
    ("after_stop", "words"),
    [
        ("kept", "data: kept when the server stops"),
        ("gone", "data: emptied when the server stops"),
        (
            "stays-on-its-node",
            "data: stays on its node, and your next server may run on another",
        ),
    ],
)
def test_what_becomes_of_a_volume(after_stop: AfterStop, words: str) -> None:
    assert volume("data", after_stop, read_only=False) == words
    assert volume("data", after_stop, read_only=True) == "data: read-only"


def test_each_fate_of_a_volume_has_words_of_its_own() -> None:
    for language in LANGUAGES:
        with speaking(language):
            said = {volume("{x}", fate, read_only=False) for fate in get_args(AfterStop)}
        assert len(said) == len(get_args(AfterStop))
        assert all(words.startswith("{x}: ") for words in said), "a name is put in as it is"


def test_the_home_directory_is_spoken_of_where_it_is_surely_kept() -> None:
    base = {
        "volumes": [{"name": "home", "nfs": {"server": "s", "path": "/e"}}],
        "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan"}],
    }
    assert home(an_offer(base)) == "your home directory: kept when the server stops"
    assert home(an_offer()) == ""


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        pytest.param("everyone", "", id="everyone"),
        pytest.param("group hpc users", "Granted by the group hpc users", id="a group"),
        pytest.param("user ada", "Granted to ada by name", id="a person"),
    ],
)
def test_by_what_it_is_granted(grant: str, words: str) -> None:
    assert granted(grant) == words


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        pytest.param(0, "1 minute", "1 Minute", id="never nothing"),
        pytest.param(61, "2 minutes", "2 Minuten", id="begun minutes count"),
        pytest.param(129_600, "1 day 12 hours", "1 Tag 12 Stunden", id="no unit that is nothing"),
        pytest.param(180_060, "2 days 2 hours 1 minute", "2 Tage 2 Stunden 1 Minute", id="all"),
    ],
)
def test_a_length_of_time(seconds: float, english: str, german: str) -> None:
    assert spelled(seconds) == english
    with speaking("de"):
        assert spelled(seconds) == german


def test_a_limit_says_what_is_lost() -> None:
    assert session("8h") == "ends after 8 hours; unsaved work is lost"
    with speaking("de"):
        assert session("2d") == "läuft höchstens 2 Tage; nicht Gespeichertes geht verloren"


@pytest.mark.parametrize(
    ("resource", "amount", "words"),
    [
        ("cpu", 1000, "1 CPU-Kern"),
        ("cpu", 500, "0,5 CPU-Kerne"),
        ("memory", 3 * 2**29, "1,5 GiB Arbeitsspeicher"),
        ("pods", 2, "2 Plätze für Pods"),
    ],
)
def test_amounts_in_german(resource: str, amount: int, words: str) -> None:
    with speaking("de"):
        assert named(resource, amount) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("56 GiB of memory", f"56{NO_BREAK}GiB of memory"),
        ("unknown for 40 s: no", f"unknown for 40{NO_BREAK}s: no"),
        ("last time it took 4 min", f"last time it took 4{NO_BREAK}min"),
        ("4 of 6 free, on 2 nodes", "4 of 6 free, on 2 nodes"),
        ("2 slots", "2 slots"),
    ],
)
def test_no_line_ends_before_a_unit(text: str, words: str) -> None:
    assert unbroken(text) == words
