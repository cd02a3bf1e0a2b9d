"""Why a node cannot take a pod, as a value that is rendered at the edge and never parsed back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Hindrance(Enum):
    """What would have to change for the node to take the pod."""

    NOT_FOR_POD = "the pod's or the node's placement rules"
    TOO_LARGE = "the node's size"
    CLOSED = "the node's state, such as a cordon"
    FULL = "what runs on the node"
    TAKEN = "devices that others hold, which eviction would not free"
    UNKNOWN = "nothing, perhaps: it cannot be told"

    # Members are equal by identity; Enum's own hash is written in Python, and asked for often.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason a check gives for one node.

    Attributes:
        words: the scheduler's own words, which its messages count nodes by; for UNKNOWN, what was
            not checked, in the API's words.
        hindrance: what would have to change.
        resource: for a reason of size or room: the resource that is short; else empty.
        asked: what the pod asks of it, in the resource's unit.
        offered: what the node has of it in all.
    """

    words: str
    hindrance: Hindrance
    resource: str = ""
    asked: int = 0
    offered: int = 0


Reasons = tuple[Reason, ...]
NO_REASONS: Reasons = ()


def unknown(what: str) -> Reasons:
    """The node may or may not take the pod; `what` is what cannot be checked."""
    return (Reason(what, Hindrance.UNKNOWN),)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The pod can go nowhere, whatever the nodes are like.

    Attributes:
        words: the scheduler's own words.
        hindrance: what would have to change.
    """

    words: str
    hindrance: Hindrance = Hindrance.CLOSED
