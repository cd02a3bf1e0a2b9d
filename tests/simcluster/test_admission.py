from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    LIMITRANGES,
    NAMESPACES,
    PODS,
    PRIORITYCLASSES,
    RUNTIMECLASSES,
    SECRETS,
    ResourceType,
)
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.storage.pod_security import check_pod_security
from gpuspawner.simcluster.storage.store import Store


def create_pod(store: Store, container: Object | None = None, **spec: Any) -> Any:
    containers = [{"name": "notebook"} | (container or {})]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": containers} | spec}
    return store.create(PODS, "default", pod)


def test_a_pod_gets_its_defaults(store: Store) -> None:
    spec = create_pod(store)["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["serviceAccountName"] == "default"
    assert spec["priority"] == 0


def test_a_pods_status_is_reset(store: Store) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    made = store.create(PODS, "default", {**pod, "status": {"phase": "Running"}})
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("resources", "requests", "qos"),
    [
        pytest.param({}, None, "BestEffort", id="nothing asked, nothing filled in"),
        pytest.param(
            {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}},
            {"cpu": "1", "nvidia.com/gpu": "1"},
            "Burstable",
            id="limits become requests",
        ),
        pytest.param(
            {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}},
            {"cpu": "1", "memory": "1Gi"},
            "Burstable",
            id="a request of its own is kept",
        ),
        pytest.param(
            {"limits": {"cpu": "2", "memory": "1Gi"}},
            {"cpu": "2", "memory": "1Gi"},
            "Guaranteed",
            id="cpu and memory limited and requested alike are guaranteed",
        ),
    ],
)
def test_requests(store: Store, resources: Object, requests: Object | None, qos: str) -> None:
    made = create_pod(store, {"resources": resources})
    assert made["spec"]["containers"][0]["resources"].get("requests") == requests
    assert made["status"]["qosClass"] == qos


def test_a_limit_range_fills_in_what_a_container_lacks(store: Store) -> None:
    item = {"type": "Container", "default": {"memory": "2Gi"}, "defaultRequest": {"cpu": "100m"}}
    limits = {"metadata": {"name": "l"}, "spec": {"limits": [item]}}
    store.create(LIMITRANGES, "default", limits)
    made = create_pod(store, {"resources": {"limits": {"cpu": "4"}}})
    resources = made["spec"]["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "4", "memory": "2Gi"}
    assert resources["requests"] == {"cpu": "4", "memory": "2Gi"}


TOLERATED = [
    ("node.kubernetes.io/not-ready", 300),
    ("node.kubernetes.io/unreachable", 300),
]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param([], TOLERATED, id="both are added"),
        pytest.param(
            [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 5}],
            [("node.kubernetes.io/not-ready", 5), TOLERATED[1]],
            id="one of its own is kept",
        ),
        pytest.param([{"operator": "Exists"}], [(None, None)], id="a wildcard suffices"),
    ],
)
def test_tolerations(store: Store, own: list[Object], expected: list[Any]) -> None:
    made = create_pod(store, tolerations=own)["spec"]["tolerations"]
    assert [(item.get("key"), item.get("tolerationSeconds")) for item in made] == expected


def test_priority_comes_from_the_named_class(store: Store) -> None:
    gold = {"metadata": {"name": "gold"}, "value": 7, "preemptionPolicy": "Never"}
    store.create(PRIORITYCLASSES, None, gold)
    spec = create_pod(store, priorityClassName="gold")["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")


def test_priority_comes_from_the_global_default(store: Store) -> None:
    usual = {"metadata": {"name": "usual"}, "value": 3, "globalDefault": True}
    store.create(PRIORITYCLASSES, None, usual)
    spec = create_pod(store)["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (3, "usual")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            {"priorityClassName": "gold"},
            'pods "p" is forbidden: no PriorityClass with name gold was found',
            id="an unknown priority class",
        ),
        pytest.param(
            {"runtimeClassName": "nvidia"},
            'pods "p" is forbidden: pod rejected: RuntimeClass "nvidia" not found',
            id="an unknown runtime class",
        ),
    ],
)
def test_admission_refuses(store: Store, spec: Object, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        create_pod(store, **spec)
    assert (caught.value.code, caught.value.message) == (403, words)


def test_a_runtime_class_adds_its_scheduling_and_overhead(store: Store) -> None:
    toleration = {"key": "gpu", "operator": "Exists"}
    runtime = {
        "metadata": {"name": "nvidia"},
        "handler": "nvidia",
        "overhead": {"podFixed": {"cpu": "100m"}},
        "scheduling": {"nodeSelector": {"gpu": "yes"}, "tolerations": [toleration]},
    }
    store.create(RUNTIMECLASSES, None, runtime)
    spec = create_pod(store, runtimeClassName="nvidia", nodeSelector={"zone": "a"})["spec"]
    assert spec["overhead"] == {"cpu": "100m"}
    assert spec["nodeSelector"] == {"zone": "a", "gpu": "yes"}
    assert toleration in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"containers": []}, "spec.containers: Required value", id="no containers"),
        pytest.param(
            {"containers": [{"name": "c"}, {"name": "c"}]}, "Duplicate value", id="the same name"
        ),
        pytest.param(
            {"containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            'Not found: "v"',
            id="a mount without a volume",
        ),
    ],
)
def test_invalid_pods(store: Store, spec: Object, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        create_pod(store, **spec)
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("resource", "namespace", "obj", "expected"),
    [
        pytest.param(
            NAMESPACES, None, {}, {"status": {"phase": "Active"}}, id="a namespace is active"
        ),
        pytest.param(
            SECRETS,
            "default",
            {"stringData": {"k": "v"}},
            {"data": {"k": "dg=="}, "type": "Opaque", "stringData": None},
            id="a secret's plain strings are encoded",
        ),
    ],
)
def test_other_defaults(
    store: Store, resource: ResourceType, namespace: str | None, obj: Object, expected: Object
) -> None:
    made = store.create(resource, namespace, {"metadata": {"name": "x"}} | obj)
    assert {key: made.get(key) for key in expected} == expected


RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def context(**changes: Any) -> Object:
    merged = RESTRICTED | changes
    return {"securityContext": {key: value for key, value in merged.items() if value is not None}}


@pytest.mark.parametrize(
    ("level", "container", "spec", "words"),
    [
        pytest.param("restricted", context(), {}, None, id="a pod that does as it is told"),
        pytest.param(
            "restricted",
            context(runAsNonRoot=None, seccompProfile=None),
            {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}},
            None,
            id="the pod may say it for its containers",
        ),
        pytest.param(
            "restricted",
            {},
            {},
            "allowPrivilegeEscalation != false (container "
            '"notebook" must set securityContext.allowPrivilegeEscalation=false), '
            'unrestricted capabilities (container "notebook" must set '
            'securityContext.capabilities.drop=["ALL"]), '
            'runAsNonRoot != true (pod or container "notebook" must set '
            "securityContext.runAsNonRoot=true), "
            'seccompProfile (pod or container "notebook" must set '
            'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
            id="a pod that says nothing",
        ),
        pytest.param(
            "restricted",
            context(runAsNonRoot=False, runAsUser=0),
            {},
            'runAsNonRoot != true (container "notebook" must not set '
            'securityContext.runAsNonRoot=false), runAsUser=0 (container "notebook" must not set '
            "runAsUser=0)",
            id="root",
        ),
        pytest.param(
            "restricted",
            context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_ADMIN"]}),
            {},
            'unrestricted capabilities (container "notebook" must not include "SYS_ADMIN" in '
            "securityContext.capabilities.add)",
            id="a capability",
        ),
        pytest.param(
            "restricted",
            context(),
            {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "nfs": {"server": "x"}}]},
            'restricted volume types (volume "b" uses restricted volume type "nfs")',
            id="NFS in the pod itself",
        ),
        pytest.param(
            "baseline",
            {"securityContext": {"privileged": True}},
            {"hostNetwork": True, "volumes": [{"name": "usb", "hostPath": {"path": "/dev"}}]},
            'host namespaces (hostNetwork=true), privileged (container "notebook" must not set '
            'securityContext.privileged=true), hostPath volumes (volume "usb")',
            id="the baseline keeps what is dangerous out",
        ),
        pytest.param(
            "baseline",
            {"securityContext": {"capabilities": {"add": ["CHOWN", "NET_ADMIN"]}}},
            {},
            'non-default capabilities (container "notebook" must not include "NET_ADMIN" in '
            "securityContext.capabilities.add)",
            id="the baseline knows the usual capabilities",
        ),
        pytest.param("baseline", {}, {}, None, id="the baseline takes a plain pod"),
        pytest.param(
            "privileged",
            {"securityContext": {"privileged": True}},
            {"hostPID": True},
            None,
            id="privileged takes all",
        ),
    ],
)
def test_a_namespace_enforces_its_pod_security_standard(
    store: Store, level: str, container: Object, spec: Object, words: str | None
) -> None:
    label = {"pod-security.kubernetes.io/enforce": level}
    store.patch(NAMESPACES, None, "default", {"metadata": {"labels": label}})
    if words is None:
        create_pod(store, container, **spec)
        return
    with pytest.raises(ApiError) as caught:
        create_pod(store, container, **spec)
    assert caught.value.code == 403
    violates = f'pods "p" is forbidden: violates PodSecurity "{level}:latest": {words}'
    assert caught.value.message == violates


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        pytest.param("enforce", "strict", "one of privileged, baseline, restricted", id="a typo"),
        pytest.param("enforce", "", "one of privileged, baseline, restricted", id="nothing"),
        pytest.param("warn", "Baseline", "one of privileged, baseline, restricted", id="a capital"),
        pytest.param("enforce-version", "1.30", '"latest" or "v1.x"', id="a version without its v"),
    ],
)
def test_a_namespace_may_not_ask_for_a_pod_security_standard_that_there_is_not(
    store: Store, label: str, value: str, words: str
) -> None:
    field = f"pod-security.kubernetes.io/{label}"
    meta = {"labels": {field: value}}
    why = f'metadata.labels[{field}]: Invalid value: "{value}": must be {words}'
    with pytest.raises(ApiError) as created:
        store.create(NAMESPACES, None, {"metadata": {"name": "new", **meta}})
    with pytest.raises(ApiError) as patched:
        store.patch(NAMESPACES, None, "default", {"metadata": meta})
    for name, caught in (("new", created), ("default", patched)):
        assert (caught.value.code, caught.value.reason) == (422, "Invalid")
        assert caught.value.message == f'Namespace "{name}" is invalid: {why}'
    create_pod(store)


def test_a_level_that_there_is_not_counts_as_the_strictest() -> None:
    """The real API server may have kept one from before it looked at them."""
    pod: Object = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "notebook"}]}}
    labels = {"pod-security.kubernetes.io/enforce": "restrictd"}
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest"'):
        check_pod_security(pod, pod["spec"]["containers"], labels)
