"""Which states of a pod end its start, when, and in what words."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.starting.hopeless import Hopeless, hopeless
from gpuspawner.starting.hopeless.reasons import GROWING, RETRYING, SETTLING, SYNCING

IMAGE = "quay.io/lab/torch:2"
Json = dict[str, Any]


def a_pod(
    main: Json | None = None,
    init: Json | None = None,
    *,
    policy: str = "OnFailure",
    scheduled: str = "",
    phase: str = "Pending",
    sidecar: bool = False,
    limits: Json | None = None,
    **status: Any,
) -> Json:
    """A pod as KubeSpawner makes it; `main` and `init` are statuses of its containers."""
    container = {"name": "notebook", "image": IMAGE, "resources": {"limits": limits or {}}}
    first = {"name": "iptables", "image": "quay.io/tools/net:1"}
    spec: Json = {
        "restartPolicy": policy,
        "containers": [container],
        "initContainers": [first | ({"restartPolicy": "Always"} if sidecar else {})],
        "volumes": [{"name": "course", "persistentVolumeClaim": {"claimName": "data-of-ada"}}],
    }
    said: Json = {"phase": phase, **status}
    if scheduled:
        said["conditions"] = [{"type": "PodScheduled", "status": "False", "message": scheduled}]
    else:
        spec["nodeName"] = "n1"
    for kind, name, state in (
        ("containerStatuses", "notebook", main),
        ("initContainerStatuses", "iptables", init),
    ):
        if state is not None:
            said[kind] = [{"name": name, **state}]
    return {"metadata": {"name": "jupyter-ada", "uid": "u1"}, "spec": spec, "status": said}


def waits(reason: str, message: str = "", **more: Any) -> Json:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(exit_code: int, reason: str = "Error", message: str = "") -> Json:
    state = {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}
    return {"state": state}


def loops(exit_code: int, restarts: int, reason: str = "Error", message: str = "") -> Json:
    said = "back-off 10s restarting failed container=notebook pod=jupyter-ada_hub(u1)"
    last = {"exitCode": exit_code, "reason": reason, "message": message}
    return waits("CrashLoopBackOff", said, restartCount=restarts, lastState={"terminated": last})


def an_event(reason: str, message: str = "", count: int = 1, uid: str = "u1") -> Json:
    about = {"kind": "Pod", "name": "jupyter-ada", "uid": uid}
    return {"involvedObject": about, "reason": reason, "message": message, "count": count}


def found(pod: Json, *events: Json) -> Hopeless:
    result = hopeless(pod, events)
    assert result is not None
    return result


def pull(message: str) -> Json:
    return a_pod(waits("ErrImagePull", message))


RESOLVE = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
UNKNOWN = "rpc error: code = Unknown desc = "


@pytest.mark.parametrize(
    ("message", "words", "patience"),
    [
        pytest.param(
            f"rpc error: code = NotFound desc = {RESOLVE}{IMAGE}: not found",
            "does not exist",
            0,
            id="containerd, no such tag",
        ),
        pytest.param(
            f"{RESOLVE}pull access denied, repository does not exist or may require "
            "authorization: server message: insufficient_scope: authorization failed",
            "does not let this cluster",
            0,
            id="containerd, no such repository or a private one",
        ),
        pytest.param(
            f"{RESOLVE}failed to authorize: failed to fetch anonymous token: unexpected status "
            "from GET request to https://quay.io/v2/auth?scope=x: 401 Unauthorized",
            "does not let this cluster",
            0,
            id="containerd, no token",
        ),
        pytest.param(
            f"{RESOLVE}failed to authorize: failed to fetch anonymous token: "
            "unexpected status: 504 Gateway Time-out",
            "in several attempts",
            RETRYING,
            id="a proxy that fails may be back",
        ),
        pytest.param(
            f"{RESOLVE}failed to authorize: failed to fetch oauth token: unexpected status from "
            "POST request to https://auth.docker.io/token: 429 Too Many Requests",
            "no more pulls at present",
            RETRYING,
            id="a registry that limits pulls",
        ),
        pytest.param(
            f'{RESOLVE}failed to do request: Head "https://quay.io/v2/lab/torch/manifests/2": '
            "dial tcp: lookup quay.io on 10.96.0.10:53: no such host",
            "in several attempts",
            RETRYING,
            id="a name server that does not know the registry",
        ),
        pytest.param(
            f'{RESOLVE}failed to do request: Head "https://quay.io/v2/": dial tcp 192.0.2.1:443: '
            "i/o timeout",
            "in several attempts",
            RETRYING,
            id="a registry that does not answer",
        ),
        pytest.param(
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": '
            "no match for platform in manifest: not found",
            "kind of processor",
            0,
            id="containerd, another architecture",
        ),
        pytest.param(
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": failed '
            "to prepare extraction snapshot: parent snapshot sha256:0b16 does not exist: not found",
            "in several attempts",
            RETRYING,
            id="a layer that the node has lost is pulled again",
        ),
        pytest.param(
            f'failed to pull and unpack image "{IMAGE}": failed to extract layer: write x: '
            "no space left on device",
            "no disk space",
            RETRYING,
            id="a full disk may be cleaned up by kubelet",
        ),
        pytest.param(
            f"{UNKNOWN}reading manifest 2 in quay.io/lab/torch: manifest unknown",
            "does not exist",
            0,
            id="CRI-O, no such tag",
        ),
        pytest.param(
            f"{UNKNOWN}Error reading manifest latest in docker.io/crio/nginx: errors:\n"
            "denied: requested access to the resource is denied\n"
            "unauthorized: authentication required\n",
            "does not let this cluster",
            0,
            id="CRI-O, no such repository or a private one",
        ),
        pytest.param(
            f"{UNKNOWN}Error response from daemon: manifest for {IMAGE} not found: "
            "manifest unknown: manifest unknown",
            "does not exist",
            0,
            id="Docker, no such tag",
        ),
        pytest.param("", "in several attempts", RETRYING, id="no reason is given"),
    ],
)
def test_a_failed_pull_is_judged_by_the_runtime_s_words(
    message: str, words: str, patience: float
) -> None:
    for pod in (
        pull(message),
        a_pod(
            waits("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {message}')
        ),
        a_pod(waits("PodInitializing"), waits("ErrImagePull", message)),
    ):
        result = found(pod)
        assert (result.code, result.patience) == ("image", patience)
        assert words in result.words
    assert IMAGE in found(pull(message)).words


@pytest.mark.parametrize("image", ["unauthorized/not-found:403", "lab/429:manifest-unknown", "a"])
def test_the_name_of_an_image_is_not_taken_for_the_registry_s_answer(image: str) -> None:
    full = f"docker.io/{image}"
    message = f'failed to resolve reference "{full}": {full}: connection refused'
    pod = pull(message)
    pod["spec"]["containers"][0]["image"] = image
    assert found(pod).patience == RETRYING
    said = 'Head "https://mirror/v2/unauthorized/manifests/403": a failure of another kind'
    pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = said
    assert found(pod).patience == RETRYING
    pod["status"]["containerStatuses"] = [waits("ErrImagePull", message[:-18] + "not found")]
    pod["status"]["containerStatuses"][0]["name"] = "notebook"
    assert found(pod).patience == 0


@pytest.mark.parametrize(
    "passing",
    [
        "i/o timeout",
        "no such host",
        "connection refused",
        "502 Bad Gateway",
        "unexpected status 500",
    ],
)
def test_a_registry_that_fails_has_not_refused(passing: str) -> None:
    assert found(pull(f"{RESOLVE}authorization failed: {passing}")).patience == RETRYING


MISSING_CLAIM = (
    '0/2 nodes are available: persistentvolumeclaim "data-of-ada" not found. preemption: '
    "0/2 nodes are available: 2 Preemption is not helpful for scheduling."
)
HELPLESS = (
    "no new claims to deallocate, preemption: 0/2 nodes are available: "
    "2 Preemption is not helpful for scheduling."
)
WRONG = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " + HELPLESS
SCALE_UP = "pod triggered scale-up: [{gpu-pool 0->1 (max: 3)}]"
NO_SCALE_UP = "pod didn't trigger scale-up: 12 node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("pod", "events", "code", "words", "patience"),
    [
        pytest.param(
            a_pod(waits("InvalidImageName", "Failed to apply default image tag")),
            [],
            "image",
            "is not the name of an image",
            0,
            id="a reference that cannot be read",
        ),
        pytest.param(
            a_pod(waits("ErrImageNeverPull")),
            [],
            "image",
            "may not pull it",
            0,
            id="an image that may not be pulled",
        ),
        pytest.param(
            a_pod(waits("RegistryUnavailable")),
            [],
            "image",
            "does not answer",
            RETRYING,
            id="a registry of which the runtime says that it is away",
        ),
        pytest.param(
            a_pod(scheduled=MISSING_CLAIM),
            [],
            "volume-claim",
            'The volume "course" does not exist',
            SETTLING,
            id="a claim that is not there may be made a moment later",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: "
                'persistentvolumeclaim "data-of-ada" bound to non-existent persistentvolume "p".'
            ),
            [],
            "volume-claim",
            "has lost its storage",
            SETTLING,
            id="a claim whose volume is gone",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: "
                'persistentvolumeclaim "data-of-ada" is being deleted.'
            ),
            [],
            "volume-claim",
            "is being deleted",
            SETTLING,
            id="a claim that is being deleted",
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [],
            "never-fits",
            "No node of the cluster can ever run this server",
            GROWING,
            id="no node of the kind; an autoscaler may still speak up",
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [an_event("NotTriggerScaleUp", NO_SCALE_UP)],
            "never-fits",
            "Choose another profile",
            SETTLING,
            id="no node of the kind, and the autoscaler has none",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 1 Insufficient memory, 1 node(s) had "
                "untolerated taint {nvidia.com/gpu: present}. " + HELPLESS
            ),
            [],
            "never-fits",
            "large enough",
            GROWING,
            id="nodes that are too small or not for this pod",
        ),
        pytest.param(
            a_pod(
                scheduled="0/6 nodes are available: 6 node(s) didn't match Pod's node "
                "affinity/selector. preemption: not eligible due to preemptionPolicy=Never."
            ),
            [],
            "never-fits",
            "none is of its kind",
            GROWING,
            id="a pod that may not preempt",
        ),
        pytest.param(
            a_pod(
                phase="Failed",
                reason="UnexpectedAdmissionError",
                message="Pod was rejected: Allocate failed due to device plugin "
                "GetPreferredAllocation rpc failed with err: rpc error: code = Unknown desc = "
                "error creating nvml.Device 5: nvml: GPU is lost, which is unexpected",
                limits={"cpu": "1", "nvidia.com/gpu": "1"},
            ),
            [],
            "device",
            "could not hand over what the server asks for (nvidia.com/gpu)",
            0,
            id="a device plugin that rejects",
        ),
        pytest.param(
            a_pod(phase="Failed", reason="UnexpectedAdmissionError", message="x"),
            [],
            "node",
            "did not take it",
            0,
            id="a kubelet that rejects a pod without devices",
        ),
        pytest.param(
            a_pod(phase="Failed", reason="OutOfnvidia.com/gpu", message="Node didn't have enough"),
            [],
            "busy",
            "taken by another",
            0,
            id="a device that was taken between the scheduler's look and kubelet's",
        ),
        pytest.param(
            a_pod(phase="Failed", reason="Evicted", message="The node was low on resource"),
            [],
            "node",
            "ran short of memory or disk space",
            0,
            id="a pod that is evicted",
        ),
        pytest.param(
            a_pod(phase="Failed", reason="NodeShutdown"),
            [],
            "node",
            "shut down",
            0,
            id="a node that goes away",
        ),
        pytest.param(
            a_pod(
                waits(
                    "CreateContainerConfigError",
                    "container has runAsNonRoot and image will run as root "
                    '(pod: "jupyter-ada_hub(u1)", container: notebook)',
                )
            ),
            [],
            "image",
            "would run as root",
            0,
            id="an image that wants to be root",
        ),
        pytest.param(
            a_pod(),
            [
                an_event(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "x" : configmap "settings" not found',
                    count=4,
                )
            ],
            "configuration",
            "a ConfigMap that does not exist",
            SYNCING,
            id="a missing ConfigMap, tried again and again",
        ),
        pytest.param(
            a_pod(),
            [
                an_event(
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get "
                    'sandbox runtime: no runtime for "nvidia" is configured',
                    count=2,
                )
            ],
            "configuration",
            "container runtime",
            SETTLING,
            id="a node without NVIDIA's container runtime",
        ),
        pytest.param(
            a_pod(
                waits(
                    "RunContainerError",
                    "failed to create containerd task: failed to create shim task: OCI runtime "
                    "create failed: runc create failed: unable to start container process: error "
                    'during container init: exec: "jupyterhub-singleuser": executable file not '
                    "found in $PATH: unknown",
                )
            ),
            [],
            "image",
            "does not contain the program",
            0,
            id="an image without a server in it",
        ),
        pytest.param(
            a_pod(loops(128, 1, "StartError", 'exec: "start.sh": executable file not found')),
            [],
            "image",
            "does not contain the program",
            0,
            id="the same, while kubelet backs off",
        ),
        pytest.param(
            a_pod(
                waits(
                    "RunContainerError",
                    "error running hook #0: exit status 1, stderr: Auto-detected mode as 'legacy' "
                    "nvidia-container-cli: initialization error: driver error: unknown",
                )
            ),
            [],
            "device",
            "could not make its GPU available",
            SYNCING,
            id="a driver that does not answer",
        ),
        pytest.param(
            a_pod(waits("CreateContainerError", "context deadline exceeded")),
            [],
            "configuration",
            "could not start the server's container",
            RETRYING,
            id="a runtime that is slow may come round",
        ),
        pytest.param(
            a_pod(loops(1, 1), phase="Running"),
            [],
            "crash",
            "The server ended right after its start (exit code 1)",
            0,
            id="a server that has ended twice",
        ),
        pytest.param(
            a_pod(loops(137, 1, "OOMKilled"), phase="Running"),
            [],
            "crash",
            "ran out of memory",
            0,
            id="a server that needs more memory than it may have",
        ),
        pytest.param(
            a_pod(ended(0, "Completed"), phase="Running"),
            [],
            "crash",
            "exit code 0",
            0,
            id="OnFailure: a server that has ended well is not started again",
        ),
        pytest.param(
            a_pod(ended(1), phase="Running", policy="Never"),
            [],
            "crash",
            "exit code 1",
            0,
            id="Never: a server that has ended is not started again",
        ),
        pytest.param(
            a_pod(ended(1), ended(0, "Completed"), phase="Failed", policy="Never"),
            [],
            "crash",
            "The server ended right after its start (exit code 1)",
            0,
            id="a pod that is over",
        ),
        pytest.param(
            a_pod(ended(0, "Completed"), phase="Succeeded"),
            [],
            "crash",
            "exit code 0",
            0,
            id="a pod that is over without an error",
        ),
        pytest.param(
            a_pod(waits("PodInitializing"), loops(2, 3)),
            [],
            "crash",
            "A container that the server needs ended",
            0,
            id="an init container that keeps failing",
        ),
    ],
)
def test_a_pod_that_cannot_come_to_run(
    pod: Json, events: list[Json], code: str, words: str, patience: float
) -> None:
    result = found(pod, *events)
    assert (result.code, result.patience) == (code, patience)
    assert words in result.words


@pytest.mark.parametrize(
    ("message", "words", "patience"),
    [
        pytest.param(
            'secret "tls-of-ada" not found',
            "a Secret that does not exist",
            SYNCING,
            id="a missing Secret may be made a moment later",
        ),
        pytest.param(
            "couldn't find key t in Secret hub/x",
            "something that does not exist",
            SYNCING,
            id="a key that a Secret lacks",
        ),
        pytest.param(
            "failed to prepare subPath for volumeMount",
            "cannot be made",
            RETRYING,
            id="a path in a volume that a server of files may give later",
        ),
    ],
)
def test_a_container_that_cannot_be_configured_is_given_time(
    message: str, words: str, patience: float
) -> None:
    result = found(a_pod(waits("CreateContainerConfigError", message)))
    assert (result.code, result.patience) == ("configuration", patience)
    assert words in result.words


MOUNT = 'MountVolume.SetUp failed for volume "x" : configmap "settings" not found'


@pytest.mark.parametrize("events", [[], [an_event("NotTriggerScaleUp", NO_SCALE_UP)]])
def test_the_schedulers_words_alone_say_nothing_of_a_node_to_come(events: list[Json]) -> None:
    assert hopeless(a_pod(scheduled=WRONG), events, may_grow=True) is None


def test_what_does_not_hang_on_nodes_is_told_also_if_one_may_come() -> None:
    found = hopeless(a_pod(scheduled=MISSING_CLAIM), [], may_grow=True)
    assert found is not None
    assert found.code == "volume-claim"


@pytest.mark.parametrize(
    ("pod", "events"),
    [
        pytest.param({}, [], id="nothing is known"),
        pytest.param(a_pod(), [], id="a node, and nothing said yet"),
        pytest.param(a_pod(waits("ContainerCreating")), [], id="volumes, network and image"),
        pytest.param(a_pod(waits("PodInitializing"), {"state": {"running": {}}}), [], id="init"),
        pytest.param(
            a_pod({"state": {"running": {}}}, ended(0, "Completed"), phase="Running"),
            [],
            id="it runs, its init container has done its work",
        ),
        pytest.param(
            a_pod({"state": {"running": {}}}, ended(0, "Completed"), policy="Never"),
            [],
            id="Never does not concern an init container that has ended well",
        ),
        pytest.param(a_pod(ended(1), phase="Running"), [], id="it failed once: it is restarted"),
        pytest.param(
            a_pod(
                {
                    "state": {"running": {}},
                    "restartCount": 1,
                    "lastState": {"terminated": {"exitCode": 128, "reason": "StartError"}},
                }
            ),
            [],
            id="it could not be started, and now runs",
        ),
        pytest.param(
            a_pod(ended(0, "Completed"), phase="Running", policy="Always"),
            [],
            id="Always: it is started again",
        ),
        pytest.param(
            a_pod(waits("PodInitializing"), loops(1, 2)), [], id="an init container that waits"
        ),
        pytest.param(
            a_pod(waits("PodInitializing"), ended(1), sidecar=True, policy="Never"),
            [],
            id="a sidecar that ended is started again",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: "
                "0/2 nodes are available: 2 No preemption victims found for incoming pod."
            ),
            [],
            id="a full cluster",
        ),
        pytest.param(
            a_pod(scheduled="0/2 nodes are available: 2 Insufficient nvidia.com/gpu. " + HELPLESS),
            [],
            id="no device as yet: its plugin may be starting",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are "
                "available: 1 No preemption victims found for incoming pod, "
                "1 Preemption is not helpful for scheduling."
            ),
            [],
            id="one node is too small, the other full",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 2 Insufficient cpu. "
                "preemption: not eligible due to preemptionPolicy=Never."
            ),
            [],
            id="too small or full, which is not told",
        ),
        pytest.param(
            a_pod(
                scheduled="0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't "
                "match Pod's node affinity/selector. no new claims to deallocate, preemption: "
                "0/4 nodes are available: 4 Preemption is not helpful for scheduling."
            ),
            [],
            id="a node that is closed may be opened",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 2 node(s) had untolerated taint "
                "{node.kubernetes.io/not-ready: }. " + HELPLESS
            ),
            [],
            id="a node that is not ready may be again",
        ),
        pytest.param(
            a_pod(
                scheduled="0/2 nodes are available: 2 node(s) had untolerated taint(s). " + HELPLESS
            ),
            [],
            id="a taint that is not named may pass",
        ),
        pytest.param(
            a_pod(scheduled="no nodes available to schedule pods"), [], id="no nodes at all as yet"
        ),
        pytest.param(a_pod(scheduled="0/0 nodes are available: ."), [], id="none of no nodes"),
        pytest.param(
            a_pod(scheduled=WRONG), [an_event("TriggeredScaleUp", SCALE_UP)], id="a node is coming"
        ),
        pytest.param(
            a_pod(scheduled=WRONG), [an_event("Nominated")], id="a node of Karpenter's is coming"
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [an_event("NotTriggerScaleUp", f"{NO_SCALE_UP}, 3 max node group size reached")],
            id="a pool that may have room again",
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [
                an_event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max limit reached"),
            ],
            id="a cluster that may have room for a node again",
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [
                an_event(
                    "FailedScheduling",
                    "Failed to schedule pod, all available instance types exceed limits for "
                    'nodepool: "gpu"',
                )
            ],
            id="a pool of Karpenter's that is full at present",
        ),
        pytest.param(
            a_pod(scheduled=WRONG),
            [
                an_event(
                    "FailedScheduling",
                    'Failed to schedule pod, incompatible with nodepool "gpu", no instance type '
                    "which had enough resources and the required offering met the scheduling "
                    "requirements",
                )
            ],
            id="a kind of node that the cloud may have again",
        ),
        pytest.param(a_pod(), [an_event("FailedMount", MOUNT, 3)], id="not mounted for a second"),
        pytest.param(
            a_pod(),
            [an_event("FailedMount", MOUNT, 9, uid="u0")],
            id="what was said of an earlier pod of the same name",
        ),
        pytest.param(
            a_pod(),
            [an_event("FailedMount", MOUNT, 9), an_event("Pulling")],
            id="it is mounted now, and the image is being pulled",
        ),
        pytest.param(
            a_pod(conditions=[{"type": "PodReadyToStartContainers", "status": "True"}]),
            [an_event("FailedMount", MOUNT, 9)],
            id="it is mounted now, as the sandbox shows",
        ),
        pytest.param(
            a_pod(),
            [
                an_event(
                    "FailedMount", 'MountVolume.SetUp failed for volume "n" : exit status 32', 9
                )
            ],
            id="a server of files that may come back",
        ),
        pytest.param(
            a_pod(),
            [an_event("FailedCreatePodSandBox", 'no runtime for "nvidia" is configured')],
            id="a runtime that may just be installed",
        ),
    ],
)
def test_a_pod_that_may_still_come_to_run(pod: Json, events: list[Json]) -> None:
    assert hopeless(pod, events) is None


def test_a_pod_that_is_being_deleted_is_not_judged() -> None:
    pod = a_pod(waits("InvalidImageName"))
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T18:00:00Z"
    assert hopeless(pod, ()) is None


def test_what_is_certain_now_comes_before_what_may_pass() -> None:
    pod = a_pod(waits("CreateContainerError", "x"), waits("InvalidImageName"))
    assert found(pod).code == "image"


def test_the_words_are_for_the_person_and_the_cluster_s_for_the_log() -> None:
    for pod in (
        a_pod(scheduled=MISSING_CLAIM),
        a_pod(waits("CreateContainerConfigError", 'secret "tls-of-ada" not found')),
        a_pod(loops(1, 1, message="/home/ada/.local: no such file")),
    ):
        result = found(pod)
        assert "ada" not in result.words
        assert "ada" in result.detail
