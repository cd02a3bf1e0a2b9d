"""The data of the bench: nodes and pods as large as real ones, the same for the same seed.

On each node of twenty pods eight belong to DaemonSets, five are notebook servers as KubeSpawner
makes them and the rest are Deployments' replicas; a quarter of the nodes have GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from . import parts
from .parts import GPU, HUB_NAMESPACE, STAMP, Manifest

PROBE_STEPS = 32
"""The probe asks for 1 to this many cores, which its node has."""

DAEMONS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("kube-proxy", "kube-system", {}),
    ("cilium", "kube-system", {"cpu": "100m", "memory": "128Mi"}),
    ("node-exporter", "monitoring", {"cpu": "102m", "memory": "180Mi"}),
    ("fluent-bit", "logging", {"cpu": "50m", "memory": "64Mi"}),
    ("csi-node-driver", "kube-system", {"cpu": "30m", "memory": "90Mi"}),
    ("nvidia-device-plugin", "gpu-operator", {}),
    ("gpu-feature-discovery", "gpu-operator", {}),
    ("node-problem-detector", "kube-system", {"cpu": "10m", "memory": "80Mi"}),
)
HOST_PATHS = ("proc", "sys")
NOTEBOOK_SIZES = (("500m", "2Gi", 0), ("1", "4Gi", 0), ("2", "8Gi", 0), ("4", "32Gi", 1))
REPLICA_SIZES = (("100m", "128Mi"), ("250m", "512Mi"), ("500m", "1Gi"), ("1", "2Gi"))


def rendered(manifest: Manifest) -> bytes:
    """An object as the API server would send it, on one line."""
    return msgspec.json.encode(manifest)


class ClusterData:
    """Manifests of `nodes` nodes with `pods_per_node` pods each."""

    def __init__(self, nodes: int, pods_per_node: int, seed: int) -> None:
        self.node_count = nodes
        self.pods_per_node = pods_per_node
        self._random = Random(seed)
        self._version = 1000

    def nodes(self) -> Iterator[Manifest]:
        for number in range(self.node_count):
            yield self.node(number)

    def pods(self) -> Iterator[Manifest]:
        for number in range(self.node_count):
            for place in range(self.pods_per_node):
                yield self._pod(number, place)

    def next_version(self) -> str:
        """A resourceVersion that grows, as the API server's do."""
        self._version += 1
        return str(self._version)

    def node(self, number: int) -> Manifest:
        name = parts.node_name(number)
        has_gpu = number % 4 == 0
        room = {"cpu": "63770m", "memory": "255Gi", "ephemeral-storage": "830Gi", "pods": "110"}
        room |= {"hugepages-1Gi": "0", "hugepages-2Mi": "0"}
        if has_gpu:
            room[GPU] = "8"
        metadata = self._metadata(name, None, uid=f"uid-of-{name}")
        metadata["labels"] = parts.node_labels(number, name)
        metadata["annotations"] = {
            "csi.volume.kubernetes.io/nodeid": f'{{"csi.example":"{name}"}}',
            "node.alpha.kubernetes.io/ttl": "300",
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        }
        taint = {"key": GPU, "effect": "NoSchedule", "value": "present"}
        return {
            "metadata": metadata,
            "spec": {
                "podCIDR": f"10.{number // 250}.{number % 250}.0/24",
                "providerID": f"metal://{name}",
                **({"taints": [taint]} if has_gpu else {}),
            },
            "status": {
                "capacity": {**room, "cpu": "64"},
                "allocatable": room,
                "addresses": [{"type": "Hostname", "address": name}],
                "conditions": parts.conditions(
                    "MemoryPressure", "DiskPressure", "PIDPressure", "Ready"
                ),
                "images": [
                    {"names": [parts.image(f"image-{i}")], "sizeBytes": 10**8 + i}
                    for i in range(30)
                ],
                "nodeInfo": parts.node_info(),
            },
        }

    def notebook(
        self, user: int, node: int, phase: str = "Running", *, bound: bool = True
    ) -> Manifest:
        """A notebook server as KubeSpawner makes it, for a node, to which it may be bound."""
        cpu, memory, gpus = NOTEBOOK_SIZES[user % len(NOTEBOOK_SIZES)]
        if node % 4:
            gpus = 0
        name, person = f"jupyter-user-{user:06d}", f"user-{user:06d}"
        metadata = self._metadata(name, HUB_NAMESPACE)
        metadata["labels"] = parts.notebook_labels(person)
        metadata["annotations"] = {
            "hub.jupyter.org/username": person,
            "hub.jupyter.org/servername": "",
            "hub.jupyter.org/jupyterhub-version": "5.5.0",
            "hub.jupyter.org/kubespawner-version": "7.1.0",
        }
        container = {
            "name": "notebook",
            "image": parts.image("pytorch-notebook"),
            "args": ["jupyterhub-singleuser"],
            "env": parts.notebook_environment(person),
            "ports": [{"containerPort": 8888, "name": "notebook-port", "protocol": "TCP"}],
            "resources": parts.resources(cpu, memory, gpus),
            "volumeMounts": [{"mountPath": "/home/jovyan", "name": f"volume-{person}"}],
        }
        spec = self._spec(container, node if bound else None, "default")
        spec["automountServiceAccountToken"] = False
        spec["priorityClassName"] = "jupyterhub-default-priority"
        spec["securityContext"] = {"fsGroup": 100}
        spec["affinity"] = parts.NOTEBOOK_AFFINITY
        spec["tolerations"] = parts.NOTEBOOK_TOLERATIONS
        claim = {"claimName": f"claim-{person}"}
        spec["volumes"] = [{"name": f"volume-{person}", "persistentVolumeClaim": claim}]
        return self._with_status(metadata, spec, phase)

    def probe(self, step: int) -> Manifest:
        """The pod of whose `step` cores the reader can tell which change of it was seen."""
        metadata = self._metadata("probe", HUB_NAMESPACE, uid="probe")
        metadata["labels"] = {"app": "probe"}
        container = {
            "name": "main",
            "image": parts.image("probe"),
            "resources": {"requests": {"cpu": str(step)}},
        }
        return self._with_status(metadata, self._spec(container, 0, "default"), "Running")

    def _pod(self, number: int, place: int) -> Manifest:
        if place < len(DAEMONS):
            return self._daemon(number, *DAEMONS[place])
        if place < len(DAEMONS) + 5:
            return self.notebook(number * 5 + place - len(DAEMONS), number)
        return self._replica(number, place)

    def _daemon(self, number: int, app: str, namespace: str, requests: dict[str, str]) -> Manifest:
        metadata = self._metadata(f"{app}-{self._suffix(5)}", namespace)
        metadata["generateName"] = f"{app}-"
        metadata["labels"] = {
            "app.kubernetes.io/name": app,
            "app.kubernetes.io/part-of": namespace,
            "controller-revision-hash": f"{sum(app.encode()):09x}",
            "pod-template-generation": "3",
        }
        metadata["ownerReferences"] = [parts.owner("DaemonSet", app)]
        container = {
            "name": app,
            "image": parts.image(app),
            "args": [
                f"--{flag}=$({flag.upper()})" for flag in ("node-name", "log-level", "config")
            ],
            "env": parts.environment(app, 5),
            "resources": {"requests": requests} if requests else {},
            "livenessProbe": parts.health_check(),
            "readinessProbe": parts.health_check(),
            "volumeMounts": [
                {"mountPath": f"/host/{path}", "name": path, "readOnly": True}
                for path in HOST_PATHS
            ],
        }
        if app == "node-exporter":
            container["ports"] = [{"containerPort": 9100, "hostPort": 9100, "name": "metrics"}]
        spec = self._spec(container, number, app)
        spec["affinity"] = parts.affinity_to_node(parts.node_name(number))
        spec["priorityClassName"], spec["priority"] = "system-node-critical", 2_000_001_000
        spec["tolerations"] = parts.DAEMON_TOLERATIONS
        spec["volumes"] = [
            {"name": path, "hostPath": {"path": f"/{path}", "type": ""}} for path in HOST_PATHS
        ]
        return self._with_status(metadata, spec, "Running")

    def _replica(self, number: int, place: int) -> Manifest:
        app = f"service-{self._random.randrange(max(4, self.node_count // 2)):04d}"
        namespace = f"team-{sum(app.encode()) % 40:02d}"
        template = f"{sum(app.encode()) * 7919:010x}"
        metadata = self._metadata(f"{app}-{template}-{self._suffix(5)}", namespace)
        metadata["generateName"] = f"{app}-{template}-"
        metadata["labels"] = parts.replica_labels(app, template, namespace)
        metadata["annotations"] = {
            "checksum/config": f"{self._random.getrandbits(256):064x}",
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8080",
        }
        metadata["ownerReferences"] = [parts.owner("ReplicaSet", f"{app}-{template}")]
        cpu, memory = REPLICA_SIZES[(number + place) % len(REPLICA_SIZES)]
        container = {
            "name": "main",
            "image": parts.image(app),
            "env": parts.environment(app, 7),
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "resources": parts.resources(cpu, memory, 0),
            "livenessProbe": parts.health_check(),
            "readinessProbe": parts.health_check(),
            "volumeMounts": [{"mountPath": "/etc/config", "name": "config"}],
        }
        spec = self._spec(container, number, app)
        if sum(app.encode()) % 7 == 0:
            spec["affinity"] = parts.anti_affinity({"app.kubernetes.io/name": app})
        spec["tolerations"] = parts.DEFAULT_TOLERATIONS
        spec["volumes"] = [{"name": "config", "configMap": {"name": app, "defaultMode": 420}}]
        return self._with_status(metadata, spec, "Running")

    def _metadata(self, name: str, namespace: str | None, uid: str = "") -> Manifest:
        identity = f"{self._random.getrandbits(128):032x}"
        uid = uid or "-".join(
            identity[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
        )
        return {
            "name": name,
            # KubeSpawner's reflector reads a namespace of every object, of nodes too.
            "namespace": namespace or "",
            "uid": uid,
            "resourceVersion": self.next_version(),
            "creationTimestamp": STAMP,
            "managedFields": [
                {
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": parts.OWNED_STATUS,
                    "manager": "kubelet",
                    "operation": "Update",
                    "subresource": "status",
                    "time": STAMP,
                }
            ],
        }

    def _spec(self, container: Manifest, node: int | None, account: str) -> Manifest:
        container |= {
            "imagePullPolicy": "IfNotPresent",
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 1000},
        }
        return {
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            **({} if node is None else {"nodeName": parts.node_name(node)}),
            "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 30,
        }

    def _with_status(self, metadata: Manifest, spec: Manifest, phase: str) -> Manifest:
        kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
        container = spec["containers"][0]
        address = f"10.{self._random.randrange(250)}.{self._random.randrange(250)}.7"
        ready = phase == "Running"
        status: Manifest = {"phase": phase, "qosClass": "Burstable"}
        status["conditions"] = parts.conditions(*(kinds if ready else ()), "PodScheduled")
        if ready:
            status |= {"hostIP": "192.168.1.7", "podIP": address, "podIPs": [{"ip": address}]}
            status |= {"hostIPs": [{"ip": "192.168.1.7"}], "startTime": STAMP}
            status["containerStatuses"] = [
                {
                    # As kubelets say since in-place resize is on by default.
                    "allocatedResources": container["resources"].get("requests", {}),
                    "resources": container["resources"],
                    "volumeMounts": container.get("volumeMounts", []),
                    "containerID": f"containerd://{self._random.getrandbits(256):064x}",
                    "image": container["image"],
                    "imageID": f"{container['image']}@sha256:{self._random.getrandbits(256):064x}",
                    "lastState": {},
                    "name": container["name"],
                    "ready": True,
                    "restartCount": 0,
                    "started": True,
                    "state": {"running": {"startedAt": STAMP}},
                }
            ]
        return {"metadata": metadata, "spec": spec, "status": status}

    def _suffix(self, length: int) -> str:
        return "".join(self._random.choices("bcdfghjklmnpqrstvwxz2456789", k=length))
