"""The bench runs and gives every figure; how good they are is shown, not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .child import latencies
from .cluster import ClusterData, rendered
from .report import cell, goals, report
from .running import ROOT


def test_a_quick_run_of_the_smallest_size_gives_every_figure_and_every_goal(
    tmp_path: Path,
) -> None:
    target = tmp_path / "figures.json"
    command = (sys.executable, "-m", "tests.bench", "--quick", "--sizes", "2", "--json", target)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(target.read_text())
    figures = results["sizes"]["2"]
    assert set(figures["sync"]) == {"gpuspawner", "pages", "kubespawner", "list"}
    # One of the pods that come meanwhile may be there already.
    assert {runs[0]["pods"] for runs in figures["sync"].values()} <= {40, 41}
    for name in ("gpuspawner", "kubespawner"):
        first = figures["sync"][name][0]
        assert first["cpu"] > 0
        assert first["missed"] == 0
        assert 0 < first["event_to_index"] <= first["event_to_verdict"] <= first["slowest_verdict"]
    assert figures["forms"]["choices"] == {"gpuspawner": 7, "kubespawner": 7}
    assert figures["steady"]["gpuspawner"]["lists"] == 0
    assert len(goals(results)) == 8
    assert ran.stdout == report(results)


def test_the_data_is_the_same_for_the_same_seed_and_as_large_as_real_pods() -> None:
    first, second, other = (
        [rendered(pod) for pod in ClusterData(4, 20, seed).pods()] for seed in (1, 1, 2)
    )
    assert first == second != other
    assert all(4_000 < len(pod) < 6_600 for pod in first)
    assert len(set(first)) == 80


@pytest.mark.parametrize(
    ("sent", "seen", "expected"),
    [
        pytest.param(
            [(1, 10.0), (2, 11.0)],
            [(1, 10.5, 10.75), (2, 11.5, 11.75)],
            (0.5, 0.75, 0.75, 0),
            id="each change counts from when it was sent to when it was seen and judged",
        ),
        pytest.param(
            [(1, 10.0), (2, 11.0)],
            [(2, 11.5, 12.0)],
            (1.0, 1.5, 2.0, 0),
            id="a change that was overtaken counts until the one that overtook it",
        ),
        pytest.param(
            [(1, 10.0), (2, 11.0)],
            [(1, 10.5, 11.0)],
            (0.5, 1.0, 1.0, 1),
            id="a change that nobody saw is missed",
        ),
    ],
)
def test_latencies(
    sent: list[tuple[int, float]],
    seen: list[tuple[int, float, float]],
    expected: tuple[float, float, float, int],
) -> None:
    assert tuple(latencies(sent, seen).values()) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([], "-", id="nothing was measured"),
        pytest.param([38.25], "38.2 us", id="one process has no spread"),
        pytest.param([3.0, 1.0, 2.0], "2 us (1 to 3)", id="several give median and spread"),
    ],
)
def test_a_cell(found: list[float], expected: str) -> None:
    assert cell(found, "us") == expected
