"""What a start waits for, as one or two sentences for the person who waits.

The words of kube-scheduler, the kubelet, the attach-detach controller, cluster-autoscaler and
Karpenter are only matched here, never shown: `gpuspawner.starting.cleaning` is for whoever wants
to read them. What is not known gives a sentence that says no more than the step does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting import places
from gpuspawner.starting.heard import Heard, about
from gpuspawner.starting.measured import NOTHING, Usual
from gpuspawner.starting.measuring import DURATION, pulling, seconds_in
from gpuspawner.starting.steps import (
    Step,
    condition,
    notebook_container,
    notebook_state,
)

_MINUTE = 60.0
_TOOK = re.compile(rf" in ({DURATION})")


def sentence(
    step: Step,
    pod: Mapping[str, Any],
    heard: Sequence[Heard],
    now: datetime,
    usual: Usual = NOTHING,
) -> str:
    """What is awaited now.

    Args:
        step: the step that is under way.
        pod: in JSON; empty as long as there is none.
        heard: what was said of it, the oldest first.
        now: to tell how long something has taken so far.
        usual: how long nodes and images took here.
    """
    match step:
        case Step.ADMITTED:
            return _admitted(pod)
        case Step.SCHEDULED:
            return places.sentence(pod, heard, now, usual)
        case Step.VOLUMES:
            return _volumes(heard)
        case Step.IMAGE:
            return _image(pod, heard, now, usual)
        case Step.CONTAINER:
            return _container(pod, heard)
        case Step.NOTEBOOK:
            return _notebook(pod)


def _admitted(pod: Mapping[str, Any]) -> str:
    if pod:
        return _("Your previous server is still being removed. The new one follows it.")
    return _("The cluster is being asked for your server.")


_VOLUMES = gettext_noop("Your server has a place on a node. Its storage is being attached.")
_MISSING = re.compile(r'\b(?:secret|configmap|persistentvolumeclaim) "[^"]*" not found')
_IN_USE = gettext_noop(
    "Its storage is still attached to another node and cannot be used on two at once. It is tried "
    "again until that ends; another server of yours that uses the same storage has to be stopped "
    "first."
)


def _volumes(heard: Sequence[Heard]) -> str:
    """The last word on the volumes counts."""
    for one in reversed(heard):
        for reason, words in _OF_VOLUMES:
            if one.reason == reason:
                return _(words(one.text))
    return _(_VOLUMES)


def _not_attached(text: str) -> str:
    if "Multi-Attach" in text:
        return _IN_USE
    return gettext_noop("Attaching its storage has failed. It is tried again.")


def _not_mounted(text: str) -> str:
    if _MISSING.search(text):
        return gettext_noop(
            "Something that its storage is made of does not exist in the cluster. It is tried "
            "again, but the people who run this hub may have to mend it."
        )
    if "timed out" in text or "timeout expired" in text:
        return gettext_noop("Its storage takes long to get ready. It is tried again.")
    return gettext_noop("Its storage could not be mounted. It is tried again.")


def _attached(_text: str) -> str:
    return gettext_noop("Its storage is attached and is being mounted.")


_OF_VOLUMES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("FailedAttachVolume", _not_attached),
    ("FailedMount", _not_mounted),
    ("FailedMapVolume", _not_mounted),
    ("SuccessfulAttachVolume", _attached),
)
"""By the reason of an event: a message for gettext, from the event's text."""

_NOT_PULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"})


def _image(pod: Mapping[str, Any], heard: Sequence[Heard], now: datetime, usual: Usual) -> str:
    if (notebook_state(pod).get("waiting") or {}).get("reason") in _NOT_PULLED:
        return _("The image could not be pulled. It is tried again.")
    for one in reversed(heard):
        if one.reason == "Pulling":
            words = _pulling(one, now)
            typical = usual.image(pulling(one.text))
            return f"{words}; {typical.briefly}." if typical else f"{words}."
        if one.reason == "FailedCreatePodSandBox":
            return _("The node could not set up the network for your server. It is tried again.")
        if one.reason in ("Created", "Started"):
            return _("Your server is being prepared: a first container runs before it.")
    return _("The node is getting ready to run your server.")


def _pulling(said: Heard, now: datetime) -> str:
    """A sentence without its full stop."""
    minutes = (now - said.at).total_seconds() / _MINUTE if said.at else 0.0
    if minutes < 1:
        if said.is_before:
            return _("What prepares your server is being pulled")
        return _("The image is being pulled")
    words = (
        _("What prepares your server is being pulled, for {minutes} min so far")
        if said.is_before
        else _("The image is being pulled, for {minutes} min so far")
    )
    return words.format(minutes=f"{minutes:.0f}")


def _container(pod: Mapping[str, Any], heard: Sequence[Heard]) -> str:
    state = notebook_state(pod)
    if "terminated" in state or (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        return _("Your server ended right after it was started. It is started again.")
    for one in reversed(about(heard, notebook_container(pod))):
        if one.reason == "Failed":
            return _("The container could not be made or started. It is tried again.")
        if one.reason == "Created":
            break
        if one.reason == "Pulled":
            words = _("The container is being made.")
            return f"{_pulled(one.text)} {words}"
    return _("The container is being started.")


def _pulled(text: str) -> str:
    took = _TOOK.search(text)
    if took is None:
        return _("The image is on the node already.")
    seconds = seconds_in(took[1])
    if seconds < 1:
        return _("The image was pulled in less than a second.")
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return _("The image was pulled in {seconds} s.").format(seconds=left)
    words = _("The image was pulled in {minutes} min {seconds} s.")
    return words.format(minutes=minutes, seconds=left)


def _notebook(pod: Mapping[str, Any]) -> str:
    if condition(pod, "Ready").get("status") == "True":
        return _("The notebook server runs. The hub is connecting to it.")
    return _("The notebook server is starting.")
