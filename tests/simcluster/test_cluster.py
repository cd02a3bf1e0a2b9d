"""The whole simulated cluster, from outside."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import EVENTS, NODES, PODS, STORAGECLASSES
from gpuspawner.simcluster.cluster import SimCluster, SimClusterError
from gpuspawner.simcluster.description import ClusterDescription
from gpuspawner.simcluster.manifests import quantities

CAMPUS = Path(__file__).parents[2] / "examples" / "campus-a100" / "cluster.yaml"

DESCRIPTION = """
name: tiny
namespaces: [jupyterhub, research]
scheduler_backoff_seconds: [0.01, 0.05]
node_pools:
  - name: cpu
    node_name: cpu-{index}
    count: 1
    capacity: {cpu: 4, memory: 8Gi, pods: 110}
  - name: gpu
    node_name: gpu-{index}
    count: 1
    labels: {accelerator: nvidia}
    capacity: {cpu: 4, memory: 8Gi, pods: 110, nvidia.com/gpu: 1}
    reserved: {cpu: 500m, memory: 1Gi}
storage_classes:
  - {name: nfs-client, provisioner: example.org/nfs, default: true}
system_pods:
  - {name: agent, image: agent, requests: {cpu: 100m}, node_pools: [gpu]}
bystanders:
  namespace: research
  interval_seconds: [1000, 1000]
  jobs:
    - name: train
      image: train
      requests: {nvidia.com/gpu: 1}
      running: {min: 0, max: 1}
"""

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["NVIDIA_VISIBLE_DEVICES"].encode())

http.server.HTTPServer((os.environ["POD_IP"], 8888), Handler).serve_forever()
"""


def a_server(name: str = "server") -> Object:
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    container = {
        "name": "notebook",
        "image": "example.org/server:1",
        "args": ["python", "-c", SERVER],
        "env": env,
        "ports": [{"containerPort": 8888}],
        "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "1"}},
    }
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SimCluster]:
    async with SimCluster(ClusterDescription.parse(DESCRIPTION), state_dir=tmp_path) as cluster:
        assert cluster.bystanders is not None
        while cluster.bystanders.pods["train"]:
            cluster.bystanders.step()
        await cluster.wait_until(lambda: not cluster.store.list(PODS, "research")[0])
        yield cluster


@pytest.fixture
async def api(cluster: SimCluster) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(
        cluster.url, timeout=timeout, raise_for_status=True
    ) as session:
        yield session


async def a_running_pod(cluster: SimCluster, name: str = "server") -> Object:
    def running() -> Object | None:
        pod = cluster.store.get(PODS, "jupyterhub", name)
        return pod if pod["status"]["phase"] == "Running" else None

    return await cluster.wait_until(running, timeout=20)


async def test_a_pod_is_created_reached_and_deleted_over_the_api(
    cluster: SimCluster, api: aiohttp.ClientSession
) -> None:
    path = "/api/v1/namespaces/jupyterhub/pods"
    await api.post(path, json=a_server())
    pod = await a_running_pod(cluster)
    assert pod["spec"]["nodeName"] == "gpu-1"

    async def answer() -> str | None:
        try:
            async with api.get(f"http://{pod['status']['podIP']}:8888/hello") as response:
                return await response.text()
        except aiohttp.ClientConnectorError:
            return None

    devices = await cluster.wait_until(answer, timeout=20)
    assert devices.startswith("GPU-")
    assert "asked for /hello" in cluster.pod_log("jupyterhub", "server")
    async with api.get(f"{path}/server/log") as response:
        assert "asked for /hello" in await response.text()
    await api.delete(f"{path}/server")
    await cluster.wait_until(lambda: not cluster.store.list(PODS, "jupyterhub")[0], timeout=20)
    assert await answer() is None


async def test_who_waits_for_the_last_gpu_gets_it_when_it_is_free(cluster: SimCluster) -> None:
    cluster.store.create(PODS, "jupyterhub", a_server("first"))
    await a_running_pod(cluster, "first")
    cluster.store.create(PODS, "jupyterhub", a_server("second"))
    await cluster.wait_until(
        lambda: cluster.store.list(
            EVENTS, "jupyterhub", field_selector="involvedObject.name=second"
        )[0]
    )
    (event,) = cluster.store.list(
        EVENTS, "jupyterhub", field_selector="involvedObject.name=second"
    )[0]
    assert event["message"] == "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    cluster.store.delete(PODS, "jupyterhub", "first")
    await a_running_pod(cluster, "second")


async def test_bystanders_take_what_users_cannot_have_then(cluster: SimCluster) -> None:
    bystanders = cluster.bystanders
    assert bystanders is not None

    def busy() -> bool:
        pods = cluster.store.list(PODS, "research")[0]
        return bool(pods) and pods[0]["status"]["phase"] == "Running"

    while not bystanders.pods["train"]:
        bystanders.step()
    await cluster.wait_until(busy)
    cluster.store.create(PODS, "jupyterhub", a_server())
    await cluster.wait_until(lambda: cluster.store.list(EVENTS, "jupyterhub")[0])
    while bystanders.pods["train"]:
        bystanders.step()
    await a_running_pod(cluster)


