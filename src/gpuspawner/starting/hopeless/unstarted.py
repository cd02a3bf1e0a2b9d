"""Of which a container waits: its image, its configuration or its node are not as it needs them."""

from __future__ import annotations

import re

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting.containers import ContainerState
from gpuspawner.starting.hopeless.over import crash
from gpuspawner.starting.hopeless.reasons import (
    AGAIN_OR_TELL,
    CHOOSE,
    INIT_RESTARTS,
    LATER,
    RETRYING,
    SYNCING,
    TELL,
    Hopeless,
)
from gpuspawner.starting.pulls import PullFailure, pull_failure


def of_container(state: ContainerState) -> Hopeless | None:
    """Of a container of a pod that has its node."""
    reason, enough = state.waiting, INIT_RESTARTS if state.is_init else 1
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        return _of_pull(state)
    if reason in _IMAGE_WORDS:
        words, patience, remedy = _IMAGE_WORDS[reason]
        return _of_image(state, words, remedy, patience)
    if reason == "CreateContainerConfigError":
        return of_configuration(state.message)
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


MISSING = re.compile(r'(?P<kind>secret|configmap) "[^"]*" not found|find key|non-existent', re.I)


def of_configuration(message: str) -> Hopeless:
    """Of what a container or a volume is configured with, in the words of kubelet."""
    if "runAsNonRoot" in message:
        words = _("The image would run as root, which is not allowed here.")
        return Hopeless("image", f"{words} {_(CHOOSE)}", message)
    words = _("The server is configured with something that does not exist in the cluster.")
    missing = MISSING.search(message)
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
