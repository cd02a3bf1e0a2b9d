"""What the checks of the cluster as a whole make of the nodes that pass all others."""

from __future__ import annotations

from collections.abc import Generator, MutableMapping

import msgspec

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import PodRequest
from gpuspawner.fit import dynamic_resources
from gpuspawner.fit.copies import copies
from gpuspawner.fit.examining import is_evictable
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.surveying import Survey
from gpuspawner.fit.tallying import Tally


class Asked(msgspec.Struct):
    """What the checks of the cluster make of the nodes that pass all others.

    Attributes:
        reasons: those of the other nodes, too.
    """

    nodes: MutableMapping[str, int]
    copies: int | None
    reasons: dict[str, int]
    doubtful: int = 0
    doubts: set[str] = set()
    lasting: int = 0
    closed: int = 0
    taken: int = 0
    evictable: list[str] = []
    is_blocked: bool = False


def not_asking(tally: Tally, survey: Survey) -> Asked:
    """Where they have nothing to say, or refuse the pod as a whole."""
    if survey.blocked is not None:
        return Asked({}, 0, {survey.blocked.words: tally.total}, is_blocked=True)
    return Asked(tally.slots.copy(), tally.room, tally.reasons.copy())


def asking_the_cluster(
    request: PodRequest, snapshot: Snapshot, tally: Tally, survey: Survey, nodes: int
) -> Generator[None, None, Asked]:
    """Where they have; it pauses after each `nodes` nodes."""
    asked = Asked({}, 0, tally.reasons.copy())
    uncounted = False
    for number, (name, slots) in enumerate(tally.slots.items(), 1):
        if number % nodes == 0:
            yield
        state = snapshot.nodes[name]
        reasons = survey.refusal(state)
        hindrances = {reason.hindrance for reason in reasons}
        if not reasons:
            room = dynamic_resources.at_most(survey.checks, state, slots)
            asked.nodes[name] = slots if room is None else room
            uncounted = uncounted or room is None
        elif Hindrance.UNKNOWN in hindrances:
            asked.doubtful += 1
            asked.doubts.update(reason.words for reason in reasons)
        else:
            for reason in reasons:
                asked.reasons[reason.words] = asked.reasons.get(reason.words, 0) + 1
            asked.lasting += Hindrance.NOT_FOR_POD in hindrances
            asked.closed += Hindrance.CLOSED in hindrances
            asked.taken += Hindrance.TAKEN in hindrances
            if is_evictable(request, state, reasons):
                asked.evictable.append(name)
    if uncounted:
        asked.copies = None
    elif asked.nodes and not asked.doubtful:
        yield
        room_on = {**tally.slots, **asked.nodes}
        asked.copies = copies(survey.checks, snapshot, room_on, asked.nodes)
    return asked
