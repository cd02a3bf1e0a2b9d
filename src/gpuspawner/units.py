"""The units that could serve a profile: how many are free, in use, and not usable for it.

With an accelerator a unit is one of its devices (a GPU, a slice, a share); without one, a device of
the extended resource that the pod asks for all the same, such as an nvidia.com/gpu that
``kubespawner_override`` adds: of several that of which there are enough for the fewest servers. All
devices count that are on nodes where the pod could be placed as far as its own rules and their
taints go, by the nodes' capacity. For a pod that asks for no device, a unit is one such server.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.capacity.model import PodRequest
from gpuspawner.catalog import Accelerator
from gpuspawner.fit import Devices, Verdict
from gpuspawner.offers import Offer, Standing

_NOT_COUNTED = frozenset({Standing.UNKNOWN, Standing.QUEUED})


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one kind: devices, or servers of a profile without a device.

    Attributes:
        free: devices that such servers could take now, one after another: of three GPUs that are
            left on a node, two for a profile of two. Or so many servers could be started. A quota
            can leave fewer.
        used: devices that pods hold, or starts that are under way, also on closed nodes. Or so many
            servers less than if nothing else ran on the open nodes, since other pods (those of the
            system, too) take their room.
        unusable: all others. Devices that are free, but on a node that is closed or too small, or
            has too little left of something else; or too few of them together; or unhealthy, over a
            quota, or kept for those who wait in line. Or servers that closed nodes would have room
            for, if nothing else ran there, and those that a quota, the line or the profile's
            volumes keep from open ones.
    """

    free: int
    used: int
    unusable: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.free + self.used + self.unusable


def units_of(offer: Offer) -> Units | None:
    """The units that could serve what is offered; None if any of the three is not known.

    That is so while the cluster is not known, or it is not known whether the profile fits or how
    often; where something on the nodes cannot be read; for a pod that claims devices from DRA, and
    where DRA serves an extended resource in a way that cannot be counted; where a queue decides how
    many are let through; where it is not known what admission makes of the pod; and if the pod does
    not ask for the accelerator in the end.

    Of what never fits, is busy, needs a new node, or fits once others have made way, none is free.
    """
    verdict, planned = offer.verdict, offer.plan
    if verdict is None or planned is None or not offer.freshness.is_live:
        return None
    if offer.standing in _NOT_COUNTED or offer.unadmitted or planned.request.resource_claims:
        return None
    device = _device(offer.accelerator, planned.request, verdict)
    if device is None:
        return None
    return _devices(device, planned.request, verdict) if device else _servers(verdict)


def _device(accelerator: Accelerator | None, request: PodRequest, verdict: Verdict) -> str | None:
    """The extended resource that is counted; empty if the pod asks for none.

    None if it cannot be told which is the scarcest.
    """
    if accelerator is not None:
        return accelerator.resource
    asked = {name: amount for name, amount in request.requests.items() if "/" in name and amount}
    devices = verdict.devices
    if devices is None or not asked.keys() <= devices.keys():
        return None
    return min(asked, key=lambda name: (devices[name].there // asked[name], name), default="")


def _devices(resource: str, request: PodRequest, verdict: Verdict) -> Units | None:
    devices: Devices | None = (verdict.devices or {}).get(resource)
    if devices is None or verdict.slots is None:
        return None
    left = devices.there - devices.held
    free = min(left, verdict.slots * request.requests[resource])
    return Units(free, devices.held, left - free)


def _servers(verdict: Verdict) -> Units | None:
    if verdict.slots is None or verdict.slots_taken is None:
        return None
    left = verdict.slots_if_empty - verdict.slots_taken
    free = min(left, verdict.slots)
    return Units(free, verdict.slots_taken, left - free)
