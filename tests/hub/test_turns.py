"""Whose turn it is: everybody gets theirs in order, and all together take no more than a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.hub.turns import Turns

SHARE, APART, REST = 0.05, 1.0, 5.0


def turns(*names: str) -> Turns[str]:
    made: Turns[str] = Turns(share=SHARE, apart=APART, longest_rest=REST)
    for number, name in enumerate(names):
        made.join(name, number / 10)
    return made


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(0.9, [], id="nobody so soon after the last turn"),
        pytest.param(1.05, ["a"], id="only who waited long enough"),
        pytest.param(9.0, ["a", "b", "c"], id="who waited longest first, and each once"),
    ],
)
def test_whose_turn_it_is(now: float, expected: list[str]) -> None:
    some, had = turns("a", "b", "c"), []
    while (name := some.next(now)) is not None:
        had.append(name)
    assert had == expected


def test_who_left_has_no_turn() -> None:
    some = turns("a", "b")
    some.leave("a")
    some.leave("never came")
    assert (len(some), some.next(9.0), some.next(9.0)) == (1, "b", None)


@pytest.mark.parametrize(
    ("worked", "expected"),
    [
        pytest.param((0.01,), 0.19, id="nineteen times as long as the work"),
        pytest.param((0.01, 0.02), 0.57, id="all that was worked counts"),
        pytest.param((9.0,), REST, id="never longer than the longest rest"),
        pytest.param((), 0.0, id="no work, no rest"),
    ],
)
def test_work_is_followed_by_rest(worked: tuple[float, ...], expected: float) -> None:
    some = turns("a")
    for seconds in worked:
        some.spent(seconds)
    some.rest(100.0)
    assert some.wait(100.0) == pytest.approx(expected)
    some.rest(100.0)
    assert some.wait(100.0) == 0


def test_a_slice_ends_after_so_much_work_and_has_one_turn_at_least() -> None:
    some = turns("a", "b", "c")
    some.spent(0.1)
    assert (some.next(9.0), some.next(9.0)) == ("a", None)
    some.rest(9.0)
    assert some.next(9.0) == "b"
    some.spent(0.004)
    assert some.next(9.0) == "c"


def test_one_waits_until_somebody_is_due() -> None:
    some = turns("a", "b")
    assert some.wait(0.4) == pytest.approx(0.6)
    assert turns().wait(0.4) == 0


@given(
    pages=st.integers(1, 40),
    work=st.lists(st.floats(0.0001, 0.03), min_size=1, max_size=30),
    beside=st.lists(st.floats(0, 0.01), min_size=1, max_size=5),
)
def test_everybody_gets_a_turn_and_the_share_is_kept(
    pages: int, work: list[float], beside: list[float]
) -> None:
    """A clock that only work and waiting move, as the pacer does, for two hundred slices."""
    some: Turns[int] = Turns(share=SHARE, apart=APART, longest_rest=1e9)
    for page in range(pages):
        some.join(page, 0.0)
    now, worked, had = 0.0, 0.0, [[0.0] for _ in range(pages)]
    order: list[int] = []
    for number in range(200):
        now += max(0.05, some.wait(now))
        extra = beside[number % len(beside)]
        some.spent(extra)
        worked, now = worked + extra, now + extra
        while (one := some.next(now)) is not None:
            assert now - had[one][-1] >= APART
            had[one].append(now)
            order.append(one)
            seconds = work[len(order) % len(work)]
            some.spent(seconds)
            worked, now = worked + seconds, now + seconds
        some.rest(now)
    # The last slice has not been rested for yet.
    assert worked <= SHARE * now + max(work) + max(beside) + 0.005
    assert order == [number % pages for number in range(len(order))]
    assert order
