"""Random GPU clusters and pods, a function of the random source that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from tests.controlplane.kube import Object

T = TypeVar("T")

MARK = "gpuspawner.test/run"
"""Label and taint of the nodes of one run, so that nobody else's pods go there."""

ZONE, HOST, POOL = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "pool"
GPU, MIG = "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"
PRODUCTS = ("NVIDIA-A100-SXM4-40GB", "Tesla-T4", "NVIDIA-L4")
TAINTS = (
    ("nvidia.com/gpu", "present", "NoSchedule"),
    ("dedicated", "vision", "NoExecute"),
    ("dedicated", "speech", "NoSchedule"),
    ("spot", "true", "PreferNoSchedule"),
)
APPS = ("notebook", "training", "web")
FOREVER = 1_000_000
"""Seconds that a pod on a node without a kubelet takes to end."""


@dataclass(frozen=True)
class Standing:
    """A pod that is there before anybody is judged.

    Attributes:
        pod: what is created.
        phase: what its status is set to; empty leaves it.
        deleted: whether it is deleted, and stays as terminating.
    """

    pod: Object
    phase: str
    deleted: bool


@dataclass(frozen=True)
class State:
    """One cluster and the pods to judge in it, each alone.

    Attributes:
        nodes: all of them.
        volumes: PersistentVolumes, each with the claim that it is for.
        claims: PersistentVolumeClaims.
        standing: pods that are on the nodes.
        evicting: pods that the scheduler is then to find places for, and may evict others for.
        candidates: the pods to judge.
    """

    nodes: list[Object]
    volumes: list[Object]
    claims: list[Object]
    standing: list[Standing]
    evicting: list[Object]
    candidates: list[Object]


