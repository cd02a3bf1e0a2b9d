"""What the scheduler and the autoscaler said of a pod that found no node in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop

_GROWING = gettext_noop("{words}; a node is being started, so try again in a few minutes")
_SAID = {
    "TriggeredScaleUp": _GROWING,
    "Nominated": _GROWING,  # Karpenter's word
    "NotTriggerScaleUp": gettext_noop("{words}; and no node can be started for it"),
}


def why_unscheduled(pod: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> str:
    """The scheduler's words, and what became of a new node; empty once the pod has a node.

    Args:
        pod: in JSON, as last heard of.
        events: of this pod, the oldest first.
    """
    conditions = (pod.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            words = str(condition.get("message") or condition.get("reason") or "")
            said = [_SAID[reason] for event in events if (reason := event.get("reason")) in _SAID]
            return _(said[-1]).format(words=words.rstrip(".")) if said else words
    return ""
