"""What a pod without a node waits for, from what the scheduler and the autoscaler said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gpuspawner.starting.growth import (
    GROWING,
    groups_that_grow,
    growing_since,
    is_node_coming,
    last_of_the_autoscaler,
)
from gpuspawner.starting.heard import Heard
from gpuspawner.starting.measured import NOTHING, Usual
from gpuspawner.starting.steps import condition

_MINUTE = 60.0
_SHORT = re.compile(r"\bInsufficient ([\w./-]+\w)")
_GPU = re.compile(r"(?:[\w.-]+/gpu|gpu\.intel\.com/\w+)")
_AS_SOON = "It starts as soon as there is one."

_LATER = "Waiting for a place in the cluster."
_OTHER_REASONS = (
    (
        "ReadWriteOncePod",
        "Waiting for its storage: another server uses it, and only one can at a time. Stop that "
        "one if it is yours.",
    ),
    (
        "unbound immediate PersistentVolumeClaims",
        "Waiting for its storage: the volume has not been made yet.",
    ),
    (
        "Volume binding started",
        "Waiting for its storage: the volume is being made.",
    ),
    (
        "persistentvolumeclaim",
        "Waiting for its storage, which does not exist in the cluster as yet.",
    ),
    (
        "cannot allocate all claims",
        f"Waiting for a place: no node has a device free of the kind it asks for. {_AS_SOON}",
    ),
    (
        "resourceclaim",
        "Waiting until the cluster has made the claim for its device.",
    ),
    (
        "Too many pods",
        f"Waiting for a place: the nodes take no more servers at present. {_AS_SOON}",
    ),
    (
        "exceed max volume count",
        f"Waiting for a place: the nodes can take no more volumes at present. {_AS_SOON}",
    ),
    (
        "volume node affinity conflict",
        "Waiting for a place: its storage can be used on some of the nodes only, and none of "
        "those takes it at present.",
    ),
    (
        "PersistentVolume's node affinity",
        "Waiting for a place: its storage can be used on some of the nodes only, and none of "
        "those takes it at present.",
    ),
    (
        "available persistent volumes to bind",
        "Waiting for its storage: no volume is free that suits it.",
    ),
    (
        "free ports",
        f"Waiting for a place: a network port that it needs is taken on each node. {_AS_SOON}",
    ),
    (
        "were unschedulable",
        "Waiting for a place: the nodes that it could run on are closed to new servers at present.",
    ),
    (
        "node.kubernetes.io/not-ready",
        "Waiting for a place: the nodes that it could run on are not ready.",
    ),
    (
        "affinity rules",
        "Waiting for a place: it must keep apart from, or close to, others that run already.",
    ),
    (
        "topology spread",
        "Waiting for a place: servers are spread over the nodes, and none may take one more at "
        "present.",
    ),
    (
        "node affinity/selector",
        "Waiting for a node of the kind it needs: there is none at present.",
    ),
    ("taint", "Waiting for a node of the kind it needs: there is none at present."),
    ("no nodes available", "Waiting for a place: the cluster has no nodes at present."),
)
"""Words of the scheduler's, the most telling first, and what they come to."""

_CANNOT_GROW = (
    ("in backoff after failed scale-up", "starting one has failed, and is tried again later"),
    ("quota", "the quota for nodes is used up"),
    ("max node group size reached", "as many nodes run as are allowed"),
    ("max limit reached", "as many nodes run as are allowed"),
    ("max cluster", "as many nodes run as are allowed"),
    ("max total nodes", "as many nodes run as are allowed"),
    ("exceed limits", "as many nodes run as are allowed"),
    ("Insufficient", "a new one would be too small"),
    ("didn't match", "none of the kinds that can be started would take it"),
    ("taint", "none of the kinds that can be started would take it"),
    ("incompatible", "none of the kinds that can be started would take it"),
)


def sentence(
    pod: Mapping[str, Any], heard: Sequence[Heard], now: datetime, usual: Usual = NOTHING
) -> str:
    """What is awaited before a node is found.

    Args:
        pod: in JSON.
        heard: what was said of it, the oldest first.
        now: to tell how long a node has been on its way.
        usual: how long that took before.
    """
    autoscaler = last_of_the_autoscaler(heard)
    if autoscaler and autoscaler.reason in GROWING:
        if not is_node_coming(autoscaler):
            return "A node was chosen for it. It starts when there is room on it."
        return _growing(heard, now, usual)
    if (pod.get("status") or {}).get("nominatedNodeName"):
        return (
            "A place was found for it: servers of lower priority are making way, and it starts "
            "when they have ended."
        )
    waits = _waits(pod, heard)
    return f"{waits} {_not_growing(autoscaler.text)}" if autoscaler else waits


def _waits(pod: Mapping[str, Any], heard: Sequence[Heard]) -> str:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "SchedulingGated":
        return "Waiting in a queue of the cluster, which has not let it through yet."
    text = str(scheduled.get("message") or "") or next(
        (one.text for one in reversed(heard) if one.reason == "FailedScheduling"), ""
    )
    short = _SHORT.findall(text)
    if short:
        return f"Waiting for a place: no node has {_missing(pod, short)} left. {_AS_SOON}"
    return next((words for said, words in _OTHER_REASONS if said in text), _LATER)


def _missing(pod: Mapping[str, Any], short: Sequence[str]) -> str:
    """``"a free GPU and enough memory"``: all of it at once is what no node has."""
    names = dict.fromkeys(_named(resource, _asked(pod, resource)) for resource in short)
    # The device is what people wait for.
    words = sorted(names, key=lambda name: "GPU" not in name)
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _named(resource: str, amount: str) -> str:
    several = amount.isdigit() and int(amount) > 1
    if "/mig-" in resource:
        return f"{amount} parts of GPUs" if several else "a part of a GPU"
    if resource.endswith(".shared"):
        return f"{amount} shares of GPUs" if several else "a share of a GPU"
    if _GPU.fullmatch(resource):
        return f"{amount} GPUs" if several else "a GPU"
    return _ENOUGH.get(resource, f"enough {resource}")


_ENOUGH = {
    "cpu": "enough CPU",
    "memory": "enough memory",
    "ephemeral-storage": "enough local disk",
}


def _asked(pod: Mapping[str, Any], resource: str) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        resources = container.get("resources") or {}
        for amounts in (resources.get("requests"), resources.get("limits")):
            if resource in (amounts or {}):
                return str((amounts or {})[resource])
    return ""


def _growing(heard: Sequence[Heard], now: datetime, usual: Usual) -> str:
    since = growing_since(heard)
    minutes = (now - since).total_seconds() / _MINUTE if since else 0.0
    words = "A node is being started for it"
    if minutes >= 1:
        words += f", for {minutes:.0f} min so far"
    typical = usual.node(groups_that_grow(heard))
    return f"{words}; {typical.briefly}." if typical else f"{words}."


def _not_growing(text: str) -> str:
    why = next((words for said, words in _CANNOT_GROW if said in text), "")
    return f"No new node can be started for it{f': {why}' if why else ''}."
