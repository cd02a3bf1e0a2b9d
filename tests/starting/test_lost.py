"""Pods that are deleted while they start, and notebooks that end before they answer."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.starting.lost import Ran, deletion, is_being_deleted, ran, stopped

from .pods import a_pod

Json = dict[str, Any]

RUNNING: Json = {"running": {}}
ENDED: Json = {"terminated": {"exitCode": 3, "reason": "Error"}}
OUT_OF_MEMORY: Json = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def a_run(state: Json, restarts: int = 0, last: Json | None = None) -> Json:
    notebook = {"name": "notebook", "state": state, "restartCount": restarts}
    return a_pod(node="n1", status={"containerStatuses": [notebook | {"lastState": last or {}}]})


@pytest.mark.parametrize(
    ("pod", "before", "words"),
    [
        pytest.param(a_run(RUNNING), 0, "", id="it runs"),
        pytest.param(a_run(RUNNING, 2, ENDED), 2, "", id="it ended before it had come to run"),
        pytest.param(a_run(RUNNING, 1, ENDED), 0, "exit code 3", id="it was started again"),
        pytest.param(a_run(RUNNING, 1, OUT_OF_MEMORY), 0, "ran out of memory", id="out of memory"),
        pytest.param(a_run(ENDED), 0, "exit code 3", id="it ended, and is not yet started again"),
        pytest.param(
            a_run({"waiting": {"reason": "CrashLoopBackOff"}}, 0, ENDED),
            0,
            "exit code 3",
            id="it waits to be started again",
        ),
        pytest.param(
            a_run({"waiting": {"reason": "ContainerCreating"}}), 0, "", id="nothing says it ended"
        ),
        pytest.param(a_pod(node="n1"), 0, "", id="nothing is said of it"),
    ],
)
def test_whether_a_notebook_that_ran_has_stopped(pod: Json, before: int, words: str) -> None:
    found = stopped(pod, Ran(before))
    assert words in (found.words if found else "")
    assert (found is None) is (words == "")
    assert found is None or found.code == "crash"


def test_another_container_that_is_started_again_is_none_of_the_notebooks() -> None:
    pod = a_run(RUNNING)
    pod["spec"]["containers"].append({"name": "sidecar", "image": "example/sidecar:1"})
    sidecar = {"name": "sidecar", "state": RUNNING, "restartCount": 1, "lastState": ENDED}
    pod["status"]["containerStatuses"].append(sidecar)
    assert stopped(pod, Ran(0)) is None


def test_restarts_are_counted_from_when_a_pod_had_come_to_run() -> None:
    assert ran(a_run(RUNNING, 2)) == Ran(2)
    assert ran({}) == Ran(0)


def disrupted(reason: str, status: str = "True") -> Json:
    return a_pod(conditions={"DisruptionTarget": {"status": status, "reason": reason}})


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        pytest.param(None, "", id="it is gone"),
        pytest.param(a_pod(), "", id="nobody says why"),
        pytest.param(a_run(ENDED), "", id="it ends because it is deleted"),
        pytest.param(
            a_pod(status={"phase": "Failed", "reason": "Evicted"}), "ran short of", id="evicted"
        ),
        pytest.param(disrupted("PreemptionByScheduler"), "more urgent", id="preempted"),
        pytest.param(disrupted("DeletionByTaintManager"), "was closed", id="its node was tainted"),
        pytest.param(disrupted("EvictionByEvictionAPI"), "to service a node", id="drained"),
        pytest.param(disrupted("DeletionByPodGC"), "node of the server is gone", id="no node left"),
        pytest.param(disrupted("TerminationByKubelet"), "was shut down", id="the node ends"),
        pytest.param(disrupted("PreemptionByScheduler", "False"), "", id="it was to be preempted"),
        pytest.param(disrupted("SomethingNew"), "", id="for an unknown reason"),
    ],
)
def test_why_a_pod_was_deleted(pod: Json | None, words: str) -> None:
    found = deletion(pod)
    assert words in (found.words if found else "")
    assert (found is None) is (words == "")
    assert found is None or found.code == "node"


def test_a_pod_is_being_deleted_once_it_has_a_time_for_it() -> None:
    assert not is_being_deleted(a_pod())
    assert is_being_deleted(a_pod(metadata={"deletionTimestamp": "2026-07-01T12:00:00Z"}))
