"""The clients that the product uses, against a running server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio import client, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubespawner.reflector import ResourceReflector

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.faults import FaultPlan
from gpuspawner.simcluster.storage.store import Store


@pytest.fixture
async def core(url: str) -> AsyncIterator[Any]:
    async with client.ApiClient(client.Configuration(host=url)) as connection:
        yield client.CoreV1Api(connection)


def pod(name: str) -> Any:
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={"app": "jupyterhub"}),
        spec=client.V1PodSpec(
            containers=[
                client.V1Container(
                    name="notebook",
                    image="jupyter",
                    resources=client.V1ResourceRequirements(limits={"nvidia.com/gpu": "1"}),
                )
            ]
        ),
    )


async def test_the_typed_client_creates_reads_and_deletes(core: Any, store: Store) -> None:
    made = await core.create_namespaced_pod("default", pod("p"))
    assert made.spec.containers[0].resources.requests == {"nvidia.com/gpu": "1"}
    listed = await core.list_namespaced_pod("default", label_selector="app=jupyterhub")
    assert [item.metadata.uid for item in listed.items] == [made.metadata.uid]
    assert listed.metadata.resource_version == str(store.revision)
    with pytest.raises(ApiException) as caught:
        await core.create_namespaced_pod("default", pod("p"))
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    options = client.V1DeleteOptions(grace_period_seconds=0)
    gone = await core.delete_namespaced_pod("p", "default", body=options)
    assert gone.metadata.uid == made.metadata.uid
    with pytest.raises(ApiException) as caught:
        await core.read_namespaced_pod("p", "default")
    assert caught.value.status == 404


async def test_the_typed_client_makes_what_kubespawner_makes(core: Any) -> None:
    owner = await core.create_namespaced_pod("default", pod("p"))
    meta = client.V1ObjectMeta(
        name="p",
        owner_references=[
            client.V1OwnerReference(api_version="v1", kind="Pod", name="p", uid=owner.metadata.uid)
        ],
    )
    await core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="blue")))
    await core.create_namespaced_secret("default", client.V1Secret(metadata=meta))
    ports = client.V1ServiceSpec(ports=[client.V1ServicePort(port=8888)])
    await core.create_namespaced_service("default", client.V1Service(metadata=meta, spec=ports))
    claim = client.V1PersistentVolumeClaim(
        metadata=client.V1ObjectMeta(name="home"),
        spec=client.V1PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"],
            resources=client.V1VolumeResourceRequirements(requests={"storage": "1Gi"}),
        ),
    )
    made = await core.create_namespaced_persistent_volume_claim("default", claim)
    assert made.status.phase == "Pending"
    await core.delete_namespaced_pod("p", "default")
    assert (await core.list_namespaced_secret("default")).items == []
    assert (await core.list_namespaced_service("default")).items == []


async def test_the_typed_client_patches_and_replaces(core: Any) -> None:
    made = await core.create_namespaced_config_map(
        "default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c"))
    )
    patch = {"data": {"k": "v"}}
    changed = await core.patch_namespaced_config_map("c", "default", patch)
    assert changed.data == {"k": "v"}
    made.data = {"k": "stale"}
    with pytest.raises(ApiException) as caught:
        await core.replace_namespaced_config_map("c", "default", made)
    assert caught.value.status == 409


async def test_the_clients_watch_sees_a_pods_life(core: Any, store: Store) -> None:
    version = (await core.list_namespaced_pod("default")).metadata.resource_version
    seen = []
    async with asyncio.timeout(20), watch.Watch() as stream:
        await core.create_namespaced_pod("default", pod("p"))
        store.bind("default", "p", "n1")
        await core.delete_namespaced_pod("p", "default")
        store.finalize_deletion(PODS, "default", "p")
        events = stream.stream(
            core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=10
        )
        async for event in events:
            seen.append((event["type"], event["object"].spec.node_name))
            if event["type"] == "DELETED":
                break
    # Bound, marked with a grace period, marked with none, gone.
    assert seen == [("ADDED", None), *[("MODIFIED", "n1")] * 3, ("DELETED", "n1")]


async def test_the_clients_watch_raises_when_its_version_is_gone(core: Any, store: Store) -> None:
    version = str(store.revision)
    await core.create_namespaced_pod("default", pod("p"))
    store.compact()
    async with asyncio.timeout(20), watch.Watch() as stream:
        events = stream.stream(
            core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=10
        )
        with pytest.raises(ApiException) as caught:
            await anext(events)
    assert caught.value.status == 410


class PodReflector(ResourceReflector):  # type: ignore[misc] # kubespawner is untyped
    kind = "pods"


@pytest.fixture
def default_host(url: str) -> Iterator[None]:
    """Point KubeSpawner's shared clients at the server, as its `load_config` does."""
    client.Configuration.set_default(client.Configuration(host=url))
    yield
    client.Configuration.set_default(None)


@pytest.mark.usefixtures("default_host")
async def test_kubespawners_reflector_follows_the_pods(
    store: Store,
    faults: FaultPlan,
    make_pod: Callable[..., Object],
    eventually: Callable[[Callable[[], bool]], Awaitable[None]],
) -> None:
    make_pod("before", labels={"component": "singleuser-server"})
    make_pod("unrelated")
    reflector = PodReflector(namespace="default", labels={"component": "singleuser-server"})
    await reflector.start()
    try:
        assert set(reflector.resources) == {"default/before"}
        path = "/api/v1/namespaces/default/pods"
        await eventually(lambda: faults.count("watch", path) == 1)
        make_pod("after", labels={"component": "singleuser-server"})
        store.delete(PODS, "default", "before")
        await eventually(lambda: set(reflector.resources) == {"default/after"})
    finally:
        await reflector.stop()
        await reflector.api.api_client.close()
    assert faults.count("watch", path) == 1, "the pods came by the watch, not by another list"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_kubectl_creates_lists_and_deletes(url: str, store: Store, tmp_path: Path) -> None:
    async def kubectl(*arguments: str, stdin: str = "") -> str:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            f"--server={url}",
            *arguments,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode == 0, err.decode()
        return out.decode()

    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    assert "created" in await kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    heading, row = (await kubectl("get", "pods")).splitlines()
    assert heading.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["p", "0/1", "Pending", "0"]
    await kubectl("delete", "pod", "p")
    assert not store.contains(PODS, "default", "p")
