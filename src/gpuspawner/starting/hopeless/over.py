"""What has ended, a pod or a container of it, and does not run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting.containers import ContainerState, container_states
from gpuspawner.starting.hopeless.reasons import AGAIN, AGAIN_OR_TELL, CHOOSE, TELL, Hopeless

Json = Mapping[str, Any]


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
