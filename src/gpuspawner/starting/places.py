"""What a pod without a node waits for, from what the scheduler and the autoscaler said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, listed, ngettext
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
_LATER = gettext_noop("Waiting for a place in the cluster.")
_OTHER_REASONS = (
    (
        "ReadWriteOncePod",
        gettext_noop(
            "Waiting for its storage: another server uses it, and only one can at a time. Stop "
            "that one if it is yours."
        ),
    ),
    (
        "unbound immediate PersistentVolumeClaims",
        gettext_noop("Waiting for its storage: the volume has not been made yet."),
    ),
    ("Volume binding started", gettext_noop("Waiting for its storage: the volume is being made.")),
    (
        "persistentvolumeclaim",
        gettext_noop("Waiting for its storage, which does not exist in the cluster as yet."),
    ),
    (
        "cannot allocate all claims",
        gettext_noop(
            "Waiting for a place: no node has a device free of the kind it asks for. It starts as "
            "soon as there is one."
        ),
    ),
    (
        "resourceclaim",
        gettext_noop("Waiting until the cluster has made the claim for its device."),
    ),
    (
        "Too many pods",
        gettext_noop(
            "Waiting for a place: the nodes take no more servers at present. It starts as soon as "
            "there is one."
        ),
    ),
    (
        "exceed max volume count",
        gettext_noop(
            "Waiting for a place: the nodes can take no more volumes at present. It starts as "
            "soon as there is one."
        ),
    ),
    (
        "volume node affinity conflict",
        gettext_noop(
            "Waiting for a place: its storage can be used on some of the nodes only, and none of "
            "those takes it at present."
        ),
    ),
    (
        "PersistentVolume's node affinity",
        gettext_noop(
            "Waiting for a place: its storage can be used on some of the nodes only, and none of "
            "those takes it at present."
        ),
    ),
    (
        "available persistent volumes to bind",
        gettext_noop("Waiting for its storage: no volume is free that suits it."),
    ),
    (
        "free ports",
        gettext_noop(
            "Waiting for a place: a network port that it needs is taken on each node. It starts "
            "as soon as there is one."
        ),
    ),
    (
        "were unschedulable",
        gettext_noop(
            "Waiting for a place: the nodes that it could run on are closed to new servers at "
            "present."
        ),
    ),
    (
        "node.kubernetes.io/not-ready",
        gettext_noop("Waiting for a place: the nodes that it could run on are not ready."),
    ),
    (
        "affinity rules",
        gettext_noop(
            "Waiting for a place: it must keep apart from, or close to, others that run already."
        ),
    ),
    (
        "topology spread",
        gettext_noop(
            "Waiting for a place: servers are spread over the nodes, and none may take one more "
            "at present."
        ),
    ),
    (
        "node affinity/selector",
        gettext_noop("Waiting for a node of the kind it needs: there is none at present."),
    ),
    ("taint", gettext_noop("Waiting for a node of the kind it needs: there is none at present.")),
    (
        "no nodes available",
        gettext_noop("Waiting for a place: the cluster has no nodes at present."),
    ),
)
"""Words of the scheduler's, the most telling first, and what they come to."""

_ALL_RUN = gettext_noop("No new node can be started for it: as many nodes run as are allowed.")
_NONE_TAKES_IT = gettext_noop(
    "No new node can be started for it: none of the kinds that can be started would take it."
)
_NOT_GROWING = gettext_noop("No new node can be started for it.")
_CANNOT_GROW = (
    (
        "in backoff after failed scale-up",
        gettext_noop(
            "No new node can be started for it: starting one has failed, and is tried again later."
        ),
    ),
    ("quota", gettext_noop("No new node can be started for it: the quota for nodes is used up.")),
    ("max node group size reached", _ALL_RUN),
    ("max limit reached", _ALL_RUN),
    ("max cluster", _ALL_RUN),
    ("max total nodes", _ALL_RUN),
    ("exceed limits", _ALL_RUN),
    (
        "Insufficient",
        gettext_noop("No new node can be started for it: a new one would be too small."),
    ),
    ("didn't match", _NONE_TAKES_IT),
    ("taint", _NONE_TAKES_IT),
    ("incompatible", _NONE_TAKES_IT),
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
            return _("A node was chosen for it. It starts when there is room on it.")
        return _growing(heard, now, usual)
    if (pod.get("status") or {}).get("nominatedNodeName"):
        return _(
            "A place was found for it: servers of lower priority are making way, and it starts "
            "when they have ended."
        )
    waits = _waits(pod, heard)
    return f"{waits} {_not_growing(autoscaler.text)}" if autoscaler else waits


def _waits(pod: Mapping[str, Any], heard: Sequence[Heard]) -> str:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "SchedulingGated":
        return _("Waiting in a queue of the cluster, which has not let it through yet.")
    text = str(scheduled.get("message") or "") or next(
        (one.text for one in reversed(heard) if one.reason == "FailedScheduling"), ""
    )
    short = _SHORT.findall(text)
    if short:
        words = _(
            "Waiting for a place: no node has {missing} left. It starts as soon as there is one."
        )
        return words.format(missing=_missing(pod, short))
    return _(next((words for said, words in _OTHER_REASONS if said in text), _LATER))


def _missing(pod: Mapping[str, Any], short: Sequence[str]) -> str:
    """``"a free GPU and enough memory"``: all of it at once is what no node has."""
    names = dict.fromkeys(_named(resource, _asked(pod, resource)) for resource in short)
    # The device is what people wait for.
    return listed(sorted(names, key=lambda name: "GPU" not in name))


def _named(resource: str, amount: str) -> str:
    number = int(amount) if amount.isdigit() and int(amount) > 1 else 1
    if "/mig-" in resource:
        words = ngettext("a part of a GPU", "{number} parts of GPUs", number)
    elif resource.endswith(".shared"):
        words = ngettext("a share of a GPU", "{number} shares of GPUs", number)
    elif _GPU.fullmatch(resource):
        words = ngettext("a GPU", "{number} GPUs", number)
    else:
        words = _(_ENOUGH.get(resource, _ENOUGH_OF_IT))
    return words.format(number=number, resource=resource)


_ENOUGH = {
    "cpu": gettext_noop("enough CPU"),
    "memory": gettext_noop("enough memory"),
    "ephemeral-storage": gettext_noop("enough local disk"),
}
_ENOUGH_OF_IT = gettext_noop("enough {resource}")


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
    words = _("A node is being started for it")
    if minutes >= 1:
        words = _("A node is being started for it, for {minutes} min so far")
        words = words.format(minutes=f"{minutes:.0f}")
    typical = usual.node(groups_that_grow(heard))
    return f"{words}; {typical.briefly}." if typical else f"{words}."


def _not_growing(text: str) -> str:
    return _(next((words for said, words in _CANNOT_GROW if said in text), _NOT_GROWING))
