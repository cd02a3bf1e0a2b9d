"""How far a start has come, as six steps in the order in which Kubernetes takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gpuspawner.language import gettext_noop
from gpuspawner.starting.heard import Heard, about


class Step(StrEnum):
    """A step of a start; the value is its stable name."""

    ADMITTED = "admitted"
    SCHEDULED = "scheduled"
    VOLUMES = "volumes"
    IMAGE = "image"
    CONTAINER = "container"
    NOTEBOOK = "notebook"

    @property
    def in_words(self) -> str:
        """What a person reads, as a message for gettext."""
        return _IN_WORDS[self]


_IN_WORDS = {
    Step.ADMITTED: gettext_noop("Accepted by the cluster"),
    Step.SCHEDULED: gettext_noop("A place on a node"),
    Step.VOLUMES: gettext_noop("Storage"),
    Step.IMAGE: gettext_noop("Image"),
    Step.CONTAINER: gettext_noop("Container"),
    Step.NOTEBOOK: gettext_noop("Notebook server"),
}


class Standing(StrEnum):
    """Where a step is; the value is what a person reads, as a message for gettext."""

    DONE = gettext_noop("done")
    CURRENT = gettext_noop("current")
    TO_COME = gettext_noop("to come")


@dataclass(frozen=True, slots=True)
class StepNow:
    """A step and where it is."""

    step: Step
    standing: Standing


def steps_up_to(current: Step) -> tuple[StepNow, ...]:
    """Every step, when `current` is under way."""
    order = tuple(Step)
    at = order.index(current)
    return tuple(
        StepNow(step, Standing.DONE if i < at else Standing.TO_COME if i > at else Standing.CURRENT)
        for i, step in enumerate(order)
    )


def current_step(pod: Mapping[str, Any], heard: Sequence[Heard]) -> Step:
    """The step that is under way.

    The pod's status counts, and what the kubelet said where the status is silent: it says
    nothing of images, and of volumes only since Kubernetes 1.29.

    Args:
        pod: in JSON; empty as long as there is none.
        heard: what was said of it.
    """
    if not pod or (pod.get("metadata") or {}).get("deletionTimestamp"):
        return Step.ADMITTED
    said = {one.reason for one in about(heard, notebook_container(pod))}
    if is_running(pod) or "Started" in said:
        return Step.NOTEBOOK
    if said & {"Pulled", "Created"}:
        return Step.CONTAINER
    if _are_volumes_there(pod, heard):
        return Step.IMAGE
    return Step.VOLUMES if is_scheduled(pod, heard) else Step.SCHEDULED


def is_scheduled(pod: Mapping[str, Any], heard: Sequence[Heard]) -> bool:
    """Whether the pod has a node."""
    return (
        bool((pod.get("spec") or {}).get("nodeName"))
        or condition(pod, "PodScheduled").get("status") == "True"
        or any(one.reason == "Scheduled" for one in heard)
    )


def is_running(pod: Mapping[str, Any]) -> bool:
    """Whether the notebook's container runs at this moment."""
    return "running" in notebook_state(pod)


def notebook_container(pod: Mapping[str, Any]) -> str:
    """The name of the container with the notebook: KubeSpawner puts it first."""
    containers: Sequence[Mapping[str, Any]] = (pod.get("spec") or {}).get("containers") or ()
    return str(containers[0].get("name") or "") if containers else ""


def notebook_state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state of the notebook's container: ``{"waiting": {"reason": ...}}`` and the like."""
    name = notebook_container(pod)
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == name:
            return status.get("state") or {}
    return {}


def condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of the pod; empty if it has none of this type."""
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == kind:
            found: Mapping[str, Any] = one
            return found
    return {}


_OF_AN_IMAGE = frozenset({"Pulling", "Pulled", "Created", "Started", "FailedCreatePodSandBox"})


def _are_volumes_there(pod: Mapping[str, Any], heard: Sequence[Heard]) -> bool:
    """Whether the kubelet is past the volumes: it mounts all before it makes the sandbox."""
    return condition(pod, "PodReadyToStartContainers").get("status") == "True" or any(
        one.reason in _OF_AN_IMAGE for one in heard
    )
