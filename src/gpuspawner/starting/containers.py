"""What a pod's status says of its containers, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
_KINDS = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))
_NOT_MADE = frozenset({"CreateContainerError", "RunContainerError"})
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
"""containerd's and CRI-O's; Docker's."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container.

    Attributes:
        image: as the pod's specification has it.
        is_main: whether it is the server itself, which KubeSpawner makes the first one.
        is_init: whether it is an init container, sidecars among them.
        policy: its ``restartPolicy``, or the pod's.
        waiting: the reason for which it waits; empty if it does not.
        message: what goes with the reason, or with the end of the last run.
        terminated: whether it has ended, and has not been started again so far.
        restarts: how often it was started again.
        exit_code, exit_reason: of the last run; None and empty if there was none.
    """

    image: str
    is_main: bool
    is_init: bool
    policy: str
    waiting: str
    message: str
    terminated: bool
    restarts: int
    exit_code: int | None
    exit_reason: str

    @property
    def could_not_start(self) -> bool:
        """Whether it does not run since the runtime could not make it or start it."""
        if self.waiting in _NOT_MADE:
            return True
        return bool(self.waiting or self.terminated) and self.exit_reason in _NOT_STARTED

    @property
    def will_not_run_again(self) -> bool:
        """Whether it has ended for good, which only init containers may."""
        if not self.terminated or (self.is_init and self.exit_code == 0):
            return False
        return self.policy == "Never" or (self.policy == "OnFailure" and self.exit_code == 0)


def container_states(pod: Json) -> Iterator[ContainerState]:
    """The containers that kubelet has a status of; the server's own comes first."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    for kind, statuses in _KINDS:
        said = {each.get("name"): each for each in status.get(statuses) or ()}
        for index, container in enumerate(spec.get(kind) or ()):
            if container["name"] in said:
                policy = container.get("restartPolicy") or spec.get("restartPolicy") or "Always"
                is_init = kind == "initContainers"
                yield _state(container, said[container["name"]], policy, index, is_init=is_init)


def _state(
    container: Json, said: Json, policy: str, index: int, *, is_init: bool
) -> ContainerState:
    state, last = said.get("state") or {}, said.get("lastState") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    run = ended or last.get("terminated") or {}
    # What kubelet says of a back-off is only that it backs off.
    messages = (run, waiting) if waiting.get("reason") == "CrashLoopBackOff" else (waiting, run)
    return ContainerState(
        image=str(container.get("image") or ""),
        is_main=not is_init and index == 0,
        is_init=is_init,
        policy=policy,
        waiting=str(waiting.get("reason") or ""),
        message=next((str(m["message"]) for m in messages if m.get("message")), ""),
        terminated=bool(ended),
        restarts=int(said.get("restartCount") or 0),
        exit_code=run.get("exitCode"),
        exit_reason=str(run.get("reason") or ""),
    )
