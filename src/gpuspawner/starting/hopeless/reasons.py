"""Why a start is hopeless: what is told of it, and how long that has to have stood."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.language import gettext_noop

SETTLING = 10.0
"""Seconds for what may be made a moment after the pod: a Secret of KubeSpawner's, a claim."""
SYNCING = 15.0
"""Seconds in which kubelet, after 10 s, tries again to make a container."""
RETRYING = 60.0
"""Seconds in which kubelet pulls an image three times (it waits 10 s, then 20 s)."""
GROWING = 30.0
"""Seconds for an autoscaler to say whether it helps; it looks every 10 s."""
MOUNT_ATTEMPTS = 4
"""Of a volume: kubelet waits 0.5 s after the first, and twice as long each time."""
INIT_RESTARTS = 3
"""An init container may wait for something by failing."""

CHOOSE = gettext_noop("Choose another image or profile, or tell the people who run this hub.")
TELL = gettext_noop("Tell the people who run this hub; until it is mended, choose another profile.")
AGAIN = gettext_noop("Try again.")
AGAIN_OR_TELL = gettext_noop(
    "Try again; if it happens once more, choose another profile and tell the people who run "
    "this hub."
)
LATER = gettext_noop("Try again in a few minutes, or choose another image or profile.")


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Why a start will not succeed.

    Attributes:
        code: ``"image"``, ``"volume-claim"``, ``"never-fits"``, ``"device"``, ``"configuration"``,
            ``"crash"``, ``"node"`` or ``"busy"``.
        words: for the person, in their language; what is wrong and what to do.
        detail: the cluster's own words, for the log only: they may hold names and paths.
        patience: seconds that this has to have stood before the start is to be ended.
    """

    code: str
    words: str
    detail: str = ""
    patience: float = 0.0
