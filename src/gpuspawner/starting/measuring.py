"""What one start tells of how long nodes and images take here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpuspawner.starting.growth import groups_that_grow, growing_since
from gpuspawner.starting.heard import Heard, hear, read_time
from gpuspawner.starting.measured import Measured, key_of_pool
from gpuspawner.starting.steps import condition

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
DURATION = r"(?:\d+(?:\.\d+)?(?:h|ms|us|µs|ns|m|s))+"
"""A regular expression: a duration as Go writes it, such as ``1m2.3s``."""
_PULLED = re.compile(
    rf'Successfully pulled image "([^"]+)" in ({DURATION})(?: \(({DURATION}) including waiting\))?'
)
_PULLING = re.compile(r'Pulling image "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Ground:
    """The node of a pod, as far as it tells how long it took to come.

    Attributes:
        created: when the API server made the node's object, as Kubernetes writes it.
        pool: the title of the pool of the catalog's that it belongs to; empty if it is in none.
    """

    created: str
    pool: str = ""


def seconds_in(duration: str) -> float:
    """A duration as Go writes it, in seconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def pulling(text: str) -> str:
    """The image that the kubelet says it is pulling; empty if it says anything else."""
    match = _PULLING.match(text)
    return match[1] if match else ""


def pull_of(text: str) -> tuple[str, float] | None:
    """The image that the kubelet says it has pulled, and the seconds since it said "Pulling".

    Those include the wait for other pulls, from Kubernetes 1.27 on, which says them apart. None if
    it says anything else, as of an image that was there.
    """
    match = _PULLED.match(text)
    return (match[1], seconds_in(match[3] or match[2])) if match else None


def with_start(
    measured: Measured,
    pod: Mapping[str, Any],
    events: Iterable[Mapping[str, Any]],
    ground: Ground | None,
    *,
    is_node_promised: bool = False,
) -> Measured:
    """`measured`, and what a start that is over tells.

    Args:
        measured: what was known before.
        pod: in JSON, as it was last.
        events: of pods of its name, in JSON.
        ground: the pod's node; None if it has none, or nothing is known of it.
        is_node_promised: whether the start was let through because a node can be started for it;
            the node was then called for when the pod was made, if no autoscaler says otherwise.
    """
    heard = hear(pod, events)
    for image, seconds in _pulls(heard):
        measured = measured.and_image(image, seconds)
    seconds = node_seconds(pod, heard, ground, is_node_promised=is_node_promised) or 0
    if ground is None or seconds <= 0:
        return measured
    pools = (key_of_pool(ground.pool),) if ground.pool else ()
    return measured.and_node((*groups_that_grow(heard), *pools), seconds)


def node_seconds(
    pod: Mapping[str, Any],
    heard: Sequence[Heard],
    ground: Ground | None,
    *,
    is_node_promised: bool = False,
) -> float | None:
    """From the call for a node to the pod's being on it; None if no new node took it."""
    made = read_time((pod.get("metadata") or {}).get("creationTimestamp"))
    created = read_time(ground.created) if ground is not None else None
    placed = _placed(pod, heard)
    # Both are told to the second: a node of the same second may have been there first.
    if made is None or created is None or placed is None or created <= made:
        return None
    began = growing_since(heard) or (made if is_node_promised else None)
    return None if began is None else (placed - began).total_seconds()


def _placed(pod: Mapping[str, Any], heard: Sequence[Heard]) -> datetime | None:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "True":
        moment = read_time(scheduled.get("lastTransitionTime"))
        if moment is not None:
            return moment
    return next((one.since for one in heard if one.reason == "Scheduled"), None)


def _pulls(heard: Iterable[Heard]) -> Iterator[tuple[str, float]]:
    for one in heard:
        if one.reason == "Pulled" and (pull := pull_of(one.text)) is not None:
            yield pull
