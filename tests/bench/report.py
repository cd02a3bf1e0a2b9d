"""The figures as tables, and beside the goals."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]

NAMES = {
    "gpuspawner": "gpuspawner",
    "pages": "the same, in pages",
    "kubespawner": "KubeSpawner's reflector",
    "list": "a list a form",
    "models": "a list, client's models",
}
ABSENT = "-"
_WATCHERS = ("gpuspawner", "kubespawner")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a first sync's process: where it is, in which unit, whether it is for a pod."""

    words: str
    key: str
    factor: float
    unit: str
    per_pod: bool = False


ROWS = (
    Row("first sync: CPU a pod", "cpu", 1e6, "us", per_pod=True),
    Row("first sync: CPU", "cpu", 1, "s"),
    Row("first sync: time", "seconds", 1, "s"),
    Row("memory kept a pod (RSS)", "resident", 1e-3, "kB", per_pod=True),
    Row("memory at most a pod (RSS)", "peak", 1e-3, "kB", per_pod=True),
    Row("longest block of the loop", "block", 1e3, "ms"),
    Row("longest block, own computing", "own_block", 1e3, "ms"),
    Row("event to what is held", "event_to_index", 1e3, "ms"),
    Row("event to verdict", "event_to_verdict", 1e3, "ms"),
    Row("event to verdict, slowest", "slowest_verdict", 1e3, "ms"),
    Row("a verdict afresh", "judge", 1e6, "us"),
    Row("a verdict read again", "read", 1e6, "us"),
    Row("a verdict after one change", "update", 1e6, "us"),
    Row("a verdict after 20 changes, a node", "burst", 1e6, "us"),
    Row("a snapshot after one change", "snapshot", 1e6, "us"),
    Row("what a form of 7 asks: CPU", "form", 1e3, "ms"),
)
_GROWING = {
    "cpu",
    "resident",
    "own_block",
    "event_to_verdict",
    "judge",
    "read",
    "update",
    "burst",
    "form",
}
STEADY = (
    Row("requests a minute", "requests_a_minute", 1, ""),
    Row("lists in the steady state", "lists", 1, ""),
    Row("CPU a minute", "cpu_a_minute", 1, "s"),
)


def values(runs: list[Figures], row: Row) -> list[float]:
    """The figure of each process that has it, in the row's unit."""
    return [
        run[row.key] * row.factor / (run["pods"] if row.per_pod else 1)
        for run in runs
        if row.key in run
    ]


def cell(found: list[float], unit: str) -> str:
    """The median and, of several, the lowest and the highest."""
    if not found:
        return ABSENT
    middle = f"{_number(statistics.median(found))} {unit}".strip()
    if len(found) == 1:
        return middle
    return f"{middle} ({_number(min(found))} to {_number(max(found))})"


def report(results: Figures) -> str:
    """All tables, as plain text."""
    return "\n".join(line.rstrip() for line in _lines(results)) + "\n"


def _lines(results: Figures) -> Iterator[str]:
    plan = results["plan"]
    yield (
        f"Python {results['machine']['python']}, {results['machine']['cores']} cores; medians of "
        f"{plan['repeats']} processes (lowest to highest); {plan['pods_per_node']} pods a node"
    )
    for size, figures in results["sizes"].items():
        yield from ("", f"{size} nodes, {figures['sync']['gpuspawner'][0]['pods']} pods")
        yield from _size_table(figures)
    yield from ("", "Growth")
    yield from _growth(results["sizes"])
    yield from ("", "Goals")
    yield from table(
        [
            [goal.words, goal.found, "reached" if goal.reached else "not reached"]
            for goal in goals(results)
        ]
    )


