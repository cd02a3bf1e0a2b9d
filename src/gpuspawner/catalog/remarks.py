"""What is to be said of a catalog that is valid, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuspawner.catalog.problems import Finding, Path

Severity = Literal["error", "warning", "hint", "unchecked"]
"""error: it cannot work. warning: it hardly works as meant. hint: it could be better. unchecked:
nobody could look, so that it is neither wrong nor fine."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding on a valid catalog."""

    severity: Severity
    finding: Finding


def remark(severity: Severity, path: Path, message: str, hint: str | None = None) -> Remark:
    """A remark on the part of the catalog at `path`."""
    return Remark(severity, Finding(path, message, hint))
