"""What a pod without a node waits for."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.starting.heard import hear
from gpuspawner.starting.measured import NOTHING, Durations, Measured, Usual, key_of_pool
from gpuspawner.starting.places import sentence

from .pods import NOW, a_time, an_event, unscheduled

SCHEDULER, AUTOSCALER, KARPENTER = "default-scheduler", "cluster-autoscaler", "karpenter"
NO_VICTIMS = (
    " preemption: 0/8 nodes are available: 1 No preemption victims found for incoming pod, "
    "7 Preemption is not helpful for scheduling."
)
FULL = f"0/8 nodes are available: 1 Insufficient nvidia.com/gpu.{NO_VICTIMS}"
WAITS = "Waiting for a place: no node has a GPU left. It starts as soon as there is one."
GROUP = "gke-pilot-hubs-cluster-nb-user-05"
URL = (
    "https://www.googleapis.com/compute/v1/projects/acme/zones/us-central1-b/instanceGroups/"
    f"{GROUP}"
)
TRIGGERED = an_event(
    "TriggeredScaleUp",
    f"pod triggered scale-up: [{{{URL} 0->1 (max: 10)}}]",
    ago=200,
    source=AUTOSCALER,
)


def no_scale_up(text: str, ago: float = 5) -> dict[str, Any]:
    return an_event("NotTriggerScaleUp", text, ago=ago, source=AUTOSCALER)


def said(pod: dict[str, Any], *events: dict[str, Any], usual: Usual = NOTHING) -> str:
    return sentence(pod, hear(pod, events), NOW, usual)


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
    ("events", "words"),
    [
        pytest.param(
            [TRIGGERED],
            "A node is being started for it, for 3 min so far.",
            id="a node is on its way, and nobody has measured how long that takes",
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
            f"{WAITS} No new node can be started for it: none of the kinds that can be started "
            "would take it.",
            id="no pool of its kind",
        ),
        pytest.param(
            [no_scale_up("pod didn't trigger scale-up (it wouldn't fit if a new node is added)")],
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
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="Karpenter's pool is as large as it may be",
        ),
        pytest.param(
            [no_scale_up("pod didn't trigger scale-up: 1 max limit reached", ago=300), TRIGGERED],
            "A node is being started for it, for 3 min so far.",
            id="it could not grow, and then it could",
        ),
        pytest.param(
            [TRIGGERED, no_scale_up("pod didn't trigger scale-up: 1 max limit reached")],
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="it could grow, and then it could not",
        ),
        pytest.param(
            [TRIGGERED, an_event("FailedScheduling", FULL, source=SCHEDULER)],
            "A node is being started for it, for 3 min so far.",
            id="the scheduler goes on saying that there is no place",
        ),
    ],
)
def test_the_autoscalers_words(events: list[dict[str, Any]], words: str) -> None:
    assert said(unscheduled(FULL), *events) == words


CLAIMED = an_event(
    "Nominated", "Pod should schedule on: nodeclaim/default-cvkcv", source=KARPENTER, ago=30
)


@pytest.mark.parametrize(
    ("events", "measured", "words"),
    [
        pytest.param(
            [TRIGGERED],
            {URL: (240, 276, 600)},
            "A node is being started for it, for 3 min so far; typically 5 min.",
            id="of the group that grows",
        ),
        pytest.param(
            [TRIGGERED],
            {URL: (276,)},
            "A node is being started for it, for 3 min so far; last time it took 5 min.",
            id="of the group that grows, once",
        ),
        pytest.param(
            [CLAIMED],
            {"default": (90, 90, 90)},
            "A node is being started for it; typically 2 min.",
            id="of Karpenter's pool",
        ),
        pytest.param(
            [TRIGGERED],
            {key_of_pool("the A100 pool"): (240, 240, 240)},
            "A node is being started for it, for 3 min so far; typically 4 min.",
            id="of the pool that was expected to grow",
        ),
        pytest.param(
            [TRIGGERED],
            {key_of_pool("the A100 pool"): (240, 240, 240), URL: (600, 600, 600)},
            "A node is being started for it, for 3 min so far; typically 10 min.",
            id="what the autoscaler says it grows counts for more than what was expected",
        ),
        pytest.param(
            [TRIGGERED],
            {"another": (240, 240, 240), key_of_pool("another"): (240, 240, 240)},
            "A node is being started for it, for 3 min so far.",
            id="of others only",
        ),
        pytest.param(
            [no_scale_up("pod didn't trigger scale-up: 1 max limit reached")],
            {key_of_pool("the A100 pool"): (240, 240, 240)},
            f"{WAITS} No new node can be started for it: as many nodes run as are allowed.",
            id="no node is started",
        ),
    ],
)
def test_how_long_a_node_typically_takes(
    events: list[dict[str, Any]], measured: dict[str, tuple[float, ...]], words: str
) -> None:
    usual = Usual(Measured(nodes=Durations(measured)), pool="the A100 pool")
    assert said(unscheduled(FULL), *events, usual=usual) == words


def test_a_call_for_a_node_that_is_repeated_counts_from_the_first() -> None:
    again = {**TRIGGERED, "firstTimestamp": a_time(420)}
    assert said(unscheduled(FULL), again) == "A node is being started for it, for 7 min so far."
