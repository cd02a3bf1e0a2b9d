"""What a pod without a node waits for."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.starting.heard import hear
from gpuspawner.starting.places import sentence

from .pods import NOW, an_event, unscheduled

SCHEDULER, AUTOSCALER, KARPENTER = "default-scheduler", "cluster-autoscaler", "karpenter"
NO_VICTIMS = (
    " preemption: 0/8 nodes are available: 1 No preemption victims found for incoming pod, "
    "7 Preemption is not helpful for scheduling."
)
FULL = f"0/8 nodes are available: 1 Insufficient nvidia.com/gpu.{NO_VICTIMS}"
WAITS = "Waiting for a place: no node has a GPU left. It starts as soon as there is one."
GROUP = "gke-pilot-hubs-cluster-nb-user-05"
TRIGGERED = an_event(
    "TriggeredScaleUp",
    "pod triggered scale-up: [{https://www.googleapis.com/compute/v1/projects/acme/zones/"
    f"us-central1-b/instanceGroups/{GROUP} 0->1 (max: 10)}}]",
    ago=200,
    source=AUTOSCALER,
)


def no_scale_up(text: str, ago: float = 5) -> dict[str, Any]:
    return an_event("NotTriggerScaleUp", text, ago=ago, source=AUTOSCALER)


def said(pod: dict[str, Any], *events: dict[str, Any], minutes: float | None = None) -> str:
    return sentence(pod, hear(pod, events), NOW, minutes)


@pytest.mark.parametrize(
    ("text", "requests", "words"),
    [
        pytest.param("", {}, "Waiting for a place in the cluster.", id="nothing was said yet"),
        pytest.param(
            "skip schedule deleting pod",
            {},
            "Waiting for a place in the cluster.",
            id="words that nobody knows",
        ),
        pytest.param(FULL, {}, WAITS, id="a GPU"),
        pytest.param(
            FULL,
            {"nvidia.com/gpu": "2"},
            "Waiting for a place: no node has 2 GPUs left. It starts as soon as there is one.",
            id="two GPUs",
        ),
        pytest.param(
            "0/68 nodes are available: 44 Insufficient memory, 59 Insufficient cpu, 68 "
            "Insufficient nvidia.com/gpu.",
            {"nvidia.com/gpu": "1"},
            "Waiting for a place: no node has a GPU, enough memory and enough CPU left. "
            "It starts as soon as there is one.",
            id="a GPU with memory and CPU beside it",
        ),
        pytest.param(
            "0/3 nodes are available: 1 Insufficient nvidia.com/mig-1g.5gb, 2 node(s) didn't "
            "match Pod's node affinity/selector.",
            {},
            "Waiting for a place: no node has a part of a GPU left. "
            "It starts as soon as there is one.",
            id="a MIG partition",
        ),
        pytest.param(
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.shared.",
            {},
            "Waiting for a place: no node has a share of a GPU left. "
            "It starts as soon as there is one.",
            id="a share by time-slicing",
        ),
        pytest.param(
            "0/4 nodes are available: 2 Insufficient memory, 2 node(s) didn't match Pod's node "
            "affinity/selector.",
            {},
            "Waiting for a place: no node has enough memory left. "
            "It starts as soon as there is one.",
            id="memory; the nodes of other kinds are not told of",
        ),
        pytest.param(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling..",
            {},
            "Waiting for a node of the kind it needs: there is none at present.",
            id="no node of its kind",
        ),
        pytest.param(
            "0/69 nodes are available: 1 node(s) had taint {node.kubernetes.io/not-ready: }, "
            "that the pod didn't tolerate, 68 node(s) didn't match Pod's node affinity/selector.",
            {},
            "Waiting for a place: the nodes that it could run on are not ready.",
            id="a node that is coming up",
        ),
        pytest.param(
            "0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't match Pod's "
            "node affinity/selector.",
            {},
            "Waiting for a place: the nodes that it could run on are closed to new servers at "
            "present.",
            id="a cordoned node",
        ),
        pytest.param(
            "pod has unbound immediate PersistentVolumeClaims",
            {},
            "Waiting for its storage: the volume has not been made yet.",
            id="an unbound claim",
        ),
        pytest.param(
            '0/3 nodes are available: persistentvolumeclaim "claim-ada" not found.',
            {},
            "Waiting for its storage, which does not exist in the cluster as yet.",
            id="a claim that is not there",
        ),
        pytest.param(
            "0/8 nodes are available: 1 node(s) didn't find available persistent volumes to bind, "
            "4 node(s) had untolerated taint {im-a-sparklike: true}.",
            {},
            "Waiting for its storage: no volume is free that suits it.",
            id="no volume to bind",
        ),
        pytest.param(
            "0/6 nodes are available: 6 node(s) had volume node affinity conflict.",
            {},
            "Waiting for a place: its storage can be used on some of the nodes only, and none of "
            "those takes it at present.",
            id="a volume in another zone",
        ),
        pytest.param(
            "0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with "
            "ReadWriteOncePod access mode already in-use by another pod.",
            {},
            "Waiting for its storage: another server uses it, and only one can at a time. Stop "
            "that one if it is yours.",
            id="a ReadWriteOncePod claim in use",
        ),
        pytest.param(
            "0/3 nodes are available: 3 node(s) exceed max volume count.",
            {},
            "Waiting for a place: the nodes can take no more volumes at present. "
            "It starts as soon as there is one.",
            id="too many volumes",
        ),
        pytest.param(
            "0/41 nodes are available: 41 Too many pods.",
            {},
            "Waiting for a place: the nodes take no more servers at present. "
            "It starts as soon as there is one.",
            id="too many pods",
        ),
        pytest.param(
            "0/2 nodes are available: 2 cannot allocate all claims.",
            {},
            "Waiting for a place: no node has a device free of the kind it asks for. "
            "It starts as soon as there is one.",
            id="a device claim",
        ),
        pytest.param(
            "no nodes available to schedule pods",
            {},
            "Waiting for a place: the cluster has no nodes at present.",
            id="no nodes at all",
        ),
    ],
)
def test_the_schedulers_words(text: str, requests: dict[str, str], words: str) -> None:
    assert said(unscheduled(text, requests=requests)) == words


def test_the_event_counts_where_the_pod_has_no_condition() -> None:
    event = an_event("FailedScheduling", FULL, source=SCHEDULER)
    assert said({"metadata": {"uid": "u-1"}}, event) == WAITS


def test_a_gated_pod_is_in_a_queue() -> None:
    pod = unscheduled(
        "Scheduling is blocked due to non-empty scheduling gates", reason="SchedulingGated"
    )
    assert said(pod) == "Waiting in a queue of the cluster, which has not let it through yet."


def test_a_pod_for_which_others_make_way() -> None:
    pod = unscheduled(FULL, status={"nominatedNodeName": "gpu-1"})
    assert said(pod) == (
        "A place was found for it: servers of lower priority are making way, and it starts when "
        "they have ended."
    )


@pytest.mark.parametrize(
    ("events", "minutes", "words"),
    [
        pytest.param(
            [TRIGGERED],
            None,
            "A node is being started for it, for 3 min so far.",
            id="a node is on its way, and nobody has measured how long it takes",
        ),
        pytest.param(
            [TRIGGERED],
            4.6,
            "A node is being started for it, for 3 min so far. That typically takes 5 min here.",
            id="a node is on its way, and it was measured",
        ),
        pytest.param(
            [an_event("TriggeredScaleUp", "pod triggered scale-up: [{x 11->12 (max: 25)}]")],
            0.2,
            "A node is being started for it. That typically takes 1 min here.",
            id="since just now",
        ),
        pytest.param(
            [
                an_event(
                    "Nominated",
                    "Pod should schedule on: nodeclaim/default-cvkcv, "
                    "node/ip-10-199-71-41.ec2.internal",
                    source=KARPENTER,
                )
            ],
            None,
            "A node is being started for it.",
            id="Karpenter starts one",
        ),
        pytest.param(
            [
                an_event(
                    "Nominated",
                    "Pod should schedule on: node/ip-10-199-71-41.ec2.internal",
                    source=KARPENTER,
                )
            ],
            None,
            "A node was chosen for it. It starts when there is room on it.",
            id="Karpenter counts on one that is there",
        ),
        pytest.param(
            [
                no_scale_up(
                    "pod didn't trigger scale-up: 12 node(s) didn't match Pod's node "
                    "affinity/selector, 3 max node group size reached"
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="the pool is as large as it may be",
        ),
        pytest.param(
            [
                no_scale_up(
                    "pod didn't trigger scale-up (it wouldn't fit if a new node is added): "
                    "1 max limit reached"
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="the same in an older version",
        ),
        pytest.param(
            [
                no_scale_up(
                    "pod didn't trigger scale-up: 1 node(s) didn't match Pod's node "
                    "affinity/selector, 1 node(s) had taint {k8s.dask.org_dedicated: worker}, "
                    "that the pod didn't tolerate, 1 in backoff after failed scale-up"
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: starting one has failed, and is tried "
            "again later.",
            id="a scale-up failed before",
        ),
        pytest.param(
            [
                an_event(
                    "FailedScaleUp",
                    "Node scale up in zones us-central1-c associated with this pod failed: GCE "
                    "quota exceeded. Pod is at risk of not being scheduled.",
                    source=AUTOSCALER,
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: the quota for nodes is used up.",
            id="the cloud's quota is used up",
        ),
        pytest.param(
            [
                no_scale_up(
                    "pod didn't trigger scale-up (it wouldn't fit if a new node is added): "
                    "1 Insufficient nvidia.com/gpu, 1 Insufficient cpu, 1 Insufficient memory"
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: a new one would be too small.",
            id="a new node would be too small",
        ),
        pytest.param(
            [
                no_scale_up(
                    "pod didn't trigger scale-up: 1 node(s) had untolerated taint "
                    "{k8s.dask.org/dedicated: worker}, 8 node(s) didn't match Pod's node "
                    "affinity/selector"
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: none of the kinds that can be started "
            "would take it.",
            id="no pool of its kind",
        ),
        pytest.param(
            [no_scale_up("pod didn't trigger scale-up (it wouldn't fit if a new node is added)")],
            None,
            f"{WAITS} No new node can be started for it.",
            id="no reason is given",
        ),
        pytest.param(
            [
                an_event(
                    "FailedScheduling",
                    "Failed to schedule pod, all available instance types exceed limits for "
                    'nodepool: "default"',
                    source=KARPENTER,
                )
            ],
            None,
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="Karpenter's pool is as large as it may be",
        ),
        pytest.param(
            [no_scale_up("pod didn't trigger scale-up: 1 max limit reached", ago=300), TRIGGERED],
            None,
            "A node is being started for it, for 3 min so far.",
            id="it could not grow, and then it could",
        ),
        pytest.param(
            [TRIGGERED, no_scale_up("pod didn't trigger scale-up: 1 max limit reached")],
            None,
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="it could grow, and then it could not",
        ),
        pytest.param(
            [TRIGGERED, an_event("FailedScheduling", FULL, source=SCHEDULER)],
            None,
            "A node is being started for it, for 3 min so far.",
            id="the scheduler goes on saying that there is no place",
        ),
    ],
)
def test_the_autoscalers_words(
    events: list[dict[str, Any]], minutes: float | None, words: str
) -> None:
    assert said(unscheduled(FULL), *events, minutes=minutes) == words
