"""Whether a pod that is starting can still come to run, told from its status and its events.

Kubernetes never gives up: a pod whose image does not exist stays Pending for as long as it is let.
What cannot mend itself is told from what may pass, and where one look cannot tell, from how long
it has stood (`Hopeless.patience`). The states and their words are those of kubelet (pkg/kubelet/
images, kuberuntime and lifecycle), of the scheduler and of the cluster autoscaler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting.containers import ContainerState, container_states
from gpuspawner.starting.pulls import PullFailure, pull_failure

Json = Mapping[str, Any]

SETTLING = 10.0
"""Seconds for what may be made a moment after the pod: a Secret of KubeSpawner's, a claim."""
SYNCING = 15.0
"""Seconds in which kubelet, after 10 s, tries again to make a container."""
RETRYING = 60.0
"""Seconds in which kubelet pulls an image three times (it waits 10 s, then 20 s)."""
GROWING = 30.0
"""Seconds for an autoscaler to say whether it helps; it looks every 10 s."""
MOUNT_ATTEMPTS = 4
"""Of a volume: kubelet waits 0.5 s after the first, and twice as long each time."""
INIT_RESTARTS = 3
"""An init container may wait for something by failing."""

CHOOSE = gettext_noop("Choose another image or profile, or tell the people who run this hub.")
TELL = gettext_noop("Tell the people who run this hub; until it is mended, choose another profile.")
AGAIN = gettext_noop("Try again.")
AGAIN_OR_TELL = gettext_noop(
    "Try again; if it happens once more, choose another profile and tell the people who run "
    "this hub."
)
LATER = gettext_noop("Try again in a few minutes, or choose another image or profile.")


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Why a start will not succeed.

    Attributes:
        code: ``"image"``, ``"volume-claim"``, ``"never-fits"``, ``"device"``, ``"configuration"``,
            ``"crash"``, ``"node"`` or ``"busy"``.
        words: for the person, in their language; what is wrong and what to do.
        detail: the cluster's own words, for the log only: they may hold names and paths.
        patience: seconds that this has to have stood before the start is to be ended.
    """

    code: str
    words: str
    detail: str = ""
    patience: float = 0.0


def hopeless(pod: Json, events: Iterable[Json], *, may_grow: bool = False) -> Hopeless | None:
    """Why `pod` will not come to run; None while it may.

    Args:
        pod: as the API gives it, in JSON.
        events: of pods; those of another pod, also of one that had this one's name, do not count.
        may_grow: whether a node may be on its way though `events` say nothing of it: the
            scheduler's words tell only of the nodes that are there.
    """
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if "deletionTimestamp" in metadata:
        return None
    own = [e for e in events if (e.get("involvedObject") or {}).get("uid") == metadata.get("uid")]
    phase = status.get("phase")
    if phase in ("Failed", "Succeeded"):
        return ended(pod)
    if not (pod.get("spec") or {}).get("nodeName"):
        return _unscheduled(pod, own, may_grow=may_grow)
    found = [each for state in container_states(pod) if (each := _of_container(state))]
    found += _unmounted(pod, own)
    return min(found, key=lambda each: each.patience, default=None)


def ended(pod: Json) -> Hopeless:
    """Of a pod that is over; kubelet starts none of its containers again."""
    status = pod["status"]
    reason, detail = str(status.get("reason") or ""), str(status.get("message") or "")
    device = _device(pod)
    if reason.startswith("OutOf"):
        words = _("What was free for the server was taken by another at the last moment.")
        return Hopeless("busy", f"{words} {_(AGAIN)}", detail)
    if device and reason in ("UnexpectedAdmissionError", "TopologyAffinityError"):
        words = _("The node could not hand over what the server asks for ({device}).")
        words = words.format(device=device)
        return Hopeless("device", f"{words} {_(AGAIN_OR_TELL)}", detail)
    over = [state for state in container_states(pod) if state.terminated]
    if over and not reason:
        return crash(next((state for state in over if state.exit_code), over[0]), detail)
    words = _(_ENDED.get(reason, _NOT_TAKEN))
    return Hopeless("node", f"{words} {_(AGAIN_OR_TELL)}", f"{reason}: {detail}")


_ENDED = {
    "Evicted": gettext_noop("The node ran short of memory or disk space and ended the server."),
    "DeadlineExceeded": gettext_noop("The time limit of the server passed before it had started."),
    "Preempting": gettext_noop("The server had to give way to something more urgent."),
}
_NOT_TAKEN = gettext_noop(
    "The node that was chosen for the server did not take it, or was shut down."
)


def _device(pod: Json) -> str:
    """An extended resource that the pod asks for, such as ``nvidia.com/gpu``; empty if none."""
    for container in pod["spec"].get("containers") or ():
        for name in (container.get("resources") or {}).get("limits") or ():
            if "/" in name:
                return str(name)
    return ""


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


def _unscheduled(pod: Json, events: list[Json], *, may_grow: bool) -> Hopeless | None:
    condition: Json = next((c for c in _conditions(pod) if c.get("type") == "PodScheduled"), {})
    message = str(condition.get("message") or "")
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


def _conditions(pod: Json) -> Iterable[Json]:
    return (pod.get("status") or {}).get("conditions") or ()


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


def _of_container(state: ContainerState) -> Hopeless | None:
    reason, enough = state.waiting, INIT_RESTARTS if state.is_init else 1
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        return _of_pull(state)
    if reason in _IMAGE_WORDS:
        words, patience, remedy = _IMAGE_WORDS[reason]
        return _of_image(state, words, remedy, patience)
    if reason == "CreateContainerConfigError":
        return _of_configuration(state.message)
    if state.could_not_start:
        return _of_start_error(state)
    is_looping = reason == "CrashLoopBackOff" and state.restarts >= enough
    return crash(state, state.message) if is_looping or state.will_not_run_again else None


_IMAGE_WORDS = {
    "InvalidImageName": (gettext_noop("{image} is not the name of an image."), 0.0, CHOOSE),
    "ErrImageNeverPull": (
        gettext_noop("The node does not have the image {image}, and may not pull it."),
        0.0,
        CHOOSE,
    ),
    "SignatureValidationFailed": (
        gettext_noop("The signature of the image {image} is not valid."),
        0.0,
        CHOOSE,
    ),
    "RegistryUnavailable": (
        gettext_noop("The registry of the image {image} does not answer."),
        RETRYING,
        LATER,
    ),
    "ImageInspectError": (
        gettext_noop("The node cannot read the image {image}."),
        RETRYING,
        CHOOSE,
    ),
}
_PULL_WORDS = {
    PullFailure.NOT_FOUND: (
        gettext_noop("The image {image} does not exist: its registry does not have it."),
        CHOOSE,
    ),
    PullFailure.DENIED: (
        gettext_noop(
            "The image {image} cannot be pulled: its registry does not have it, or does not let "
            "this cluster have it."
        ),
        CHOOSE,
    ),
    PullFailure.OTHER_PLATFORM: (
        gettext_noop("The image {image} is not made for the kind of processor that the node has."),
        CHOOSE,
    ),
    PullFailure.RATE_LIMITED: (
        gettext_noop(
            "The image {image} could not be pulled: its registry allows no more pulls at present."
        ),
        LATER,
    ),
    PullFailure.NO_SPACE: (
        gettext_noop("The node has no disk space left for the image {image}."),
        TELL,
    ),
    PullFailure.UNANSWERED: (
        gettext_noop("The image {image} could not be pulled in several attempts."),
        LATER,
    ),
}


def _of_pull(state: ContainerState) -> Hopeless:
    failure = pull_failure(state.message, state.image)
    words, remedy = _PULL_WORDS[failure]
    patience = 0.0 if failure.is_final else RETRYING
    remedy = remedy if state.is_main else TELL
    return _of_image(state, words, remedy, patience)


def _of_image(state: ContainerState, words: str, remedy: str, patience: float) -> Hopeless:
    words = _(words).format(image=state.image)
    return Hopeless("image", f"{words} {_(remedy)}", state.message, patience)


_MISSING = re.compile(r'(?P<kind>secret|configmap) "[^"]*" not found|find key|non-existent', re.I)


def _of_configuration(message: str) -> Hopeless:
    if "runAsNonRoot" in message:
        words = _("The image would run as root, which is not allowed here.")
        return Hopeless("image", f"{words} {_(CHOOSE)}", message)
    words = _("The server is configured with something that does not exist in the cluster.")
    missing = _MISSING.search(message)
    if missing and missing["kind"]:
        kind = {"secret": "Secret", "configmap": "ConfigMap"}[missing["kind"].lower()]
        words = _("The server is configured with a {kind} that does not exist in the cluster.")
        words = words.format(kind=kind)
    elif not missing:
        words = _("The server's container cannot be made as it is configured.")
    patience = SYNCING if missing else RETRYING
    return Hopeless("configuration", f"{words} {_(TELL)}", message, patience)


_NO_COMMAND = re.compile(r"executable file not found|exec: .*(no such file|permission denied)")
_NO_DRIVER = re.compile(r"nvidia-container|unresolvable CDI devices")


def _of_start_error(state: ContainerState) -> Hopeless:
    """Of a container that the runtime could not make or start."""
    message = state.message
    if _NO_DRIVER.search(message):
        words = _("The node could not make its GPU available to the server.")
        return Hopeless("device", f"{words} {_(AGAIN_OR_TELL)}", message, SYNCING)
    if _NO_COMMAND.search(message) or "no command specified" in message:
        words = gettext_noop(
            "The image {image} does not contain the program that was to be started."
        )
        return _of_image(state, words, CHOOSE, 0.0)
    words = _("The node could not start the server's container.")
    return Hopeless("configuration", f"{words} {_(TELL)}", message, RETRYING)


def crash(state: ContainerState, detail: str) -> Hopeless:
    """Of a container that has ended, and should not have."""
    message = _CRASH_WORDS[state.is_main, state.exit_reason == "OOMKilled"]
    words = _(message).format(code=state.exit_code)
    return Hopeless("crash", f"{words} {_(CHOOSE if state.is_main else TELL)}", detail)


_CRASH_WORDS = {
    (True, False): gettext_noop("The server ended right after its start (exit code {code})."),
    (True, True): gettext_noop("The server ran out of memory while it started."),
    (False, False): gettext_noop(
        "A container that the server needs ended right after its start (exit code {code})."
    ),
    (False, True): gettext_noop(
        "A container that the server needs ran out of memory while it started."
    ),
}
"""By whether it is the server itself, and whether its memory was used up."""


_MOUNTED = frozenset({"Pulling", "Pulled", "Created", "Started"})
_NO_RUNTIME = re.compile(r'no runtime for "[^"]*" is configured')


def _unmounted(pod: Json, events: list[Json]) -> list[Hopeless]:
    """What only events tell, while volumes are mounted and the sandbox is made."""
    has_sandbox = any(
        c.get("type") == "PodReadyToStartContainers" and c.get("status") == "True"
        for c in _conditions(pod)
    )
    if has_sandbox or any(e.get("reason") in _MOUNTED for e in events):
        return []
    found = []
    times: dict[str, int] = {}
    for event in events:
        reason, message = event.get("reason"), str(event.get("message") or "")
        count = (event.get("series") or {}).get("count") or event.get("count") or 1
        times[str(reason)] = times.get(str(reason), 0) + count
        is_missing = _MISSING.search(message) or "hostPath type check failed" in message
        if reason == "FailedMount" and is_missing and count >= MOUNT_ATTEMPTS:
            found.append(_of_configuration(message))
        if _NO_RUNTIME.search(message) and times["FailedCreatePodSandBox"] > 1:
            words = _("The node lacks the container runtime that this profile asks for.")
            found.append(Hopeless("configuration", f"{words} {_(TELL)}", message, SETTLING))
    return found
