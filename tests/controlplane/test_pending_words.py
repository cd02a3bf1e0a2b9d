"""What kube-scheduler says of pods without a node, told in plain words and without names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.controlplane.kube import Api, Object, until

from gpuspawner.starting.stages import Stage, stage_of
from gpuspawner.starting.steps import Step

GPU = "nvidia.com/gpu"
PORT = 8080
SECRET = "jane-doe"
NOTHING: Mapping[str, str] = {}


class Cluster:
    """One node, what is on it, and a pod that finds no place."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self.node = f"{namespace}-{SECRET}"

    async def set(self, **spec: Any) -> None:
        """A node with two GPUs, of which somebody has one, and one network port."""
        amounts = {"cpu": "8", "memory": "32Gi", "pods": "20", GPU: "2"}
        labels = {"pool": self._namespace, "kubernetes.io/hostname": self.node}
        metadata = {"name": self.node, "labels": labels}
        status = {"capacity": amounts, "allocatable": amounts}
        node = {"metadata": metadata, "spec": spec, "status": status}
        await self._api.create_for_now("/api/v1/nodes", node)
        ports = [{"containerPort": 80, "hostPort": PORT}]
        standing = self.pod(f"jupyter-{SECRET}", {GPU: "1"}, ports, nodeName=self.node)
        standing["metadata"]["labels"] = {"owner": SECRET}
        await self._api.create(self._pods, standing)

    async def claim(self) -> None:
        """A volume claim for which there is no volume."""
        amounts = {"requests": {"storage": "1Gi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": amounts, "storageClassName": ""}
        path = f"/api/v1/namespaces/{self._namespace}/persistentvolumeclaims"
        await self._api.create(path, {"metadata": {"name": f"claim-{SECRET}"}, "spec": spec})

    def pod(
        self,
        name: str,
        amounts: Mapping[str, str] = NOTHING,
        ports: Sequence[Object] = (),
        **spec: Any,
    ) -> Object:
        container = {
            "name": "notebook",
            "image": "example.invalid/image",
            "resources": {"limits": dict(amounts)},
            "ports": list(ports),
        }
        place = {"nodeSelector": {"pool": self._namespace}}
        return {"metadata": {"name": name}, "spec": {"containers": [container]} | place | spec}

    async def told(self, pod: Object) -> Stage:
        """What is told of a pod once the scheduler has spoken."""
        made = await self._api.create(self._pods, pod)
        name, uid = made["metadata"]["name"], made["metadata"]["uid"]
        of_it = {"fieldSelector": f"involvedObject.uid={uid}"}
        path = f"/api/v1/namespaces/{self._namespace}/events"

        async def events() -> list[Object]:
            return list((await self._api.get(path, **of_it))["items"])

        heard = await until(events)
        known = await self._api.get(f"{self._pods}/{name}")
        return stage_of(known, heard, datetime.now(UTC))


@pytest.fixture
def cluster(api: Api, namespace: str) -> Cluster:
    return Cluster(api, namespace)


def a_volume(claim: str) -> dict[str, Any]:
    return {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}]}


AWAY_FROM_JANE = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "labelSelector": {"matchLabels": {"owner": SECRET}},
                "topologyKey": "kubernetes.io/hostname",
            }
        ]
    }
}


NO_SUCH_NODE = "Waiting for a node of the kind it needs: there is none at present."
CASES = [
    pytest.param(
        {},
        {"amounts": {GPU: "2"}},
        "Waiting for a place: no node has 2 GPUs left. It starts as soon as there is one.",
        id="too few GPUs are left",
    ),
    pytest.param(
        {},
        {"amounts": {GPU: "2", "memory": "40Gi"}},
        "Waiting for a place: no node has 2 GPUs and enough memory left. It starts as soon as "
        "there is one.",
        id="too few GPUs are left, and too little memory",
    ),
    pytest.param(
        {"unschedulable": True},
        {"amounts": {GPU: "1"}},
        "Waiting for a place: the nodes that it could run on are closed to new servers at present.",
        id="the node is cordoned",
    ),
    pytest.param(
        {"taints": [{"key": "project", "value": SECRET, "effect": "NoSchedule"}]},
        {"amounts": {GPU: "1"}},
        NO_SUCH_NODE,
        id="the node is for others",
    ),
    pytest.param(
        {}, {"nodeSelector": {"owner": SECRET}}, NO_SUCH_NODE, id="there is no node of its kind"
    ),
    pytest.param(
        {},
        a_volume(f"claim-of-{SECRET}"),
        "Waiting for its storage, which does not exist in the cluster as yet.",
        id="its volume claim does not exist",
    ),
    pytest.param(
        {},
        a_volume(f"claim-{SECRET}"),
        "Waiting for its storage: the volume has not been made yet.",
        id="its volume claim has no volume",
    ),
    pytest.param(
        {},
        {"ports": [{"containerPort": 80, "hostPort": PORT}]},
        "Waiting for a place: a network port that it needs is taken on each node. It starts as "
        "soon as there is one.",
        id="its port is taken",
    ),
    pytest.param(
        {},
        {"affinity": AWAY_FROM_JANE},
        "Waiting for a place: it must keep apart from, or close to, others that run already.",
        id="it keeps away from another",
    ),
]


@pytest.mark.parametrize(("node", "pod", "sentence"), CASES)
async def test_what_it_waits_for_is_said_without_names(
    cluster: Cluster, node: dict[str, Any], pod: dict[str, Any], sentence: str
) -> None:
    await cluster.set(**node)
    await cluster.claim()
    stage = await cluster.told(cluster.pod("jupyter-joe", **pod))
    assert stage.current is Step.SCHEDULED
    assert stage.sentence == sentence
    assert stage.said[0].startswith("FailedScheduling: 0/")
    assert SECRET not in " ".join((stage.sentence, *stage.said))
