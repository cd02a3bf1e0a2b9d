"""The page that goes from a code to what to do."""

from __future__ import annotations

import re
from pathlib import Path

from gpuspawner.metrics.families import OTHER, REASONS

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


def test_each_code_of_a_refusal_is_explained() -> None:
    """`REASONS` are held to the code in tests/metrics."""
    _, _, refused = PAGE.read_text().partition("## Starts are refused")
    refused, _, _ = refused.partition("\n## ")
    rows = {code for row in re.findall(r"^\| (`.*?) \|", refused, re.M) for code in _codes(row)}
    assert rows == {*REASONS, "cancelled"} - {OTHER, "undecided"}


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([a-z-]+)`", cell)
