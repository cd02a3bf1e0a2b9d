"""How many devices there are on the nodes that are for a pod, and how many of them are held."""

from __future__ import annotations

import msgspec

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import dynamic_resources
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.tallying import Tally


class Devices(msgspec.Struct, frozen=True, gc=False):
    """The devices of one kind on the nodes that are for a pod, whatever state these are in.

    Attributes:
        there: how many there are by the nodes' capacity, or in what DRA drivers publish; unhealthy
            ones included.
        held: how many of them pods hold, or are promised by the scheduler.
    """

    there: int
    held: int


def counted(
    request: PodRequest, snapshot: Snapshot, tally: Tally, survey: Survey
) -> dict[str, Devices]:
    """The devices that a pod asks for by an extended resource; what cannot be told is left out."""
    found = {}
    for resource, asked in request.requests.items():
        if "/" not in resource or asked <= 0:
            continue
        there, held = tally.devices.get(resource, 0), tally.held.get(resource, 0)
        if resource in request.delegable:
            nodes = (snapshot.nodes[name].node for name in tally.eligible)
            delegated = dynamic_resources.devices(survey.checks, nodes)
            if delegated is None:
                continue
            there, held = there + delegated[0], held + delegated[1]
        found[resource] = Devices(there, held)
    return found
