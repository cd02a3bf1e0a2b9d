"""How long a watch waits after a failure, and what an API server may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.backoff import Backoff, parse_retry_after

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_ceilings_double_up_to_the_cap() -> None:
    backoff = Backoff(Clock(), lambda: 1.0)
    assert [backoff.next() for _ in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 20))
def test_the_jitter_is_full(chance: float, failures: int) -> None:
    backoff = Backoff(Clock(), lambda: chance)
    delays = [backoff.next() for _ in range(failures)]
    assert delays[-1] == pytest.approx(chance * min(0.8 * 2 ** (failures - 1), 30.0))


@pytest.mark.parametrize(
    ("healthy", "delay"),
    [
        pytest.param(119.0, 1.6, id="less than two healthy minutes are not enough to forget"),
        pytest.param(120.0, 0.8, id="two healthy minutes make it forget"),
    ],
)
def test_a_healthy_time_resets_it(healthy: float, delay: float) -> None:
    clock = Clock()
    backoff = Backoff(clock, lambda: 1.0)
    backoff.next()
    clock.now += healthy
    assert backoff.next() == delay


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        pytest.param("5", None, 5.0, id="seconds"),
        pytest.param(" 5 ", None, 5.0, id="seconds among blanks"),
        pytest.param("0", None, 0.0, id="no wait"),
        pytest.param("9" * 5000, None, float("inf"), id="more digits than an int takes"),
        pytest.param("Sun, 01 Mar 2026 12:00:07 GMT", None, None, id="a date without one to go by"),
        pytest.param(
            "Sun, 01 Mar 2026 09:00:07 GMT",
            "Sun, 01 Mar 2026 09:00:00 GMT",
            7.0,
            id="a date by the answer's own date, when our clock is wrong",
        ),
        pytest.param("Sun, 01 Mar 2026 11:00:00 GMT", DATE, 0.0, id="a date that is past"),
        pytest.param("Sun, 01 Mar 2026 12:00:07", DATE, 7.0, id="a date without a zone is UTC"),
        pytest.param("Sun, 01 Mar 2026 12:00:07 GMT", "soon", None, id="a date beside garbage"),
        pytest.param(None, None, None, id="no header"),
        pytest.param("", None, None, id="an empty header"),
        pytest.param("soon", None, None, id="a word"),
        pytest.param("-5", None, None, id="a negative number"),
        pytest.param("1.5", None, None, id="a fraction"),
        pytest.param("nan", None, None, id="not a number"),
        pytest.param("٣", None, None, id="a digit that is not ASCII"),
        pytest.param("Sun, 99 Mar 2026 12:00:07 GMT", DATE, None, id="a day that does not exist"),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, date=date) == seconds


@given(st.text(), st.text())
def test_no_header_is_too_strange_to_read(value: str, date: str) -> None:
    seconds = parse_retry_after(value, date=date)
    assert seconds is None or seconds >= 0
