"""The status a kubelet writes, phase by phase. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.nodes import deadlines
from gpuspawner.simcluster.nodes.containers import Placement

READINESS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
"""The conditions of a pod on a node."""
SIGKILLED = 137


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """What stays the same in the statuses of one pod.

    Every method gives a merge patch of the pod's ``status``; times are the API's text.
    """

    pod: Object
    placement: Placement
    admitted_at: str

    def waiting(self, reason: str, message: str = "") -> Object:
        """Pending, since its containers wait for `reason`."""
        waiting = {"reason": reason} | ({"message": message} if message else {})
        return self._status("Pending", {"waiting": waiting}, now=self.admitted_at)

    def unmounted(self) -> Object:
        """Pending, since its volumes cannot be mounted: it has no sandbox yet."""
        status = self.waiting("ContainerCreating")
        for condition in status["conditions"]:
            if condition["type"] == "PodReadyToStartContainers":
                condition["status"] = "False"
        return status

    def running(self, now: str) -> Object:
        """All containers run, and are ready."""
        return self._status("Running", {"running": {"startedAt": now}}, now=now, ready=True)

    def finished(self, exit_code: int, started_at: str, now: str) -> Object:
        """The main container ended, and the pod with it."""
        terminated = {
            "exitCode": exit_code,
            "reason": "Error" if exit_code else "Completed",
            "startedAt": started_at,
            "finishedAt": now,
            "containerID": self._container_id(),
        }
        phase = "Failed" if exit_code else "Succeeded"
        return self._status(phase, {"terminated": terminated}, now=now)

    def not_started(self, reason: str, message: str, exit_code: int, now: str) -> Object:
        """The main container's command could not be started."""
        status = self.finished(exit_code, now, now)
        for container in status["containerStatuses"]:
            container["state"]["terminated"] |= {"reason": reason, "message": message}
        return status

    def never_located(self, now: str) -> Object:
        """The pod is to end, and its main container has never been started."""
        terminated = {
            "exitCode": SIGKILLED,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": None,
            "finishedAt": None,
        }
        return self._status("Failed", {"terminated": terminated}, now=now)

    def expired(self, ended: Object) -> Object:
        """`ended`, the status of a pod that ended since it had reached its active deadline."""
        for condition in ended["conditions"]:
            if "reason" in condition:
                condition["reason"] = "PodFailed"
        over = {"phase": "Failed", "reason": deadlines.REASON, "message": deadlines.MESSAGE}
        return ended | over

    def rejected(self, reason: str, message: str, now: str) -> Object:
        """The kubelet refused to admit the pod."""
        message = f"Pod was rejected: {message}"
        return {"phase": "Failed", "reason": reason, "message": message, "startTime": now}

    def backing_off(self, message: str, exit_code: int, started_at: str, now: str) -> Object:
        """The main container ended twice in a row, and is not yet started again."""
        ended = self.finished(exit_code, started_at, now)
        status = self._status(
            "Running", {"waiting": {"reason": "CrashLoopBackOff", "message": message}}, now=now
        )
        for container, before in zip(
            status["containerStatuses"], ended["containerStatuses"], strict=True
        ):
            container |= {"restartCount": 1, "lastState": before["state"]}
        return status

    def _status(self, phase: str, state: Object, *, now: str, ready: bool = False) -> Object:
        ip, host_ip = self.placement.pod_ip, self.placement.host_ip
        return {
            "phase": phase,
            "conditions": [self._condition(kind, phase, now, ready=ready) for kind in READINESS],
            "hostIP": host_ip,
            "hostIPs": [{"ip": host_ip}],
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": self.admitted_at,
            "containerStatuses": [
                self._container(container, state, ready=ready)
                for container in self.pod["spec"]["containers"]
            ],
        }

    def _condition(self, kind: str, phase: str, now: str, *, ready: bool) -> Object:
        is_true = ready if kind in ("Ready", "ContainersReady") else True
        condition: dict[str, Any] = {
            "type": kind,
            "status": str(is_true),
            "lastProbeTime": None,
            "lastTransitionTime": self.admitted_at if is_true and not ready else now,
        }
        if not is_true:
            over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}
            condition["reason"] = over.get(phase, "ContainersNotReady")
        return condition

    def _container(self, container: Object, state: Object, *, ready: bool) -> Object:
        image = str(container.get("image", ""))
        has_started = "running" in state or "containerID" in state.get("terminated", {})
        return {
            "name": container["name"],
            "ready": ready,
            "started": ready,
            "restartCount": 0,
            "state": state,
            "lastState": {},
            "image": image,
            "imageID": f"{image.partition('@')[0]}@sha256:{_digest(image)}" if has_started else "",
        } | ({"containerID": self._container_id()} if has_started else {})

    def _container_id(self) -> str:
        return f"containerd://{_digest(self.pod['metadata']['uid'])}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