class Generator:
    """Draws states.

    Args:
        random: the only source of chance.
        mark: the value of `MARK`.
        namespace: where the pods will be.
        priority_classes: names of a class below 0, which others evict, and of one above.
    """

    def __init__(
        self, random: Random, mark: str, namespace: str, priority_classes: tuple[str, str]
    ) -> None:
        self._random = random
        self._mark = mark
        self._namespace = namespace
        self._claims: list[Object] = []
        self._low, self._high = priority_classes

    def state(self, number: int, candidates: int) -> State:
        """Draw one; only its last candidate may evict others than those of the lowest class."""
        names = [f"{self._mark}-{number}-{i}" for i in range(self._random.randint(2, 7))]
        nodes = [self._node(name) for name in names]
        volumes = [self._volume(f"{self._mark}-{number}-{i}") for i in range(self._one((0, 0, 3)))]
        self._claims = [self._claim(volume) for volume in volumes]
        standing = [
            self._standing(f"standing-{i}", nodes) for i in range(self._random.randint(0, 14))
        ]
        evicting = [
            self._evicting(f"evicting-{i}", names) for i in range(self._one((0, 0, 0, 1, 2)))
        ]
        drawn = [self._candidate(f"candidate-{i}", names) for i in range(candidates)]
        for pod in [*evicting, *(drawn[-1:] if self._chance(0.5) else [])]:
            pod["spec"]["priorityClassName"] = self._high
        return State(nodes, volumes, self._claims, standing, evicting, drawn)

    def _chance(self, of: float) -> bool:
        return self._random.random() < of

    def _one(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def _node(self, name: str) -> Object:
        labels = {MARK: self._mark, HOST: name, POOL: self._one(("gpu", "cpu")), "tier": "3"}
        if self._chance(0.8):
            labels[ZONE] = self._one("abc")
        if self._chance(0.3):
            labels["tier"] = self._one(("1", "5", "eleven"))
        amounts = {
            "cpu": self._one(("2", "3500m", "8", "32")),
            "memory": self._one(("4Gi", "8000M", "64Gi")),
            "ephemeral-storage": self._one(("10Gi", "100Gi")),
            "pods": self._one(("3", "5", "110", "110")),
        }
        if self._chance(0.6):
            amounts[GPU] = self._one(("0", "1", "2", "4", "8"))
            labels["nvidia.com/gpu.product"] = self._one(PRODUCTS)
        if self._chance(0.25):
            amounts[MIG] = self._one(("2", "7"))
        taints = [{"key": MARK, "value": self._mark, "effect": "NoSchedule"}]
        for key, value, effect in TAINTS:
            if self._chance(0.15) and key not in [taint["key"] for taint in taints]:
                taints.append({"key": key, "value": value, "effect": effect})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        return {
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints} | ({"unschedulable": True} if self._chance(0.1) else {}),
            "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
        }

    def _volume(self, name: str) -> Object:
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name}
        spec: Object = {
            "capacity": {"storage": "1Gi"},
            "accessModes": [self._one(("ReadWriteOnce", "ReadWriteOncePod"))],
            "claimRef": claim | {"namespace": self._namespace},
            "nfs": {"server": "192.0.2.1", "path": "/"},
            "storageClassName": "",
        }
        if self._chance(0.6):
            term = {"matchExpressions": [_expression(ZONE, "In", ["a", self._one("bc")])]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
        return {"metadata": {"name": name}, "spec": spec}

    def _claim(self, volume: Object) -> Object:
        """The claim that a volume is for; sometimes it asks for another one, and stays unbound."""
        name, modes = volume["metadata"]["name"], volume["spec"]["accessModes"]
        resources = {"requests": {"storage": "1Gi"}}
        spec = {"accessModes": modes, "resources": resources, "storageClassName": ""}
        spec["volumeName"] = name if self._chance(0.85) else "absent"
        return {"metadata": {"name": name}, "spec": spec}

    def _mount(self, pod: Object) -> None:
        names = [claim["metadata"]["name"] for claim in self._claims]
        name = "absent" if self._chance(0.1) else self._one(names)
        claim = {"name": "home", "persistentVolumeClaim": {"claimName": name}}
        pod["spec"]["volumes"] = [claim]

    def _standing(self, name: str, nodes: list[Object]) -> Standing:
        pod = self._pod(name)
        pod["spec"] |= {
            "nodeName": self._one(nodes)["metadata"]["name"],
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": FOREVER,
        }
        if self._chance(0.2):
            pod["spec"]["priorityClassName"] = self._low
        if self._chance(0.2):
            pod["spec"]["affinity"] = {"podAntiAffinity": self._repelling()}
        phase = self._one(("Running", "Running", "Running", "", "Succeeded", "Failed"))
        return Standing(pod, phase, deleted=phase in ("Running", "") and self._chance(0.15))

    def _candidate(self, name: str, nodes: list[str]) -> Object:
        pod = self._pod(name)
        spec = pod["spec"]
        spec["nodeSelector"] = {MARK: self._mark}
        # Where a controller doubts nodes without kubelets, it taints them so.
        spec["tolerations"] = [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists"},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists"},
            *self._tolerations(),
        ]
        if self._chance(0.15):
            spec["nodeSelector"] |= self._one(({POOL: "gpu"}, {ZONE: "a"}, {"absent": "x"}))
        affinity: Object = {}
        if self._chance(0.25):
            affinity["nodeAffinity"] = self._node_affinity(nodes)
        if self._chance(0.12):
            affinity["podAntiAffinity"] = self._repelling()
        if self._chance(0.12):
            affinity["podAffinity"] = self._repelling()
        if affinity:
            spec["affinity"] = affinity
        if self._chance(0.15):
            spec["topologySpreadConstraints"] = [self._spread()]
        return pod

    def _evicting(self, name: str, nodes: list[str]) -> Object:
        """A pod for which no candidate, while it is there, makes a place."""
        pod = self._candidate(name, nodes)
        pod["spec"].get("affinity", {}).pop("podAffinity", None)
        pod["spec"].pop("topologySpreadConstraints", None)
        return pod

    def _pod(self, name: str) -> Object:
        spec: Object = {"containers": [self._container("main")]}
        if self._chance(0.15):
            spec["initContainers"] = [self._container("init")]
        if self._chance(0.1):
            sidecar = self._container("sidecar") | {"restartPolicy": "Always"}
            spec["initContainers"] = [*spec.get("initContainers", []), sidecar]
        if self._chance(0.1):
            spec["containers"].append(self._container("second"))
        if self._chance(0.12):
            port: Object = {"containerPort": 80, "hostPort": self._one((8080, 9090))}
            if self._chance(0.3):
                port["hostIP"] = self._one(("127.0.0.1", "10.0.0.1"))
            if self._chance(0.3):
                port["protocol"] = "UDP"
            spec["containers"][0]["ports"] = [port]
        pod = {"metadata": {"name": name, "labels": {"app": self._one(APPS)}}, "spec": spec}
        if self._claims and self._chance(0.25):
            self._mount(pod)
        return pod

    def _container(self, name: str) -> Object:
        requests: dict[str, str] = {}
        limits: dict[str, str] = {}
        if self._chance(0.8):
            requests["cpu"] = self._one(("100m", "500m", "1", "3"))
        if self._chance(0.8):
            requests["memory"] = self._one(("128Mi", "1Gi", "3G", "1.5Gi"))
        if self._chance(0.1):
            requests["ephemeral-storage"] = self._one(("1Gi", "30Gi"))
        if self._chance(0.1):
            limits["memory"] = "6Gi"
        if name != "sidecar" and self._chance(0.45):
            limits[self._one((GPU, GPU, GPU, MIG))] = self._one(("1", "1", "2", "4"))
        resources = {"requests": requests, "limits": limits}
        return {"name": name, "image": "example.invalid/notebook", "resources": resources}

    def _tolerations(self) -> list[Object]:
        mine: list[Object] = [{"key": MARK, "operator": "Exists"}]
        for key, value, effect in TAINTS:
            if self._chance(0.4):
                mine.append({"key": key, "operator": "Equal", "value": value, "effect": effect})
        if self._chance(0.1):
            mine.append({"operator": "Exists", "effect": "NoSchedule"})
        if self._chance(0.05):
            mine.append({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"})
        return mine

    def _node_affinity(self, nodes: list[str]) -> Object:
        terms = [self._term(nodes) for _ in range(self._random.randint(1, 2))]
        return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}

    def _term(self, nodes: list[str]) -> Object:
        expressions: list[tuple[str, str, list[str]]] = [
            (POOL, "In", ["gpu", "other"]),
            (ZONE, "NotIn", ["a", "b"]),
            (ZONE, "Exists", []),
            (ZONE, "DoesNotExist", []),
            ("tier", "Gt", ["2"]),
            ("tier", "Lt", ["4"]),
            ("nvidia.com/gpu.product", "In", list(PRODUCTS[:2])),
        ]
        if self._chance(0.2):
            field = ("metadata.name", self._one(("In", "NotIn")), [self._one(nodes)])
            return {"matchFields": [_expression(*field)]}
        chosen = self._random.sample(expressions, self._random.randint(1, 2))
        return {"matchExpressions": [_expression(*one) for one in chosen]}

    def _repelling(self) -> Object:
        """A required term of pod affinity or anti-affinity."""
        term: Object = {
            "labelSelector": self._selector(),
            "topologyKey": self._one((ZONE, HOST, POOL)),
        }
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}

    def _spread(self) -> Object:
        constraint: dict[str, Any] = {
            "maxSkew": self._one((1, 2)),
            "topologyKey": self._one((ZONE, HOST, POOL)),
            "whenUnsatisfiable": self._one(("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway")),
            "labelSelector": self._selector(),
        }
        if self._chance(0.2):
            constraint["nodeTaintsPolicy"] = "Honor"
        if self._chance(0.2):
            constraint["nodeAffinityPolicy"] = "Ignore"
        if constraint["whenUnsatisfiable"] == "DoNotSchedule" and self._chance(0.2):
            constraint["minDomains"] = self._one((2, 4))
        return constraint

    def _selector(self) -> Object:
        if self._chance(0.3):
            return {"matchExpressions": [_expression("app", "NotIn", [self._one(APPS)])]}
        return {"matchLabels": {"app": self._one(APPS)}}


def _expression(key: str, operator: str, values: list[str]) -> Object:
    return {"key": key, "operator": operator} | ({"values": values} if values else {})
