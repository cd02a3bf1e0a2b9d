"""What a node is going through: explanations, which never replace what it offers or its taints.

The labels are those of NVIDIA's MIG manager and of the GPU Operator's driver upgrades. A device
that is advertised but not allocatable is one that its device plugin found unhealthy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gpuspawner.capacity.model import Node, PodRequest

_MIG_STATE = "nvidia.com/mig.config.state"
_MIG_PASSING = frozenset({"pending", "rebooting"})
_UPGRADE_STATE = "nvidia.com/gpu-driver-upgrade-state"
_UPGRADE_REQUIRED = "upgrade-required"
_UPGRADE_OVER = frozenset({"", "upgrade-done", "upgrade-failed", _UPGRADE_REQUIRED})


class Transition(Enum):
    """Something that explains what a node offers, and predicts that it will change."""

    UNHEALTHY_DEVICES = "unhealthy devices"
    MIG_RECONFIGURATION = "MIG reconfiguration"
    MIG_FAILED = "failed MIG reconfiguration"
    DRIVER_UPGRADE = "driver upgrade"
    DRIVER_UPGRADE_FAILED = "failed driver upgrade"


@dataclass(frozen=True, slots=True)
class Note:
    """A transition of one node.

    Attributes:
        resource: the devices that are unhealthy; else empty.
        amount: how many of them; 1 for all else.
    """

    transition: Transition
    resource: str = ""
    amount: int = 1


def notes_on(request: PodRequest, node: Node) -> tuple[Note, ...]:
    """What the node goes through, as far as it matters to a pod that asks for devices."""
    devices = [name for name, asked in request.requests.items() if asked > 0 and "/" in name]
    if not devices:
        return ()
    found = [
        Note(Transition.UNHEALTHY_DEVICES, name, unhealthy)
        for name in devices
        if (unhealthy := node.capacity.get(name, 0) - node.allocatable.get(name, 0)) > 0
    ]
    transition = transition_of(node)
    if transition is not None:
        found.append(Note(transition))
    return tuple(found)


def transition_of(node: Node) -> Transition | None:
    """What its labels say that the node goes through; None if nothing."""
    return passing_transition(node) or _failed(node)


def passing_transition(node: Node) -> Transition | None:
    """What will be over by itself, and while it lasts the node offers less than it will."""
    if node.labels.get(_MIG_STATE) in _MIG_PASSING:
        return Transition.MIG_RECONFIGURATION
    if node.labels.get(_UPGRADE_STATE, "") not in _UPGRADE_OVER:
        return Transition.DRIVER_UPGRADE
    return None


def _failed(node: Node) -> Transition | None:
    if node.labels.get(_MIG_STATE) == "failed":
        return Transition.MIG_FAILED
    if node.labels.get(_UPGRADE_STATE) == "upgrade-failed":
        return Transition.DRIVER_UPGRADE_FAILED
    return None
