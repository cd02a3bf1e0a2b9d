"""What is left of a verdict if some of what is on the nodes could not be read."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from gpuspawner.fit.verdict import Verdict

UNREADABLE = "an object that cannot be read"


def doubted(
    verdict: Verdict, nodes: Collection[str | None], *, hides_a_node: bool = False
) -> Verdict:
    """A yes becomes unknown where it rests on doubtful nodes alone, and so does eviction.

    A pod that cannot be read only takes away, so a no stays what it is; a node that cannot be
    read may be the one that takes the pod. How many devices there are, and how many of them are
    held, is not known then.

    Args:
        verdict: what was judged without the objects that cannot be read.
        nodes: where these are, or what they are; None if that cannot be told.
        hides_a_node: whether a node is among them.
    """
    if not nodes:
        return verdict
    verdict = replace(verdict, devices=None, slots_taken=None)
    if not verdict.fits:
        return _doubted_no(verdict, hides_a_node=hides_a_node)
    sound = {} if None in nodes else {n: s for n, s in verdict.nodes.items() if n not in nodes}
    if len(sound) == len(verdict.nodes):
        return verdict
    lost = sum(slots for node, slots in verdict.nodes.items() if node not in sound)
    slots = None if verdict.slots is None else max(1, verdict.slots - lost)
    return replace(
        verdict,
        fits=True if sound else None,
        nodes=sound,
        slots=slots if sound else None,
        is_bounded=False,
        unchecked=_with_doubt(verdict),
    )


def _doubted_no(verdict: Verdict, *, hides_a_node: bool) -> Verdict:
    if verdict.evicts:
        verdict = replace(verdict, evicts=None, unchecked=_with_doubt(verdict))
    if not hides_a_node:
        return verdict
    if verdict.refusal:
        return replace(verdict, never=False)
    if verdict.blocked or verdict.queued:
        return verdict
    return replace(verdict, fits=None, slots=None, never=False, unchecked=_with_doubt(verdict))


def _with_doubt(verdict: Verdict) -> tuple[str, ...]:
    return tuple(sorted({*verdict.unchecked, UNREADABLE}))
