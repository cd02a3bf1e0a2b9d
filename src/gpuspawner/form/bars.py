"""A bar of units: a cell for each as long as they can be told apart, else three stretches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gpuspawner.presenting import PresentedUnits

State = Literal["free", "used", "unusable"]
WIDTH = 240
"""Of a bar, in the units of its drawing; it is stretched to the width of its place."""
_GAP = 3
_MOST_CELLS = 24
_LEAST = 4
"""The width of a stretch that is too short to be seen otherwise."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A rectangle of a bar, from `x` on."""

    state: State
    x: float
    width: float


def cells(units: PresentedUnits) -> tuple[Cell, ...]:
    """The cells of a bar, free ones first; none if there are no units at all."""
    counts: tuple[tuple[State, int], ...] = (
        ("free", units.free),
        ("used", units.used),
        ("unusable", units.unusable),
    )
    if 0 < units.total <= _MOST_CELLS:
        return tuple(_one_each(counts, units.total))
    return tuple(_stretches([(state, number) for state, number in counts if number]))


def _one_each(counts: tuple[tuple[State, int], ...], total: int) -> Iterator[Cell]:
    step = (WIDTH + _GAP) / total
    states = (state for state, number in counts for _ in range(number))
    for place, state in enumerate(states):
        yield Cell(state, round(place * step, 2), round(step - _GAP, 2))


def _stretches(counts: list[tuple[State, int]]) -> Iterator[Cell]:
    room = WIDTH - _GAP * (len(counts) - 1) - _LEAST * len(counts)
    total, x = sum(number for _, number in counts), 0.0
    for state, number in counts:
        width = _LEAST + room * number / total
        yield Cell(state, round(x, 2), round(width, 2))
        x += width + _GAP
