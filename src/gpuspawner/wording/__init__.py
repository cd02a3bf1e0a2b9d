"""Offers in words, in the language spoken. Nothing reads these texts back.

The first word of a sentence on an offer is where it stands: free, busy, unknown, never fits.
"""

from gpuspawner.device_names import devices
from gpuspawner.wording.amounts import named, unbroken
from gpuspawner.wording.availability import CONTRADICTION, availability, standing
from gpuspawner.wording.facts import (
    AfterStop,
    granted,
    home,
    server_lasts,
    session,
    sharing,
    volume,
)
from gpuspawner.wording.lengths import lasting, spelled
from gpuspawner.wording.waiting import in_line, instead

__all__ = [
    "CONTRADICTION",
    "AfterStop",
    "availability",
    "devices",
    "granted",
    "home",
    "in_line",
    "instead",
    "lasting",
    "named",
    "server_lasts",
    "session",
    "sharing",
    "spelled",
    "standing",
    "unbroken",
    "volume",
]
