"""A small cluster behind HTTP, with a kubeconfig, and the commands run against it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from gpuspawner.cli import main
from gpuspawner.simcluster.apimachinery.resources import (
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    PRIORITYCLASSES,
    RUNTIMECLASSES,
    STORAGECLASSES,
)
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.api import make_app, serve
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.storage.store import Store

GPU = "nvidia.com/gpu"
Run = Callable[..., Awaitable[Result]]

CATALOG = """\
accelerators:
  a100:
    title: NVIDIA A100
    resource: nvidia.com/gpu
    runtime_class: nvidia
    priority_class: gpu-high
    node_selector: {gpu-model: a100}
volumes:
  scratch:
    mount_path: /scratch
    ephemeral: {storage_class: fast-scratch, size: 1Gi}
  data:
    mount_path: /data
    claim: {name: data}
profiles:
  - {slug: cpu, title: CPU, default: true, cpu: 1, memory: 1Gi}
  - {slug: one, title: One GPU, accelerator: a100, cpu: 1, memory: 1Gi}
  - {slug: two, title: Two GPUs, accelerator: a100, count: 2, cpu: 1, memory: 1Gi}
  - {slug: big, title: Much memory, accelerator: a100, cpu: 1, memory: 1Ti}
access:
  - {users: ["*"], profiles: [cpu]}
  - {groups: [interns], profiles: [two], deny: true}
  - {groups: [staff], profiles: ["*"]}
"""


def a_node(name: str, *, gpus: int = 0, cordoned: bool = False, **labels: str) -> dict[str, Any]:
    offered = {"cpu": "8", "memory": "64Gi", "pods": "20", **({GPU: str(gpus)} if gpus else {})}
    return {
        "metadata": {"name": name, "labels": {k.replace("_", "-"): v for k, v in labels.items()}},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {"allocatable": offered, "capacity": offered},
    }


def a_pod(name: str, node: str, gpus: int) -> dict[str, Any]:
    asked = {"limits": {GPU: str(gpus)}, "requests": {GPU: str(gpus)}}
    container = {"name": "c", "image": "x", "resources": asked}
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [container]}}


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def access() -> AccessRules:
    return AccessRules()


@pytest.fixture
def store() -> Store:
    """Two nodes of two GPUs, of which one is in use, one that is cordoned, and one without."""
    store = Store()
    store.create(NAMESPACES, "", {"metadata": {"name": "jhub"}})
    for node in (
        a_node("gpu-1", gpus=2, gpu_model="a100"),
        a_node("gpu-2", gpus=2, gpu_model="a100"),
        a_node("gpu-3", gpus=2, gpu_model="a100", cordoned=True),
        a_node("plain"),
    ):
        store.create(NODES, "", node)
    store.create(PODS, "jhub", a_pod("somebodys", "gpu-1", 1))
    store.create(RUNTIMECLASSES, "", {"metadata": {"name": "nvidia"}, "handler": "nvidia"})
    store.create(PRIORITYCLASSES, "", {"metadata": {"name": "gpu-high"}, "value": 5})
    scratch = {"metadata": {"name": "fast-scratch"}, "provisioner": "local"}
    store.create(STORAGECLASSES, "", scratch)
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteMany"]}}
    store.create(PERSISTENTVOLUMECLAIMS, "jhub", claim)
    return store


@pytest.fixture
async def kubeconfig(
    tmp_path: Path, faults: FaultPlan, store: Store, access: AccessRules
) -> AsyncIterator[Path]:
    async with serve(make_app(store, faults=faults, access=access)) as url:
        yield write_kubeconfig(tmp_path / "kubeconfig", url)


def write_kubeconfig(file: Path, url: str) -> Path:
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "jhub"}}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [context],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    file = tmp_path / "catalog.yaml"
    file.write_text(CATALOG)
    return file


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "80")

    async def invoke(*arguments: object) -> Result:
        command = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner().invoke, main, command)

    return invoke


def read_report(result: Result, kind: type[Any]) -> Any:
    """What was printed, held to its type: no field too many, none too few."""
    report = msgspec.json.decode(result.stdout, type=kind)
    assert msgspec.json.decode(msgspec.json.encode(report)) == msgspec.json.decode(result.stdout)
    return report


def squeezed(text: str) -> str:
    """A table's text without its layout."""
    return " ".join(text.split())
