"""Whether the pod of a start is gone, or its notebook ended after it had come to run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop
from gpuspawner.starting.containers import ContainerState, container_states
from gpuspawner.starting.hopeless import AGAIN, AGAIN_OR_TELL, Hopeless, crash, ended
from gpuspawner.starting.steps import condition

Json = Mapping[str, Any]

DELETED = "deleted"

_DISRUPTIONS = {
    "PreemptionByScheduler": (
        gettext_noop("The server had to give way to something more urgent."),
        AGAIN,
    ),
    "DeletionByTaintManager": (
        gettext_noop("The node of the server failed or was closed, which ended the server."),
        AGAIN_OR_TELL,
    ),
    "EvictionByEvictionAPI": (
        gettext_noop(
            "The cluster emptied the node of the server, as it does to service a node or to save "
            "one."
        ),
        AGAIN,
    ),
    "DeletionByPodGC": (gettext_noop("The node of the server is gone."), AGAIN_OR_TELL),
    "TerminationByKubelet": (
        gettext_noop(
            "The node ran short of memory or disk space, or was shut down, and ended the server."
        ),
        AGAIN_OR_TELL,
    ),
}
"""What happened, and what to do: by the reason of the pod's condition DisruptionTarget
(pkg/apis/core/types.go).
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How often the notebook's container had been started again when the pod had come to run."""

    restarts: int


def ran(pod: Json) -> Ran:
    """What to compare a pod with later that runs now."""
    main = _main(pod)
    return Ran(main.restarts if main else 0)


def is_being_deleted(pod: Json) -> bool:
    """Whether somebody has deleted the pod."""
    return "deletionTimestamp" in (pod.get("metadata") or {})


def stopped(pod: Json, before: Ran) -> Hopeless | None:
    """Why the notebook of a pod that had come to run runs no more, or runs anew; None if it runs.

    What kubelet starts again is not waited for: whoever reads the reason at once knows more than
    whoever waits for the same to happen again.
    """
    main = _main(pod)
    if main is None or main.exit_code is None:
        return None
    if main.terminated or main.waiting or main.restarts > before.restarts:
        return crash(main, main.message)
    return None


def deletion(pod: Json | None) -> Hopeless | None:
    """Why a pod was deleted, as far as the cluster says so.

    Args:
        pod: as it was last seen; None if it never was.
    """
    status = (pod or {}).get("status") or {}
    if pod is not None and status.get("phase") == "Failed" and status.get("reason"):
        return ended(pod)
    disruption = condition(pod or {}, "DisruptionTarget")
    found = _DISRUPTIONS.get(str(disruption.get("reason")))
    if found is None or disruption.get("status") != "True":
        return None
    words, remedy = map(_, found)
    return Hopeless("node", f"{words} {remedy}", str(disruption.get("message") or ""))


def deleted() -> Hopeless:
    """Of a pod that was deleted, and nobody knows why."""
    words = _("The server was deleted in the cluster while it started.")
    return Hopeless(DELETED, f"{words} {_(AGAIN)}")


def _main(pod: Json) -> ContainerState | None:
    return next((state for state in container_states(pod) if state.is_main), None)
