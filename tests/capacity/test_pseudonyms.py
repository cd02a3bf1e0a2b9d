"""A recording without names of people is judged like the one with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpuspawner.capacity.pseudonyms import without_names
from gpuspawner.recording import candidates, verdict_line

USERNAME, SERVERNAME = "hub.jupyter.org/username", "hub.jupyter.org/servername"
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
PEOPLE = ("alice", "bob", "carol", "dora", "erin", "frank", "grace", "heidi", "zoe")
"""Heidi has a claim alone, bob a Released volume, frank and erin only what is called after them."""

Object = dict[str, Any]


def a_node(name: str, zone: str) -> Object:
    labels = {HOST: name, ZONE: zone, "pool": "a100"}
    allocatable = {"cpu": "8", "memory": "32Gi", "pods": "10"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": allocatable}}


def a_server(
    person: str, node: str = "", *, server: str = "", claim: str = "", **spec: Any
) -> Object:
    labels = {USERNAME: person, SERVERNAME: server, "owner": f"{person}.example.org", "app": "hub"}
    mounts = [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    container = {"name": "notebook", "resources": {"requests": {"cpu": "3"}}}
    return {
        "metadata": {
            "name": f"jupyter-{person}{'--' if server else ''}{server}",
            "namespace": f"jhub-{person}",
            "labels": labels,
        },
        "spec": {
            "containers": [container],
            "volumes": [*spec.pop("volumes", ()), *mounts],
            **({"nodeName": node} if node else {}),
            **spec,
        },
    }


def a_claim(person: str, volume: str = "", *modes: str, name: str = "") -> Object:
    labels = {USERNAME: person}
    completed = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    metadata = {"name": name or f"claim-{person}", "namespace": f"jhub-{person}", "labels": labels}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {**metadata, "annotations": completed},
        "spec": {"volumeName": volume, "accessModes": list(modes) or ["ReadWriteMany"]},
        "status": {"phase": "Bound"},
    }


def a_volume(name: str, person: str, zone: str, **labels: str) -> Object:
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {ZONE: zone, **labels}},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteMany"],
            "claimRef": {"namespace": f"jhub-{person}", "name": f"claim-{person}"},
            "csi": {"driver": "nfs", "volumeHandle": f"/home/{person}"},
        },
        "status": {"phase": "Bound"},
    }


def near(affinity: str, *people: str, **more: Any) -> Object:
    """Terms over the people to be near to, or away from."""
    expression = {"key": USERNAME, "operator": "In", "values": list(people)}
    term = {"topologyKey": HOST, "labelSelector": {"matchExpressions": [expression]}, **more}
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    return {
        affinity: {
            "requiredDuringSchedulingIgnoredDuringExecution": [term],
            "preferredDuringSchedulingIgnoredDuringExecution": preferred,
        }
    }


WAITING = {
    "a named server that is called like a pool of nodes": a_server(
        "grace", server="a100", nodeSelector={"pool": "a100"}
    ),
    "a node of a pool that is called like nobody": a_server("grace", nodeSelector={"pool": "x"}),
    "near a person's pod in another namespace": a_server(
        "grace", affinity=near("podAffinity", "alice", namespaces=["jhub-alice"])
    ),
    "near a person who is in another namespace than named": a_server(
        "grace", affinity=near("podAffinity", "alice", namespaces=["jhub-zoe"])
    ),
    "near pods of a namespace that is selected by its name": a_server(
        "grace",
        affinity=near(
            "podAffinity",
            "alice",
            namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "jhub-alice"}},
        ),
    ),
    "away from several people": a_server(
        "grace",
        affinity=near("podAntiAffinity", "alice", "carol", namespaces=["jhub-alice", "jhub-carol"]),
    ),
    "kept away by a pod that is there": a_server("dora"),
    "spread by a label with a person's name in it": a_server(
        "alice",
        topologySpreadConstraints=[
            {
                "topologyKey": HOST,
                "maxSkew": 1,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"owner": "alice.example.org"}},
                "matchLabelKeys": [USERNAME],
            }
        ],
    ),
    "a volume of one zone": a_server("alice", claim="claim-alice"),
    "a volume that only one pod may use": a_server("carol", claim="claim-carol"),
    "a claim that is not there": a_server("erin", claim="claim-erin"),
    "a claim with a volume that is not there": a_server("heidi", claim="claim-heidi"),
    "a claim that selects a volume by a person's label": a_server("frank", claim="claim-frank"),
    "a quota that is used up": a_server("zoe"),
    "an ephemeral volume's claim that is another's": a_server(
        "grace", volumes=[{"name": "scratch-grace", "ephemeral": {"volumeClaimTemplate": {}}}]
    ),
}


def a_state() -> Object:
    unbound = a_claim("frank")
    unbound["spec"] |= {"storageClassName": "nfs", "selector": {"matchLabels": {"user": "frank"}}}
    free = a_volume("nfs-home-frank", "bob", "south", user="frank")
    free["spec"] |= {"storageClassName": "nfs", "claimRef": None}
    quota = {"hard": {"pods": "1"}, "used": {"pods": "1"}}
    return {
        "state": 0,
        "nodes": [a_node("n1", "north"), a_node("n2", "south"), a_node("n3", "dora")],
        "pods": [
            a_server("alice", "n1", server="a100", claim="claim-alice"),
            a_server("carol", "n2", claim="claim-carol"),
            a_server(
                "alice", "n3", affinity=near("podAntiAffinity", "dora", namespaces=["jhub-dora"])
            ),
        ],
        "objects": [
            a_claim("alice", "nfs-home-alice"),
            a_claim("carol", "nfs-home-carol", "ReadWriteOncePod"),
            a_claim("heidi", "nfs-home-heidi"),
            {**unbound, "status": {"phase": "Pending"}},
            a_claim("grace", "nfs-home-grace", name="jupyter-grace-scratch-grace"),
            a_volume("nfs-home-alice", "alice", "dora"),
            a_volume("nfs-home-carol", "carol", "north"),
            {**free, "status": {"phase": "Available"}},
            {**a_volume("nfs-home-bob", "bob", "south"), "status": {"phase": "Released"}},
            {
                "kind": "StorageClass",
                "metadata": {"name": "nfs"},
                "provisioner": "kubernetes.io/no-provisioner",
                "volumeBindingMode": "WaitForFirstConsumer",
            },
            {
                "kind": "ResourceQuota",
                "metadata": {"name": "of-zoe", "namespace": "jhub-zoe"},
                "status": quota,
            },
        ],
        "candidates": [{"pod": pod} for pod in WAITING.values()],
    }


def replayed(state: Object) -> list[Object]:
    return [verdict_line(one) for one in candidates([json.dumps(state).encode()])]


@pytest.mark.parametrize("number", [pytest.param(n, id=name) for n, name in enumerate(WAITING)])
def test_a_verdict_is_the_same_without_names(number: int) -> None:
    kept, replaced = (replayed(s)[number] for s in (a_state(), without_names(a_state())))
    # What they say names claims and quotas.
    assert kept.pop("message", "")[:12] == replaced.pop("message", "")[:12]
    assert list(kept.pop("reasons").values()) == list(replaced.pop("reasons").values())
    assert kept == replaced


def test_the_verdicts_differ_among_each_other() -> None:
    assert {line["fits"] for line in replayed(a_state())} >= {True, False}


def test_nobody_is_named() -> None:
    state = a_state()
    # Nodes stay as they are; here a zone is called like a person.
    del state["nodes"]
    for obj in state["objects"]:
        obj["metadata"].get("labels", {}).pop(ZONE, None)
    text = json.dumps(without_names(state)).lower()
    assert [person for person in PEOPLE if person in text] == []


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param(
            '0/1 nodes: persistentvolumeclaim "claim-erin" not found.',
            '0/1 nodes: persistentvolumeclaim "claim-{erin}" not found.',
            id="a claim that is nowhere else",
        ),
        pytest.param(
            "PVC jhub/home was not created for pod jhub/jupyter-erin (pod is not owner)",
            "PVC {jhub}/claim-0 was not created for pod {jhub}/pod-0 (pod is not owner)",
            id="namespaces, claims and pods",
        ),
        pytest.param(
            "had untolerated taint {jhub: true}, 1 Insufficient gpu.",
            "had untolerated taint {jhub: true}, 1 Insufficient gpu.",
            id="a taint that is called like a namespace, a resource like a server",
        ),
    ],
)
def test_what_the_scheduler_said_stays_readable(message: str, told: str) -> None:
    labels = {USERNAME: "erin", SERVERNAME: "gpu"}
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "home"}}
    pod = {
        "metadata": {"name": "jupyter-erin", "namespace": "jhub", "labels": labels},
        "spec": {"volumes": [volume]},
    }
    new = without_names({"nodes": [], "candidates": [{"pod": pod, "message": message}]})
    assert new["candidates"][0]["message"] == told.replace("{erin}", "person-0").replace(
        "{jhub}", "namespace-0"
    )


def test_what_is_the_clusters_keeps_its_name() -> None:
    state: Object = {
        "nodes": [a_node("alice", "north")],
        "pods": [
            {"metadata": {"name": "dns", "namespace": "kube-system", "labels": {"k8s-app": "dns"}}},
            a_server("alice", "alice", priorityClassName="alice", nodeSelector={HOST: "alice"}),
        ],
        "objects": [{"kind": "StorageClass", "metadata": {"name": "alice"}}],
    }
    new = without_names(state)
    assert new["nodes"] == state["nodes"]
    assert new["objects"] == state["objects"]
    system = {"namespace": "kube-system", "labels": {"k8s-app": "dns"}}
    assert new["pods"][0]["metadata"] == {"name": "pod-0", **system}
    spec = new["pods"][1]["spec"]
    names = (spec["nodeName"], spec["priorityClassName"], spec["nodeSelector"][HOST])
    assert names == ("alice", "alice", "alice")
