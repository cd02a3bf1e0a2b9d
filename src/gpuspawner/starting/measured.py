"""How long nodes and images took here, and what that lets one say of the next.

Nothing measured, nothing said: there are no figures to begin with, and none are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from types import MappingProxyType

from gpuspawner.language import gettext as _

KEPT = 9
"""Durations of a key: enough to outvote a few odd ones, few enough to follow a new machine type."""
ENOUGH = 3
"""The fewest of which one that is far off does not decide the median."""
MOST_KEYS = 200
"""Keys: a hub has some tens of pools and images, and a tag that is made anew each day is let go."""
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Typical:
    """What is known of how long something takes.

    Attributes:
        seconds: the median of the last few; the last one while there are fewer than `ENOUGH`.
        is_last: whether it is merely the last one.
    """

    seconds: float
    is_last: bool = False

    @property
    def briefly(self) -> str:
        """To stand behind a comma or a semicolon: ``"typically 4 min"``."""
        words = _("last time it took {length}") if self.is_last else _("typically {length}")
        return words.format(length=self._length)

    @property
    def _length(self) -> str:
        if self.seconds < _MINUTE:
            return _("less than a minute")
        return _("{number} min").format(number=round(self.seconds / _MINUTE))


@dataclass(frozen=True, slots=True)
class Durations:
    """The last durations of each key, in seconds; those of keys long unheard of are let go."""

    lasts: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def and_one(self, key: str, seconds: float) -> Durations:
        """With one more of `key`."""
        lasts = dict(self.lasts)
        before = lasts.pop(key, ())
        # The key that was heard of last stands last.
        lasts[key] = (*before, seconds)[-KEPT:]
        if len(lasts) > MOST_KEYS:
            del lasts[next(iter(lasts))]
        return Durations(MappingProxyType(lasts))

    def typical(self, *keys: str) -> Typical | None:
        """Of the first of `keys` of which something is known; None if nothing is."""
        for key in keys:
            lasts = self.lasts.get(key)
            if lasts:
                enough = len(lasts) >= ENOUGH
                return Typical(median(lasts) if enough else lasts[-1], is_last=not enough)
        return None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of the starts of a hub.

    Attributes:
        nodes: from the call for a node to a pod's being on it; by `key_of_pool` and by the name
            that the autoscaler has for what it grows.
        images: from the beginning of a pull to its end; by the image's reference.
    """

    nodes: Durations = Durations()
    images: Durations = Durations()

    def and_node(self, keys: tuple[str, ...], seconds: float) -> Measured:
        """With one more start of a node, which counts for each of `keys`."""
        nodes = self.nodes
        for key in keys:
            nodes = nodes.and_one(key, seconds)
        return replace(self, nodes=nodes)

    def and_image(self, image: str, seconds: float) -> Measured:
        """With one more pull."""
        return replace(self, images=self.images.and_one(image, seconds))

    def node_of(self, pool: str) -> Typical | None:
        """How long a new node of a pool of the catalog's takes, by the pool's title."""
        return self.nodes.typical(key_of_pool(pool))


NOTHING_YET = Measured()


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual here, for one start.

    Attributes:
        pool: the title of the pool that is expected to grow for it; empty if none is.
    """

    measured: Measured = NOTHING_YET
    pool: str = ""

    def node(self, groups: tuple[str, ...]) -> Typical | None:
        """How long a new node takes; `groups` is what the autoscaler says it grows."""
        # What is said to grow is more than what was expected to.
        return self.measured.nodes.typical(*groups, key_of_pool(self.pool))

    def image(self, image: str) -> Typical | None:
        """How long that image takes to be pulled."""
        return self.measured.images.typical(image)


NOTHING = Usual()


def key_of_pool(title: str) -> str:
    """The key of a pool that the catalog describes, which no autoscaler's name is equal to."""
    return f"the pool {title}"
