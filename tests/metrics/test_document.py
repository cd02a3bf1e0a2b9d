"""docs/metrics.md is what the code says."""

from __future__ import annotations

from .table import DOCUMENT, renewed


def test_the_table_is_current() -> None:
    text = DOCUMENT.read_text()
    assert renewed(text) == text, "python tests/metrics/table.py"