async def test_the_cluster_has_what_its_description_says(cluster: SimCluster) -> None:
    node = cluster.store.get(NODES, None, "gpu-1")
    assert node["metadata"]["labels"]["accelerator"] == "nvidia"
    assert node["status"]["capacity"]["memory"] == "8Gi"
    assert node["status"]["allocatable"] == {
        "cpu": "3500m",
        "memory": "7340032Ki",
        "pods": "110",
        "nvidia.com/gpu": "1",
    }
    (storage,) = cluster.store.list(STORAGECLASSES)[0]
    assert storage["metadata"]["annotations"] == {
        "storageclass.kubernetes.io/is-default-class": "true"
    }
    (agent,) = cluster.store.list(PODS, "kube-system")[0]
    assert agent["spec"]["nodeName"] == "gpu-1"


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        pytest.param("cpu", 48000, "48", id="whole cores"),
        pytest.param("cpu", 47500, "47500m", id="a part of a core"),
        pytest.param("memory", 2**30, "1048576Ki", id="memory in Ki, as a kubelet has it"),
        pytest.param("memory", 10**9 + 1, "1000000001", id="memory that is no whole Ki"),
        pytest.param("nvidia.com/gpu", 1024, "1024", id="a count has no unit"),
        pytest.param("hugepages-1Gi", 0, "0", id="nothing at all"),
    ],
)
def test_amounts_are_written_as_a_kubelet_writes_them(
    resource: str, amount: int, text: str
) -> None:
    assert quantities({resource: amount}) == {resource: text}


async def test_its_kubeconfig_leads_to_it(cluster: SimCluster, tmp_path: Path) -> None:
    config = yaml.safe_load(cluster.write_kubeconfig(tmp_path / "config").read_text())
    assert config["current-context"] == "tiny"
    assert config["clusters"][0]["cluster"]["server"] == cluster.url


async def test_homes_and_logs_are_kept_where_it_was_told(
    cluster: SimCluster, tmp_path: Path
) -> None:
    cluster.store.create(PODS, "jupyterhub", a_server())
    await a_running_pod(cluster)
    assert (tmp_path / "homes" / "jupyterhub" / "pod-server").is_dir()
    assert list((tmp_path / "logs").glob("jupyterhub_server_*/notebook.log"))


async def test_the_log_of_a_pod_that_never_was_is_empty(cluster: SimCluster) -> None:
    assert cluster.pod_log("jupyterhub", "nobody") == ""


async def test_what_does_not_come_about_is_an_error(cluster: SimCluster) -> None:
    with pytest.raises(TimeoutError, match=r"did not come true within 0 s"):
        await cluster.wait_until(lambda: False, timeout=0)


async def test_a_part_that_fails_is_not_passed_over_in_silence() -> None:
    async def break_the_scheduler() -> None:
        async with SimCluster(ClusterDescription.parse(DESCRIPTION)) as cluster:
            cluster.store.bind = None  # type: ignore[method-assign, assignment]
            pod = a_server()
            del pod["spec"]["containers"][0]["resources"]
            cluster.store.create(PODS, "jupyterhub", pod)
            await cluster.wait_until(lambda: False)

    with pytest.raises(SimClusterError, match="a part of the cluster has failed"):
        await break_the_scheduler()


async def test_a_cluster_that_is_not_running_has_no_url() -> None:
    cluster = SimCluster(ClusterDescription.parse(DESCRIPTION))
    with pytest.raises(SimClusterError, match="async with"):
        _ = cluster.url


async def test_campus_a100_comes_up_with_every_pod_running() -> None:
    async with SimCluster(ClusterDescription.load(CAMPUS)) as cluster:
        cluster.pause_bystanders()

        def phases() -> set[str]:
            return {pod["status"]["phase"] for pod in cluster.store.list(PODS)[0]}

        await cluster.wait_until(lambda: phases() == {"Running"})
        assert len(cluster.store.list(NODES)[0]) == 7


async def serve(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gpuspawner.simcluster",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_serves_until_it_is_interrupted() -> None:
    process = await serve(str(CAMPUS), "--port", "0")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        url = (await process.stdout.readline()).decode().strip()
        hint = (await process.stdout.readline()).decode()
        async with aiohttp.ClientSession(url) as api, api.get("/api/v1/nodes") as response:
            assert len((await response.json())["items"]) == 7
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert hint.startswith("kubectl --kubeconfig ")
    assert (process.returncode, errors) == (0, b"")


async def test_the_command_says_what_is_wrong_with_a_description(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(DESCRIPTION.replace("count: 1", "count: one"))
    process = await serve(str(path))
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert f"{path}: node_pools[0].count: " in errors.decode()
