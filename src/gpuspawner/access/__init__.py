"""Who may have what, as admins edit it: revisions, what follows from one, and what it would change.

All of it is pure. What it says of people is what `gpuspawner.policy.decide` says of them.
"""

from __future__ import annotations

from gpuspawner.access.comparing import Change, Effect, Kind, Preview, difference, preview
from gpuspawner.access.deciding import Decider
from gpuspawner.access.effective import GIT, PAGE, Effective, Fault, Mode, effective
from gpuspawner.access.exporting import as_yaml
from gpuspawner.access.matching import (
    EVERYONE,
    Holder,
    Matrix,
    Remark,
    Shadowed,
    matrix,
    remarks,
    shadowed,
)
from gpuspawner.access.revision import Draft, Revision, as_written, digest_of

__all__ = [
    "EVERYONE",
    "GIT",
    "PAGE",
    "Change",
    "Decider",
    "Draft",
    "Effect",
    "Effective",
    "Fault",
    "Holder",
    "Kind",
    "Matrix",
    "Mode",
    "Preview",
    "Remark",
    "Revision",
    "Shadowed",
    "as_written",
    "as_yaml",
    "difference",
    "digest_of",
    "effective",
    "matrix",
    "preview",
    "remarks",
    "shadowed",
]
