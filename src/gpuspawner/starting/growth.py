"""What cluster-autoscaler and Karpenter said of a node for a pod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from gpuspawner.starting.heard import Heard

GROWING = frozenset({"TriggeredScaleUp", "Nominated"})
_FAILED = re.compile(r"scale.up\b.*\bfailed\b", re.IGNORECASE)
_CLAIM = re.compile(r"\b(?:nodeclaim|machine)/")
_GROUPS = re.compile(
    # As cluster-autoscaler writes "[{group 0->1 (max: 3)}]", and Karpenter "nodeclaim/pool-x7k2p".
    r"\{(\S+) \d+->\d+ \(max: \d+\)\}|\b(?:nodeclaim|machine)/(\S+)-[a-z0-9]{5}\b"
)


def last_of_the_autoscaler(heard: Sequence[Heard]) -> Heard | None:
    """What an autoscaler said last of a node for this pod."""
    return next((one for one in reversed(heard) if one.reason in GROWING or _is_refusal(one)), None)


def is_node_coming(said: Heard) -> bool:
    """Whether a new node is started, and not just one chosen that is there."""
    return said.reason == "TriggeredScaleUp" or (
        said.reason == "Nominated" and _CLAIM.search(said.text) is not None
    )


def growing_since(heard: Sequence[Heard]) -> datetime | None:
    """When the first node was called for that no failure followed; None if none was."""
    began = None
    for one in heard:
        if is_node_coming(one):
            began = began or one.since
        elif _is_refusal(one):
            began = None
    return began


def groups_that_grow(heard: Sequence[Heard]) -> tuple[str, ...]:
    """What the autoscaler calls what it grows for the pod, the newest first."""
    return tuple(dict.fromkeys(_groups(heard)))


def _groups(heard: Sequence[Heard]) -> Iterator[str]:
    for one in reversed(heard):
        if is_node_coming(one):
            for match in _GROUPS.finditer(one.text):
                yield match[1] or match[2]


def _is_refusal(one: Heard) -> bool:
    return (
        one.reason == "NotTriggerScaleUp"
        or (one.reason == "FailedScheduling" and one.source == "karpenter")
        or (one.reason not in GROWING and _FAILED.search(one.text) is not None)
    )
