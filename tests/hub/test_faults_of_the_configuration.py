"""Configurations as the chart and its operators write them, and profiles that cannot be made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from kubernetes_asyncio.client import V1Capabilities, V1Container, V1SecurityContext

from gpuspawner.judging import Judge
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD_PROFILES = """
  - slug: odd-trait
    title: A trait of the wrong kind
    kubespawner_override: {start_timeout: soon}
  - slug: odd-env
    title: An environment of numbers
    kubespawner_override: {environment: {OMP_NUM_THREADS: 4}}
  - slug: odd-pod
    title: A pod that cannot be made
    kubespawner_override: {extra_pod_config: {nope: 1}}
  - slug: odd-class
    title: A priority class that is not there
    kubespawner_override: {priority_class_name: no-such}
access:
  - groups: [gpu-users]
    profiles: ["odd-*"]
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    catalog.write_text(text.replace("access:\n", ODD_PROFILES, 1))
    c = configuration(cluster, catalog)
    # What the Zero to JupyterHub chart 4 configures.
    c.KubeSpawner.profile_list = []
    c.KubeSpawner.init_containers = [
        V1Container(
            name="block-cloud-metadata",
            image="quay.io/jupyterhub/k8s-network-tools:4.4.0",
            command=["iptables"],
            security_context=V1SecurityContext(
                privileged=True, run_as_user=0, capabilities=V1Capabilities(add=["NET_ADMIN"])
            ),
        )
    ]
    c.KubeSpawner.volumes = {"user": {"name": "user", "emptyDir": {}}}
    c.KubeSpawner.volume_mounts = {"user": {"name": "user", "mountPath": "/home/jovyan"}}
    c.KubeSpawner.tolerations = [
        {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"},
    ]
    c.KubeSpawner.extra_resource_limits = {"nvidia.com/gpu": "1"}
    c.KubeSpawner.start_timeout = 6
    async with running_hub(cluster, c) as hub:
        yield hub


async def test_what_the_chart_configured_is_added_to_and_not_replaced(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await hub.start_server(name, "gpu")
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert [c["name"] for c in spec["initContainers"]] == ["block-cloud-metadata"]
    assert {"hub.jupyter.org/dedicated", "nvidia.com/gpu"} <= {
        t["key"] for t in spec["tolerations"]
    }
    assert {m["mountPath"] for m in container["volumeMounts"]} == {"/home/jovyan", "/scratch"}
    await hub.stop_server(name)


async def test_a_gpu_of_the_base_does_not_reach_a_profile_without_one(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await hub.start_server(name, "cpu")
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    await hub.stop_server(name)


@pytest.mark.parametrize("slug", ["odd-trait", "odd-env", "odd-pod", "odd-class"])
async def test_a_profile_that_cannot_be_made_is_refused_with_words_and_counts_nothing(
    hub: Hub, slug: str, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await hub.start_server(name, slug)
    assert answer.status == 503, answer.text
    assert "Traceback" not in answer.text
    assert "hub" in answer.text
    assert hub.pods_of(name) == []
    assert hub.failures == 0


async def test_one_profile_s_fault_leaves_the_others_on_the_form_and_is_logged(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    found = await cards(hub, new_name("gpu-users"))
    assert found["odd-env"] == (
        "never",
        "cannot start: the hub's configuration and this profile contradict each other",
        False,
    )
    assert found["gpu"] == ("free", "2 of 2 free, on 1 node", True)
    assert "The profile 'odd-env' cannot be used: the values of environment must be" in caplog.text


async def test_a_pod_that_finds_no_place_in_time_is_refused_and_counts_nothing(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """What the watch saw free was taken in the meantime: here by pods that it is not shown."""
    name = new_name("gpu-users")
    await cards(hub, name)
    blocker = {
        "metadata": {"name": "blocker"},
        "spec": {
            "nodeName": "gpu-1",
            "containers": [
                {"name": "x", "image": "x", "resources": {"limits": {"nvidia.com/gpu": "2"}}}
            ],
        },
    }
    spawner = hub.app.users[name].spawner
    view = await spawner._judge.view(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "_view", lambda *_: view)
        hub.cluster.store.create(PODS, "default", blocker)
        answer = await hub.start_server(name, "gpu")
    assert answer.status == 503, answer.text
    assert "No place was found for the server within 5 s: 0/2 nodes are available" in answer.text
    assert hub.failures == 0
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 20)
    hub.cluster.store.delete(PODS, "default", "blocker", grace_seconds=0)
