"""What is read of nodes and pods, and how the strange ones are read."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import (
    NodeSelectorTerm,
    PodAffinityTerm,
    Requirement,
    ResourceClaimRef,
    SpreadConstraint,
    Taint,
    Toleration,
    matches,
    pack,
    packed_matcher,
    read_node,
    read_pod,
    read_request,
    with_label_keys,
)
from gpuspawner.errors import MalformedObjectError

from ..builders import GPU

GIB = 2**30
NAMED: dict[str, Any] = {"name": "p1"}


def a_container(*, restart: str | None = None, **requests: str | int) -> dict[str, Any]:
    """A container that requests these; ``gpus`` is nvidia.com/gpu."""
    named = {GPU if name == "gpus" else name: amount for name, amount in requests.items()}
    container: dict[str, Any] = {"resources": {"requests": named}}
    return {**container, "restartPolicy": restart} if restart else container


def requests_of(**spec: Any) -> dict[str, int]:
    return dict(read_request({"metadata": {}, "spec": spec}).requests)


def test_a_node_as_the_api_server_sends_it() -> None:
    node = read_node(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": "gpu-1",
                    "uid": "0a",
                    "creationTimestamp": "2026-07-01T12:00:00Z",
                    "labels": {"gpu": "a100"},
                    "annotations": {"long": "text"},
                    "managedFields": [{"manager": "kubelet"}],
                },
                "spec": {
                    "podCIDR": "10.1.0.0/24",
                    "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
                    "unschedulable": True,
                },
                "status": {
                    "allocatable": {"cpu": "63500m", "memory": "125Gi", GPU: "2", "pods": "110"},
                    "capacity": {"cpu": "64", "memory": "128G", GPU: "2", "pods": "110"},
                    "images": [{"names": ["x"], "sizeBytes": 1}],
                },
            }
        ).encode()
    )
    assert (node.name, node.uid, node.labels) == ("gpu-1", "0a", {"gpu": "a100"})
    assert node.taints == (Taint("a", "b", "NoSchedule"),)
    assert node.unschedulable is True
    assert node.created == "2026-07-01T12:00:00Z"
    assert node.allocatable == {"cpu": 63500, "memory": 125 * GIB, GPU: 2, "pods": 110}
    assert node.capacity["memory"] == 128 * 10**9


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({"metadata": {"name": "n"}}, id="no spec and no status"),
        pytest.param({"metadata": {"name": "n"}, "spec": None, "status": None}, id="both null"),
        pytest.param(
            {
                "metadata": {"name": "n", "uid": None, "labels": None},
                "spec": {"taints": None, "unschedulable": None},
                "status": {"allocatable": None, "capacity": None},
            },
            id="every field null",
        ),
    ],
)
def test_a_node_that_says_nothing_has_nothing(obj: dict[str, Any]) -> None:
    node = read_node(obj)
    assert (node.uid, node.labels, node.taints, node.unschedulable) == ("", {}, (), False)
    assert node.created == ""
    assert (node.allocatable, node.capacity) == ({}, {})


def test_a_taint_may_lack_value_and_effect() -> None:
    taints = [{"key": "a"}, {"key": "b", "value": None, "effect": None, "timeAdded": "x"}]
    node = read_node({"metadata": {"name": "n"}, "spec": {"taints": taints}})
    assert node.taints == (Taint("a", "", ""), Taint("b", "", ""))


@pytest.mark.parametrize(
    ("metadata", "spec", "status", "expected"),
    [
        pytest.param({}, {"nodeName": "n1"}, {"phase": "Running"}, ("n1", "Running", False, True)),
        pytest.param({}, {"nodeName": "n1"}, {"phase": "Pending"}, ("n1", "Pending", False, True)),
        pytest.param({}, {"nodeName": ""}, {"phase": "Pending"}, (None, "Pending", False, False)),
        pytest.param({}, {"nodeName": None}, {}, (None, "", False, False)),
        pytest.param({}, {}, None, (None, "", False, False)),
        pytest.param({}, {"nodeName": "n1"}, {"phase": None}, ("n1", "", False, True)),
        pytest.param({}, {"nodeName": "n1"}, {"phase": "Unknown"}, ("n1", "Unknown", False, True)),
        pytest.param(
            {}, {"nodeName": "n1"}, {"phase": "Succeeded"}, ("n1", "Succeeded", False, False)
        ),
        pytest.param({}, {"nodeName": "n1"}, {"phase": "Failed"}, ("n1", "Failed", False, False)),
        pytest.param(
            {"deletionTimestamp": "2026-01-01T00:00:00Z"},
            {"nodeName": "n1"},
            {"phase": "Running"},
            ("n1", "Running", True, True),
        ),
        pytest.param(
            {"deletionTimestamp": "2026-01-01T00:00:00Z"},
            {"nodeName": "n1"},
            {"phase": "Succeeded"},
            ("n1", "Succeeded", True, False),
        ),
        pytest.param(
            {"deletionTimestamp": None},
            {"nodeName": "n1"},
            {"phase": "Running"},
            ("n1", "Running", False, True),
        ),
    ],
    ids=[
        "a running pod holds what it requested",
        "a bound pod that is not started holds it",
        "an empty node name is none",
        "a null node name is none",
        "a pod without status is not bound",
        "a bound pod without phase holds it",
        "a pod whose node is lost holds it",
        "a pod that succeeded holds nothing",
        "a pod that failed holds nothing",
        "a pod that is being deleted holds it",
        "a pod that succeeded before it is gone holds nothing",
        "a null deletionTimestamp is no deletion",
    ],
)
def test_pods_that_exist(
    metadata: dict[str, Any],
    spec: dict[str, Any],
    status: dict[str, Any] | None,
    expected: tuple[str | None, str, bool, bool],
) -> None:
    pod = read_pod({"metadata": {**NAMED, **metadata}, "spec": spec, "status": status})
    assert (pod.node, pod.phase, pod.terminating, pod.holds_capacity) == expected


@pytest.mark.parametrize(
    ("spec", "requests"),
    [
        pytest.param({"containers": []}, {}, id="no containers request nothing"),
        pytest.param({"containers": None}, {}, id="null containers request nothing"),
        pytest.param({"containers": [{}]}, {}, id="a container may request nothing"),
        pytest.param({"containers": [{"resources": None}]}, {}, id="null resources are none"),
        pytest.param(
            {"containers": [{"resources": {"requests": None, "limits": None}}]},
            {},
            id="null requests and limits are none",
        ),
        pytest.param(
            {
                "containers": [
                    a_container(cpu="1500m", gpus=1),
                    a_container(cpu="0.5", memory="1Gi"),
                ]
            },
            {"cpu": 2000, GPU: 1, "memory": GIB},
            id="containers are summed",
        ),
        pytest.param(
            {"containers": [{"resources": {"limits": {GPU: "2", "cpu": 4}}}]},
            {GPU: 2, "cpu": 4000},
            id="limits stand in for requests that are left out",
        ),
        pytest.param(
            {
                "containers": [
                    {"resources": {"limits": {"cpu": 4, "memory": "2Gi"}, "requests": {"cpu": 1}}}
                ]
            },
            {"cpu": 1000, "memory": 2 * GIB},
            id="a request that is there outweighs its limit",
        ),
        pytest.param(
            {"containers": [a_container(cpu=1)], "initContainers": [a_container(cpu=4, gpus=1)]},
            {"cpu": 4000, GPU: 1},
            id="an init container counts by its peak",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=3)],
                "initContainers": [a_container(cpu=2), a_container(cpu=1)],
            },
            {"cpu": 3000},
            id="init containers run one after another",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "initContainers": [a_container(restart="Always", cpu=2)],
            },
            {"cpu": 3000},
            id="a sidecar runs beside the containers",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "initContainers": [a_container(restart="Always", cpu=2), a_container(cpu=5)],
            },
            {"cpu": 7000},
            id="an init container runs beside the sidecars started before it",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "initContainers": [a_container(cpu=5), a_container(restart="Always", cpu=2)],
            },
            {"cpu": 5000},
            id="an init container does not run beside sidecars started after it",
        ),
        pytest.param(
            {
                "containers": [a_container(memory="1Gi")],
                "initContainers": [a_container(restart="Always", cpu=1), a_container(gpus=1)],
            },
            {"memory": GIB, "cpu": 1000, GPU: 1},
            id="the peak is taken for each resource by itself",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1, memory="1Gi", gpus=1)],
                "resources": {
                    "requests": {"cpu": 4, "hugepages-2Mi": "4Mi", GPU: 9},
                },
            },
            {"cpu": 4000, "memory": GIB, GPU: 1, "hugepages-2Mi": 4 * 2**20},
            id="pod-level cpu, memory and hugepages replace the sum, devices do not",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "initContainers": [a_container(cpu=8)],
                "resources": {"requests": {"cpu": 2}},
            },
            {"cpu": 2000},
            id="pod-level resources replace the peak as well",
        ),
        pytest.param(
            {"containers": [a_container(gpus=1)], "resources": {"limits": {"cpu": 2}}},
            {GPU: 1, "cpu": 2000},
            id="pod-level limits stand in for what nothing in the pod requests",
        ),
        pytest.param(
            {"containers": [a_container(cpu=1)], "resources": {"limits": {"cpu": 2}}},
            {"cpu": 1000},
            id="pod-level limits do not stand in for what its containers request",
        ),
        pytest.param(
            {
                "containers": [{"resources": {"limits": {"cpu": 1}}}],
                "resources": {"limits": {"cpu": 2}},
            },
            {"cpu": 1000},
            id="nor for what the limits of its containers stand in for",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "overhead": {"cpu": "250m", "memory": "128Mi"},
            },
            {"cpu": 1250, "memory": 2**27},
            id="the overhead of the runtime is added",
        ),
        pytest.param(
            {
                "containers": [a_container(cpu=1)],
                "resources": {"requests": {"cpu": 2}},
                "overhead": {"cpu": 1},
            },
            {"cpu": 3000},
            id="the overhead is added to pod-level resources too",
        ),
        pytest.param(
            {"containers": [a_container(cpu="100n"), a_container(cpu="100n")]},
            {"cpu": 2},
            id="each container is rounded up before the sum",
        ),
    ],
)
def test_what_a_pod_requests(spec: dict[str, Any], requests: dict[str, int]) -> None:
    assert requests_of(**spec) == requests
    assert read_pod({"metadata": NAMED, "spec": spec}).requests == requests


def test_a_request_with_everything() -> None:
    request = read_request(
        {
            "metadata": {"namespace": "jhub", "labels": {"app": "jupyterhub"}},
            "spec": {
                "nodeName": "n1",
                "nodeSelector": {"gpu": "a100"},
                "schedulerName": "user-scheduler",
                "priority": -10,
                "tolerations": [{"key": "a", "operator": "Exists"}, {}, {"key": None}],
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "k", "operator": "Exists"}]},
                                {
                                    "matchFields": [
                                        {"key": "metadata.name", "operator": "In", "values": ["n"]}
                                    ]
                                },
                                {"matchExpressions": None, "matchFields": None},
                            ]
                        }
                    }
                },
            },
        }
    )
    assert (request.namespace, request.labels) == ("jhub", {"app": "jupyterhub"})
    assert (request.node_name, request.node_selector) == ("n1", {"gpu": "a100"})
    assert (request.scheduler_name, request.priority) == ("user-scheduler", -10)
    assert request.tolerations == (Toleration("a", "Exists"), Toleration(), Toleration())
    assert request.affinity == (
        NodeSelectorTerm(labels=(Requirement("k", "Exists"),)),
        NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("n",)),)),
        NodeSelectorTerm(),
    )
    assert request.unchecked == ()


def test_a_request_with_nothing() -> None:
    request = read_request({"metadata": {}, "spec": {}})
    assert (request.namespace, request.scheduler_name) == ("default", "default-scheduler")
    assert (request.node_name, request.priority, request.tolerations) == ("", 0, ())
    assert request.affinity is None


@pytest.mark.parametrize(
    ("affinity", "terms"),
    [
        pytest.param(None, None, id="null affinity is none"),
        pytest.param({}, None, id="empty affinity is none"),
        pytest.param({"nodeAffinity": None}, None, id="null node affinity is none"),
        pytest.param(
            {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
            None,
            id="preferences do not bind",
        ),
        pytest.param(
            {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": None}
                }
            },
            (),
            id="required without terms is not the same as not required",
        ),
    ],
)
def test_node_affinity_that_says_little(affinity: Any, terms: object) -> None:
    request = read_request({"metadata": {}, "spec": {"affinity": affinity}})
    assert request.affinity == terms


A_TERM: dict[str, Any] = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
WEB = (Requirement("app", "In", ("web",)),)


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}


@pytest.mark.parametrize(
    ("rule", "terms"),
    [
        pytest.param(required(A_TERM), (PodAffinityTerm("zone", WEB),), id="labels"),
        pytest.param(
            required({"topologyKey": "zone"}),
            (PodAffinityTerm("zone", None),),
            id="no selector is not an empty one",
        ),
        pytest.param(
            required({"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}}),
            (PodAffinityTerm("zone", (), namespace_selector=()),),
            id="empty selectors",
        ),
        pytest.param(
            required(
                {
                    "topologyKey": "zone",
                    "labelSelector": {
                        "matchLabels": {"b": "2", "a": "1"},
                        "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}],
                    },
                    "namespaces": ["jhub"],
                    "namespaceSelector": {"matchLabels": {"team": "ml"}},
                    "matchLabelKeys": ["version"],
                    "mismatchLabelKeys": ["color"],
                }
            ),
            (
                PodAffinityTerm(
                    "zone",
                    (
                        Requirement("a", "In", ("1",)),
                        Requirement("b", "In", ("2",)),
                        Requirement("c", "DoesNotExist"),
                    ),
                    namespaces=("jhub",),
                    namespace_selector=(Requirement("team", "In", ("ml",)),),
                    match_label_keys=("version",),
                    mismatch_label_keys=("color",),
                ),
            ),
            id="everything",
        ),
        pytest.param(
            {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": A_TERM}
                ]
            },
            (),
            id="preferences do not bind",
        ),
        pytest.param(None, (), id="null"),
        pytest.param({"requiredDuringSchedulingIgnoredDuringExecution": None}, (), id="null terms"),
    ],
)
def test_pod_affinity(rule: Any, terms: tuple[PodAffinityTerm, ...]) -> None:
    """Of pods that exist only what keeps others away is kept."""
    affinity = {"podAffinity": rule, "podAntiAffinity": rule}
    request = read_request({"metadata": {}, "spec": {"affinity": affinity}})
    assert (request.pod_affinity, request.pod_anti_affinity) == (terms, terms)
    assert read_pod({"metadata": NAMED, "spec": {"affinity": affinity}}).anti_affinity == terms


@pytest.mark.parametrize(
    ("constraint", "spread"),
    [
        pytest.param(
            {"topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"},
            (SpreadConstraint("zone", 2, None),),
            id="one that binds",
        ),
        pytest.param(
            {"topologyKey": "zone", "maxSkew": 1},
            (SpreadConstraint("zone", 1, None),),
            id="one that does not say binds",
        ),
        pytest.param(
            {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
            (),
            id="one that only scores",
        ),
        pytest.param(
            {
                "topologyKey": "zone",
                "maxSkew": 1,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "web"}},
                "minDomains": 3,
                "nodeAffinityPolicy": "Ignore",
                "nodeTaintsPolicy": "Honor",
                "matchLabelKeys": ["version"],
            },
            (
                SpreadConstraint(
                    "zone",
                    1,
                    WEB,
                    min_domains=3,
                    honors_affinity=False,
                    honors_taints=True,
                    match_label_keys=("version",),
                ),
            ),
            id="everything",
        ),
    ],
)
def test_topology_spread(constraint: Any, spread: tuple[SpreadConstraint, ...]) -> None:
    spec = {"topologySpreadConstraints": [constraint]}
    assert read_request({"metadata": {}, "spec": spec}).spread == spread


def test_gates_claims_and_preemption() -> None:
    request = read_request(
        {
            "metadata": {},
            "spec": {
                "schedulingGates": [{"name": "example.com/quota"}],
                "resourceClaims": [
                    {"name": "gpu", "resourceClaimTemplateName": "one-gpu"},
                    {"name": "shared", "resourceClaimName": "pool"},
                ],
                "preemptionPolicy": "Never",
            },
        }
    )
    assert request.gates == ("example.com/quota",)
    assert request.resource_claims == (
        ResourceClaimRef("gpu", template="one-gpu"),
        ResourceClaimRef("shared", claim="pool"),
    )
    assert request.preempts is False


def test_lists_that_are_empty_or_null() -> None:
    spec: dict[str, Any] = {
        "resourceClaims": [],
        "schedulingGates": None,
        "topologySpreadConstraints": None,
        "affinity": {},
    }
    request = read_request({"metadata": {}, "spec": spec})
    assert (request.resource_claims, request.gates, request.spread) == ((), (), ())
    assert (request.pod_affinity, request.pod_anti_affinity, request.host_ports) == ((), (), ())
    assert (request.preempts, request.unchecked) == (True, ())


@pytest.mark.parametrize(
    ("volume", "unchecked"),
    [
        pytest.param({"name": "v", "emptyDir": {}}, (), id="a directory of the pod's own"),
        pytest.param({"name": "v", "persistentVolumeClaim": {"claimName": "home"}}, (), id="claim"),
        pytest.param({"name": "v", "csi": {"driver": "x"}}, ("csi",), id="an inline disk"),
    ],
)
def test_what_no_check_judges_is_named(volume: Any, unchecked: tuple[str, ...]) -> None:
    assert read_request({"metadata": {}, "spec": {"volumes": [volume]}}).unchecked == unchecked


SELECTED = {"app": "web", "tier": "1"}


@pytest.mark.parametrize(
    ("selector", "is_match"),
    [
        pytest.param(None, False, id="no selector matches nothing"),
        pytest.param((), True, id="an empty one matches everything"),
        pytest.param((Requirement("app", "In", ("web", "db")),), True, id="in"),
        pytest.param((Requirement("other", "In", ("web",)),), False, id="in needs the label"),
        pytest.param((Requirement("app", "NotIn", ("web",)),), False, id="not in"),
        pytest.param((Requirement("other", "NotIn", ("web",)),), True, id="not in, no label"),
        pytest.param((Requirement("app", "Exists"),), True, id="exists"),
        pytest.param((Requirement("app", "DoesNotExist"),), False, id="does not exist"),
        pytest.param(
            (Requirement("app", "Exists"), Requirement("tier", "In", ("2",))),
            False,
            id="all of them",
        ),
        pytest.param((Requirement("app", "Like", ("w*",)),), False, id="an unknown operator"),
    ],
)
def test_label_selectors(selector: Any, *, is_match: bool) -> None:
    assert matches(selector, SELECTED) is is_match
    assert packed_matcher(selector)(pack(SELECTED)) is is_match


@pytest.mark.parametrize(
    ("selector", "merged"),
    [
        pytest.param(None, None, id="where there is none, none is made"),
        pytest.param((), (Requirement("app", "In", ("web",)),), id="an empty one gets the label"),
        pytest.param(
            (Requirement("tier", "Exists"),),
            (Requirement("tier", "Exists"), Requirement("app", "In", ("web",))),
            id="beside what is there",
        ),
    ],
)
def test_label_keys_are_merged_as_the_api_server_does(selector: Any, merged: object) -> None:
    assert with_label_keys(selector, "In", ("app", "absent"), SELECTED) == merged


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="bytes that are not UTF-8"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no metadata"),
        pytest.param(b'{"metadata": null, "spec": {}}', id="null metadata"),
        pytest.param(b'{"metadata": {}, "spec": {}}', id="no name"),
        pytest.param(b'{"metadata": {"name": ""}, "spec": {}}', id="an empty name"),
        pytest.param(b'{"metadata": {"name": 1}, "spec": {}}', id="a number for a name"),
        pytest.param(b'{"metadata": {"name": "x", "labels": {"a": 1}}, "spec": {}}', id="a label"),
        pytest.param(b"[" * 100_000, id="brackets without end"),
        pytest.param(b'{"metadata": {"name": "\xff"}, "spec": {}}', id="a name that is not UTF-8"),
    ],
)
def test_what_is_neither_node_nor_pod(raw: bytes) -> None:
    with pytest.raises(MalformedObjectError):
        read_node(raw)
    with pytest.raises(MalformedObjectError):
        read_pod(raw)


@pytest.mark.parametrize("amount", ["lots", "", "1Gb", "NaN", True, [], "1" * 100, None])
def test_an_amount_that_is_none_makes_the_object_malformed(amount: object) -> None:
    with pytest.raises(MalformedObjectError):
        read_node({"metadata": NAMED, "status": {"allocatable": {"memory": amount}}})
    containers = [{"resources": {"requests": {"memory": amount}}}]
    with pytest.raises(MalformedObjectError):
        read_pod({"metadata": NAMED, "spec": {"containers": containers}})
    with pytest.raises(MalformedObjectError):
        read_request({"metadata": NAMED, "spec": {"containers": containers}})


def test_a_pod_nested_without_end_is_malformed() -> None:
    deep = b'{"metadata": {"name": "x"}, "spec": {"resourceClaims": ' + b"[" * 100_000
    for read in (read_pod, read_request):
        with pytest.raises(MalformedObjectError):
            read(deep)


def test_an_absurd_number_is_no_amount() -> None:
    """Python refuses to write a number of this many digits as text."""
    containers = [{"resources": {"requests": {"cpu": 10**5000}}}]
    with pytest.raises(MalformedObjectError):
        read_request({"metadata": NAMED, "spec": {"containers": containers}})


def test_a_pod_needs_a_spec() -> None:
    with pytest.raises(MalformedObjectError, match="not a Pod"):
        read_pod({"metadata": NAMED})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "name", "allocatable", "containers", "cpu"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON))
def test_anything_else_is_malformed_and_nothing_worse(obj: dict[str, Any]) -> None:
    for read in (read_node, read_pod, read_request):
        with suppress(MalformedObjectError):
            read(obj)


@given(st.binary())
def test_any_bytes_are_malformed_and_nothing_worse(raw: bytes) -> None:
    for read in (read_node, read_pod, read_request):
        with pytest.raises(MalformedObjectError):
            read(raw)


CONTAINERS = st.lists(
    st.builds(
        a_container,
        restart=st.sampled_from([None, "Always"]),
        cpu=st.integers(0, 4),
        gpus=st.integers(0, 2),
    ),
    max_size=3,
)


@given(CONTAINERS, CONTAINERS)
def test_a_pod_requests_at_least_what_runs_at_any_moment(
    containers: list[dict[str, Any]], init: list[dict[str, Any]]
) -> None:
    """Against a plain walk through the life of a pod."""

    def cpu(container: dict[str, Any]) -> int:
        return int(container["resources"]["requests"]["cpu"]) * 1000

    sidecars = 0
    moments = [0]
    for container in init:
        moments.append(sidecars + cpu(container))
        sidecars += cpu(container) if "restartPolicy" in container else 0
    moments.append(sidecars + sum(map(cpu, containers)))
    requests = requests_of(containers=containers, initContainers=init)
    assert requests.get("cpu", 0) == max(moments)
