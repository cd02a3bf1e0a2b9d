"""What no node takes: its volume's claim is in the way, or no node can ever be for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting.hopeless.reasons import GROWING, SETTLING, TELL, Hopeless
from gpuspawner.starting.steps import condition

Json = Mapping[str, Any]

_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" (not found|is being deleted|bound to)')
_CLAIM_WORDS = {
    "not found": (
        gettext_noop(
            'The volume "{volume}" does not exist in the cluster, so the server cannot start.'
        ),
        gettext_noop(
            "A volume of this server does not exist in the cluster, so the server cannot start."
        ),
    ),
    "is being deleted": (
        gettext_noop('The volume "{volume}" is being deleted, so the server cannot start.'),
        gettext_noop("A volume of this server is being deleted, so the server cannot start."),
    ),
    "bound to": (
        gettext_noop('The volume "{volume}" has lost its storage, so the server cannot start.'),
        gettext_noop("A volume of this server has lost its storage, so the server cannot start."),
    ),
}
"""Of a volume that the pod has a name for, and of one that it has none for."""
_NO_NODES = re.compile(r"0/(\d+) nodes are available: (?P<reasons>.*?)\.(?: (?P<preemption>.*))?$")
_LASTING = re.compile(
    r"\d+ node\(s\) (didn't match Pod's node affinity/selector"
    # Before 1.33; since then the scheduler does not say which taint, and so not whether it passes.
    r"|had untolerated taint \{(?!node\.kubernetes\.io/|[^}:]*autoscaler)[^}]*\})"
)
_TOO_SMALL = re.compile(r"\d+ Insufficient (cpu|memory|ephemeral-storage)")
"""Of an extended resource a node may have none while its device plugin starts."""
_GROWTH = ("TriggeredScaleUp", "Nominated")
"""Of the cluster autoscaler and of Karpenter: a node is on its way."""
_NO_GROWTH = ("NotTriggerScaleUp", "FailedScheduling")
"""Of the cluster autoscaler; of Karpenter, and of the scheduler."""
_PASSING_REFUSAL = re.compile(
    r"max (?:node group|cluster|total|limit)|quota|backoff|not ready|in progress"
    # Karpenter's: other servers use up what a pool may have, or the cloud has none at present.
    r"|exceed(?:s|ed)? limits?|limits? exceeded|offering"
)


def without_a_node(pod: Json, events: Sequence[Json], *, may_grow: bool) -> Hopeless | None:
    """Of a pod for which no node is chosen; `events` are its own."""
    message = str(condition(pod, "PodScheduled").get("message") or "")
    claim = _CLAIM.search(message)
    if claim:
        volume = _volume_of(pod, claim[1])
        named, unnamed = _CLAIM_WORDS[claim[2]]
        words = _(named).format(volume=volume) if volume else _(unnamed)
        return Hopeless("volume-claim", f"{words} {_(TELL)}", message, SETTLING)
    said = {str(e.get("reason")) for e in events}
    if may_grow or said.intersection(_GROWTH) or not _is_lasting(message):
        return None
    refusals = [str(e.get("message")) for e in events if e.get("reason") in _NO_GROWTH]
    if any(_PASSING_REFUSAL.search(refusal) for refusal in refusals):
        return None
    words = _(
        "No node of the cluster can ever run this server: none is of its kind and large enough. "
        "Choose another profile, and tell the people who run this hub."
    )
    patience = SETTLING if "NotTriggerScaleUp" in said else GROWING
    return Hopeless("never-fits", words, message, patience)


def _is_lasting(message: str) -> bool:
    """Whether every node is ruled out by what it is, and not by what runs there."""
    match = _NO_NODES.match(message)
    if not match:
        return False
    # A node that is only full would say "No preemption victims found".
    too_small = f" {match[1]} Preemption is not helpful for scheduling"
    is_too_small = too_small in (match["preemption"] or "")
    return all(
        _LASTING.fullmatch(reason) or (is_too_small and _TOO_SMALL.fullmatch(reason))
        for reason in match["reasons"].split(", ")
    )


def _volume_of(pod: Json, claim: str) -> str:
    """The volume's name in the pod, empty if unknown: a claim's name may be that of a person."""
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim:
            return str(volume["name"])
    return ""
