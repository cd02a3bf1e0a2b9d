"""What nodes and pods of the bench are put together from."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

STAMP = "2026-03-02T08:15:30Z"
GPU = "nvidia.com/gpu"
HUB_NAMESPACE = "jupyterhub"
PROBE_LABEL = "bench.example/probe"
PRODUCTS = (("NVIDIA-A100-SXM4-40GB", "a100"), ("Tesla-T4", "t4"), ("NVIDIA-L40S", "l40s"))

OWNED_STATUS: Manifest = {
    "f:conditions": {
        ".": {},
        **{
            f'k:{{"type":"{kind}"}}': {
                ".": {},
                "f:lastProbeTime": {},
                "f:lastTransitionTime": {},
                "f:observedGeneration": {},
                "f:status": {},
                "f:type": {},
            }
            for kind in ("ContainersReady", "Initialized", "PodReadyToStartContainers", "Ready")
        },
    },
    "f:containerStatuses": {},
    "f:hostIP": {},
    "f:hostIPs": {},
    "f:phase": {},
    "f:podIP": {},
    "f:podIPs": {".": {}, 'k:{"ip":"10.1.2.3"}': {".": {}, "f:ip": {}}},
    "f:startTime": {},
}

DEFAULT_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]
NOTEBOOK_TOLERATIONS = [
    {"key": GPU, "operator": "Exists", "effect": "NoSchedule"},
    {
        "key": "hub.jupyter.org/dedicated",
        "operator": "Equal",
        "value": "user",
        "effect": "NoSchedule",
    },
    *DEFAULT_TOLERATIONS,
]
DAEMON_TOLERATIONS = [
    {"operator": "Exists"},
    *(
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
        for key, effect in (
            ("not-ready", "NoExecute"),
            ("unreachable", "NoExecute"),
            ("disk-pressure", "NoSchedule"),
            ("memory-pressure", "NoSchedule"),
            ("pid-pressure", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
        )
    ),
]
_USER_NODES = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
NOTEBOOK_AFFINITY: Manifest = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": [_USER_NODES]}}
        ]
    }
}


def node_name(number: int) -> str:
    return f"worker-{number:05d}"


def node_labels(number: int, name: str) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": f"metal-{number % 5}",
        "topology.kubernetes.io/region": "campus",
        "topology.kubernetes.io/zone": "abc"[number % 3],
    }
    if number == 0:
        labels[PROBE_LABEL] = "true"
    if number % 4 == 0:
        product, short = PRODUCTS[number // 4 % len(PRODUCTS)]
        labels |= {
            "gpu-model": short,
            "nvidia.com/cuda.driver.major": "580",
            "nvidia.com/cuda.runtime.major": "13",
            "nvidia.com/gpu.count": "8",
            "nvidia.com/gpu.memory": "40960",
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.replicas": "1",
            "nvidia.com/mig.capable": "true" if short == "a100" else "false",
        }
        labels |= {
            f"nvidia.com/gpu.deploy.{part}": "true"
            for part in ("container-toolkit", "dcgm", "device-plugin", "driver", "gfd")
        }
    return labels


def conditions(*kinds: str) -> list[Manifest]:
    return [
        {
            "type": kind,
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": STAMP,
            "observedGeneration": 1,
        }
        for kind in kinds
    ]


def owner(kind: str, name: str) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": f"5f0c9f5e-8f5b-4d57-9d6c-{sum(name.encode()):012x}",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def image(name: str) -> str:
    return f"images.example/platform/{name}:2026.3.1"


def resources(cpu: str, memory: str, gpus: int) -> Manifest:
    gpu = {GPU: str(gpus)} if gpus else {}
    return {
        "requests": {"cpu": cpu, "memory": memory, **gpu},
        "limits": {"cpu": cpu, "memory": memory, **gpu},
    }


def health_check() -> Manifest:
    return {
        "failureThreshold": 3,
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "initialDelaySeconds": 10,
        "periodSeconds": 10,
        "successThreshold": 1,
        "timeoutSeconds": 1,
    }


def environment(app: str, count: int) -> list[Manifest]:
    return [
        {"name": f"{app.upper()}_SETTING_{i}", "value": f"value-{i}-of-{app}"} for i in range(count)
    ]


def notebook_environment(person: str) -> list[Manifest]:
    url = f"http://hub.{HUB_NAMESPACE}:8081/hub"
    values = {
        "CPU_GUARANTEE": "1.0",
        "CPU_LIMIT": "2.0",
        "JPY_API_TOKEN": "0" * 32,
        "JUPYTERHUB_ACTIVITY_URL": f"{url}/api/users/{person}/activity",
        "JUPYTERHUB_API_TOKEN": "0" * 32,
        "JUPYTERHUB_API_URL": f"{url}/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{person}",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0",
        "JUPYTERHUB_DEBUG": "0",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": f'["access:servers!server={person}/"]',
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"/user/{person}/oauth_callback",
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": "[]",
        "JUPYTERHUB_OAUTH_SCOPES": f'["access:servers!server={person}/"]',
        "JUPYTERHUB_PUBLIC_HUB_URL": "",
        "JUPYTERHUB_PUBLIC_URL": "",
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": f"/user/{person}/",
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888/user/{person}/",
        "JUPYTERHUB_USER": person,
        "JUPYTER_IMAGE": "images.example/platform/pytorch-notebook:2026.3.1",
        "JUPYTER_IMAGE_SPEC": "images.example/platform/pytorch-notebook:2026.3.1",
        "MEM_GUARANTEE": "4294967296",
        "MEM_LIMIT": "4294967296",
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def node_info() -> Manifest:
    return {
        "architecture": "amd64",
        "bootID": "0b6a7f3c-94a9-4a5c-9d3a-6f7f8d2f2c11",
        "containerRuntimeVersion": "containerd://2.1.4",
        "kernelVersion": "6.12.0-55.9.1.el10_0.x86_64",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.36.3",
        "machineID": "8c5f0a1e0d4f4a6b9a3b1b6d7e8f9a0b",
        "operatingSystem": "linux",
        "osImage": "Rocky Linux 10.1",
        "systemUUID": "4c4c4544-0042-4a10-8052-b4c04f4d4e32",
    }


def notebook_labels(person: str) -> dict[str, str]:
    return {
        "app": "jupyterhub",
        "app.kubernetes.io/component": "singleuser-server",
        "app.kubernetes.io/instance": "jupyterhub",
        "app.kubernetes.io/managed-by": "kubespawner",
        "app.kubernetes.io/name": "jupyterhub",
        "chart": "jupyterhub-4.3.0",
        "component": "singleuser-server",
        "hub.jupyter.org/network-access-hub": "true",
        "hub.jupyter.org/servername": "",
        "hub.jupyter.org/username": person,
    }


def replica_labels(app: str, template: str, team: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/instance": app,
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/version": "2.14.1",
        "pod-template-hash": template,
        "team": team,
    }


def affinity_to_node(name: str) -> Manifest:
    """What the controller of DaemonSets writes into each of its pods."""
    field = {"key": "metadata.name", "operator": "In", "values": [name]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def anti_affinity(labels: dict[str, str]) -> Manifest:
    """Not two of these on one node."""
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
