"""What is said of durations that were measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.starting.measured import (
    ENOUGH,
    KEPT,
    MOST_KEYS,
    Durations,
    Measured,
    Typical,
    key_of_pool,
)

SECONDS = st.floats(min_value=0.001, max_value=86_400)


def durations(*seconds: float, key: str = "a") -> Durations:
    measured = Durations()
    for one in seconds:
        measured = measured.and_one(key, one)
    return measured


@pytest.mark.parametrize(
    ("seconds", "briefly"),
    [
        pytest.param([240], "last time it took 4 min", id="one is the last one"),
        pytest.param(
            [600, 240],
            "last time it took 4 min",
            id="two have no middle: the newer one is said",
        ),
        pytest.param([60, 240, 7200], "typically 4 min", id="three have a middle"),
        pytest.param(
            [60, 240, 300, 7200],
            "typically 4 min",
            id="of four, half way between the two in the middle",
        ),
        pytest.param(
            [59.9] * 3,
            "typically less than a minute",
            id="never no minutes",
        ),
        pytest.param([60] * 3, "typically 1 min", id="one minute"),
        pytest.param(
            [60] * KEPT + [600] * (KEPT // 2 + 1),
            "typically 10 min",
            id="what is long past counts no more",
        ),
    ],
)
def test_in_words(seconds: list[float], briefly: str) -> None:
    typical = durations(*seconds).typical("a")
    assert typical is not None
    assert typical.briefly == briefly


def test_nothing_measured_nothing_said() -> None:
    assert Durations().typical("a") is None
    assert durations(3).typical("b", "") is None
    assert Measured().node_of("the A100 pool") is None


def test_the_first_key_of_which_something_is_known_counts() -> None:
    measured = durations(60).and_one("b", 120)
    assert measured.typical("none", "b", "a") == Typical(120, is_last=True)


def test_a_start_of_a_node_counts_for_each_of_its_keys() -> None:
    measured = Measured().and_node(("group", key_of_pool("the A100 pool")), 60)
    assert measured.node_of("the A100 pool") == measured.nodes.typical("group")
    assert measured.node_of("group") is None


@given(st.lists(SECONDS, min_size=1, max_size=3 * KEPT))
def test_what_is_said_lies_within_the_last_ones(seconds: list[float]) -> None:
    typical = durations(*seconds).typical("a")
    last = seconds[-KEPT:]
    assert typical is not None
    assert min(last) <= typical.seconds <= max(last)
    assert typical.is_last == (len(seconds) < ENOUGH)


@given(st.lists(st.tuples(st.integers(0, 3 * MOST_KEYS), SECONDS), max_size=4 * MOST_KEYS))
def test_however_much_is_measured_little_is_kept(measured: list[tuple[int, float]]) -> None:
    kept = Durations()
    for number, seconds in measured:
        kept = kept.and_one(str(number), seconds)
    assert len(kept.lasts) <= MOST_KEYS
    assert all(1 <= len(lasts) <= KEPT for lasts in kept.lasts.values())


def test_the_key_that_was_not_heard_of_for_longest_is_let_go() -> None:
    kept = Durations()
    for number in range(MOST_KEYS):
        kept = kept.and_one(str(number), 1)
    kept = kept.and_one("0", 2).and_one("new", 3)
    assert kept.lasts["0"] == (1, 2)
    assert "new" in kept.lasts
    assert "1" not in kept.lasts


def test_what_was_known_before_stays_as_it_was() -> None:
    before = durations(60)
    before.and_one("a", 120)
    assert before.lasts == {"a": (60,)}