def _size_table(figures: Figures) -> Iterator[str]:
    syncs = figures["sync"]
    subjects = [name for name in NAMES if name in syncs]
    rows = [["", *(NAMES[name] for name in subjects), "reflector / gpuspawner"]]
    for row in ROWS:
        found = {name: values(syncs[name], row) for name in subjects}
        rows.append(
            [
                row.words,
                *(cell(found[name], row.unit) for name in subjects),
                _times(found["kubespawner"], found["gpuspawner"]),
            ]
        )
    for row in STEADY:
        steady = {name: values([run], row) for name, run in figures["steady"].items()}
        cells = (cell(steady.get(name, []), row.unit) for name in subjects)
        rows.append([row.words, *cells, _times(steady["kubespawner"], steady["gpuspawner"])])
    yield from table(rows)
    traced = figures["traced"]["gpuspawner"]
    kept = traced["kept"] / traced["pods"]
    yield f"Python's own count of what gpuspawner keeps: {kept:.0f} bytes a pod"
    if form := figures.get("forms"):
        yield (
            f"the spawn form with {form['choices']['gpuspawner']} choices: "
            f"{form['gpuspawner'] * 1e3:.1f} ms, KubeSpawner's static list "
            f"{form['kubespawner'] * 1e3:.1f} ms, ratio {form['ratio']:.2f}"
        )


def _growth(sizes: dict[str, Figures]) -> Iterator[str]:
    rows = [["", *(f"{size} nodes" for size in sizes)]]
    for row in (row for row in ROWS if row.key in _GROWING):
        for name in _WATCHERS:
            found = [values(figures["sync"][name], row) for figures in sizes.values()]
            if any(found):
                cells = (cell(_median(each), row.unit) for each in found)
                rows.append([f"{row.words}: {NAMES[name]}", *cells])
    rows += [
        [f"memory of each further pod: {NAMES[name]}", *_marginal(sizes, name)]
        for name in _WATCHERS
    ]
    yield from table(rows)


def _marginal(sizes: dict[str, Figures], name: str) -> Iterator[str]:
    """What a pod more costs between two sizes, free of what any cluster costs."""
    known: tuple[float, float] | None = None
    for figures in sizes.values():
        runs = figures["sync"][name]
        pods = float(runs[0]["pods"])
        resident = statistics.median(run["resident"] for run in runs)
        more = pods - known[0] if known else 0
        yield f"{_number((resident - known[1]) / more / 1e3)} kB" if known and more else ABSENT
        known = pods, resident


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal, what was found, and whether it depends on how fast the machine is."""

    words: str
    found: str
    reached: bool
    is_ratio: bool


def goals(results: Figures) -> list[Goal]:
    """The goals of the largest size that was measured."""
    sizes = results["sizes"]
    largest = sizes[max(sizes, key=int)]
    runs = largest["sync"]["gpuspawner"]
    limits = {
        "cpu": (60.0, "first sync: at most 60 us of CPU a pod", False),
        "resident": (1.0, "memory: at most 1 kB a pod", True),
        "own_block": (50.0, "the loop is never blocked over 50 ms", False),
        "read": (1.0, "one read: under 1 us", False),
        "update": (5.0, "one changed node, judged at once: under 5 us a profile", False),
        "burst": (5.0, "one of 20 changed nodes: under 5 us a profile", False),
    }
    found = []
    for row in (row for row in ROWS if row.key in limits and (row.per_pod or row.key != "cpu")):
        limit, words, is_ratio = limits.pop(row.key)
        figures = values(runs, row)
        worst = max(figures) if row.key == "own_block" else statistics.median(figures)
        found.append(Goal(words, f"{_number(worst)} {row.unit}", worst <= limit, is_ratio))
    lists = max(figures["steady"]["gpuspawner"]["lists"] for figures in sizes.values())
    found.append(Goal("no list again while healthy", f"{lists} lists", lists == 0, is_ratio=True))
    if form := largest.get("forms"):
        words = f"the form: at most 1.2 times a static list, at {max(sizes, key=int)} nodes"
        found.append(Goal(words, f"{form['ratio']:.2f}", form["ratio"] <= 1.2, is_ratio=True))
    return found


def _median(found: list[float]) -> list[float]:
    return [statistics.median(found)] if found else []


def _times(theirs: list[float], ours: list[float]) -> str:
    if not theirs or not ours or not statistics.median(ours):
        return ABSENT
    return f"{_number(statistics.median(theirs) / statistics.median(ours))} x"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows: list[list[str]]) -> Iterator[str]:
    """The rows, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
