"""The cluster's own words, without names that are somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpuspawner.starting.cleaning import _is_known, clean
from gpuspawner.starting.vocabulary import BEFORE, WORDS

from .pods import IMAGE, a_pod

POD = a_pod(node="gke-prod-gpu-9f3c2a1b-x4sn")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param(
            "0/68 nodes are available: 44 Insufficient memory, 68 Insufficient nvidia.com/gpu. "
            "preemption: 0/68 nodes are available: 1 No preemption victims found for incoming "
            "pod, 67 Preemption is not helpful for scheduling..",
            "0/68 nodes are available: 44 Insufficient memory, 68 Insufficient nvidia.com/gpu. "
            "preemption: 0/68 nodes are available: 1 No preemption victims found for incoming "
            "pod, 67 Preemption is not helpful for scheduling..",
            id="the scheduler's words stay",
        ),
        pytest.param(
            "0/3 nodes are available: 1 Insufficient nvidia.com/mig-1g.5gb, 2 node(s) didn't "
            "match Pod's node affinity/selector.",
            "0/3 nodes are available: 1 Insufficient nvidia.com/mig-1g.5gb, 2 node(s) didn't "
            "match Pod's node affinity/selector.",
            id="so do resources",
        ),
        pytest.param(
            "0/8 nodes are available: 4 node(s) had untolerated taint {team-of-bob: eve}.",
            "0/8 nodes are available: 4 node(s) had untolerated taint {…}.",
            id="taints are the nodes' affair",
        ),
        pytest.param(
            'Multi-Attach error for volume "pvc-b2c3cdf9-d25e" Volume is already used by pod(s) '
            "jupyter-bob, jupyter-eve--lab",
            "Multi-Attach error for volume … Volume is already used by other pods",
            id="the pods that use a volume",
        ),
        pytest.param(
            'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) bob and 2 '
            "pod(s) in different namespaces",
            "Multi-Attach error for volume … Volume is already used by other pods and 2 pod(s) in "
            "different namespaces",
            id="a pod with a name of plain letters, and others elsewhere",
        ),
        pytest.param(
            "Preempted by prod/jupyter-bob on node gke-prod-gpu-9f3c2a1b-x4sn",
            "preempted by another pod on a node",
            id="who took the place, before Kubernetes 1.27",
        ),
        pytest.param(
            "Preempted by pod 0d1e2f3a-0000-4bcd-8e9f-aabbccddeeff on node worker",
            "preempted by another pod on a node",
            id="who took the place, since",
        ),
        pytest.param(
            "Successfully assigned prod/jupyter-ada to gke-prod-gpu-9f3c2a1b-x4sn",
            "Successfully assigned your server to a node",
            id="the node",
        ),
        pytest.param(
            "Successfully assigned prod/jupyter-ada to cronus",
            "Successfully assigned your server to a node",
            id="a node with a name of plain letters",
        ),
        pytest.param(
            "Pod should schedule on: nodeclaim/default-cvkcv, node/ip-10-199-71-41.ec2.internal",
            "Pod should schedule on: …",
            id="Karpenter's nodes",
        ),
        pytest.param(
            "pod triggered scale-up: [{https://www.googleapis.com/compute/v1/projects/acme/zones/"
            "us-central1-b/instanceGroups/gke-nb-user-05 0->1 (max: 10)}]",
            "pod triggered scale-up: […]",
            id="cluster-autoscaler's groups",
        ),
        pytest.param(
            'MountVolume.SetUp failed for volume "home-ada" : mount failed: exit status 32\n'
            "Mounting command: mount\nMounting arguments: -t nfs 10.3.246.86:/homes/bob "
            "/var/lib/kubelet/pods/59d30fb9/volumes/kubernetes.io~nfs/home\n"
            "Output: mount.nfs: Connection timed out",
            "MountVolume.SetUp failed for volume … : mount failed: exit status 32 Mounting "
            "command: mount Mounting arguments: … nfs … Output: …: Connection timed out",
            id="paths, addresses and servers",
        ),
        pytest.param(
            'Unable to mount volumes for pod "jupyter-bob_jhub(372860e8-30b1)": timeout expired '
            'waiting for volumes to attach or mount for pod "jhub"/"jupyter-bob". list of '
            "unmounted volumes=[volume-bob]",
            "Unable to mount volumes for your server timeout expired waiting for volumes to "
            "attach or mount for your server list of unmounted volumes=[…]",
            id="the kubelet's older words",
        ),
        pytest.param(
            f'Successfully pulled image "{IMAGE}" in 1m21.284220239s (1m30.5s including '
            "waiting). Image size: 6482812345 bytes.",
            f'Successfully pulled image "{IMAGE}" in 1m21.284220239s (1m30.5s including '
            "waiting). Image size: 6482812345 bytes.",
            id="the server's own image stays",
        ),
        pytest.param(
            'Back-off pulling image "registry.local/team-bob/secret:1"',
            "Back-off pulling image …",
            id="another image goes",
        ),
        pytest.param(
            'secret "user-bob-token" not found', "secret … not found", id="the name of a secret"
        ),
        pytest.param(
            "0/9 nodes are available: 1 node(s) exceed max volume count, 2 node(s) didn't satisfy "
            "existing pods anti-affinity rules, 3 node(s) were unschedulable, 3 Too many pods.",
            "0/9 nodes are available: 1 node(s) exceed max volume count, 2 node(s) didn't satisfy "
            "existing pods anti-affinity rules, 3 node(s) were unschedulable, 3 Too many pods.",
            id="more of the scheduler's words",
        ),
        pytest.param(
            "pod didn't trigger scale-up: 1 max node group size reached, 2 in backoff after failed "
            "scale-up, 3 max cluster cpu, memory limit reached",
            "pod didn't trigger scale-up: 1 max node group size reached, 2 in backoff after failed "
            "scale-up, 3 max cluster cpu, memory limit reached",
            id="cluster-autoscaler's words",
        ),
        pytest.param(
            "Failed to schedule pod, all available instance types exceed limits for nodepool: "
            '"team-bob"',
            "Failed to schedule pod, all available instance types exceed limits for nodepool: …",
            id="Karpenter's words",
        ),
        pytest.param(
            "couldn't find node alice", "couldn't find node …", id="a node that is called alice"
        ),
        pytest.param(
            'pods "jupyter-ada" is forbidden: exceeded quota: alice, requested: '
            "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: "
            "requests.nvidia.com/gpu=4",
            "pods your server is forbidden: exceeded quota: …, requested: "
            "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: "
            "requests.nvidia.com/gpu=4",
            id="a quota that is called alice",
        ),
        pytest.param(
            "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu "
            "in flavor bob, 1 more needed; available quota in ClusterQueue alice",
            "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu "
            "in flavor …, 1 more needed; available quota in ClusterQueue …",
            id="Kueue's queues and flavors",
        ),
        pytest.param(
            "mount.nfs: permission denied for bob on share carol",
            "…: permission denied for … on share …",
            id="a file server's people",
        ),
        pytest.param(
            "Volume is already used by 2 pod(s) in different namespaces bob alice",
            "Volume is already used by 2 pod(s) in different namespaces …",
            id="namespaces that are called after people",
        ),
        pytest.param(
            "exceeded quota: small, used: 3; in flavor short",
            "exceeded quota: …, used: 3; in flavor …",
            id="a word of messages where a name stands",
        ),
        pytest.param(
            "killing max; Grace will not take AliceSmith, O'Hara or MAX",
            "killing …; … will not take … or …",
            id="names with capitals, and names that are words of messages elsewhere",
        ),
        pytest.param(
            "denied for 20191234, 2019cs101 and 372860e8 after 4 attempts",
            "denied for … and … after 4 attempts",
            id="numbers by which people are known",
        ),
        pytest.param("see bob@example.org", "see …", id="an address of mail"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_is_left_of_the_words(text: str, cleaned: str) -> None:
    assert clean(text, POD) == cleaned


@pytest.mark.parametrize(
    "reason",
    [
        "BackOff",
        "ExceededGracePeriod",
        "FailedAttachVolume",
        "FailedCreatePodSandBox",
        "FailedMount",
        "FailedScheduling",
        "FailedToRetrieveImagePullSecret",
        "NetworkNotReady",
        "NotTriggerScaleUp",
        "OutOfcpu",
        "ResourceClaimCreationFailed",
        "TaintManagerEviction",
        "UnexpectedAdmissionError",
    ],
)
def test_the_words_for_what_happened_stay(reason: str) -> None:
    assert clean(reason, POD) == reason


@given(word=st.from_regex(r"[A-Za-z]{2,12}", fullmatch=True).filter(lambda w: not _is_known(w)))
@example(word="alice")
@example(word="Alice")
@example(word="ALICE")
def test_no_word_is_left_that_no_message_of_kubernetes_has(word: str) -> None:
    if word.lower() not in BEFORE:
        left = clean(f"node {word} in use by {word}, {word}: {word}={word} ({word})", POD)
        assert left == "node … in use by …: …=… (…)"


@given(
    name=st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{2,8}){1,3}", fullmatch=True),
    text=st.sampled_from(
        [
            "Volume is already used by pod(s) jupyter-a, {}",
            "Preempted by {} on node n-1",
            "Preempted by prod/{} on node {}",
            'pod "{}" is forbidden',
            "killing {}: it must go",
            "({})",
            "node/{},{}",
            "volumes=[{} {}]",
            "key={}",
        ]
    ),
)
def test_no_name_with_a_dash_is_left(name: str, text: str) -> None:
    if name not in ("jupyter-ada", "scale-up", "back-off", "non-empty"):
        assert name not in clean(text.replace("{}", name), POD)


def test_the_vocabulary_holds_no_common_given_name() -> None:
    names = """
        abdul adam ada alex alice amy ana anna art ben beth bill bob carol chen chris dan dave dawn
        don drew eve frank fred gene glen grace grant guy hans harry hope ian ivan jack jan jean jim
        job joe john jon joy juan june karen kate ken kim lee leo li lin liz luke lynn marc mark
        mary mat max may mia mike ming nick nora olaf oscar pat paul pete ping ray rich rob robin
        rod ron rose ruth sam sara sean skip sky sophie stan sue tim tom tony ty van vera victor wei
        will yan
    """
    assert WORDS.isdisjoint(names.split())
