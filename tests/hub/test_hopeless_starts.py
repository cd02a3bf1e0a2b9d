"""Starts that cannot succeed end in seconds, in words, and leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from kubernetes_asyncio.client import (
    V1EnvVar,
    V1EnvVarSource,
    V1PersistentVolumeClaimVolumeSource,
    V1SecretKeySelector,
    V1Toleration,
    V1Volume,
)

from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.starting.hopeless import unmounted, unplaced, unstarted

from .conftest import HERE, NAMESPACE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROFILES = """
  - slug: no-image
    title: An image that is not there
    accelerator: gpu
    images: [{slug: gone, title: Gone, image: "example/gone:1"}]
    kubespawner_override: {extra_annotations: {simcluster/fail: image}}
  - slug: rejected
    title: A device plugin that rejects
    accelerator: gpu
    kubespawner_override: {extra_annotations: {simcluster/fail: admission}}
  - {slug: no-claim, title: A claim that is not there}
  - {slug: no-node, title: A node that is not there}
  - {slug: no-secret, title: A Secret that is not there}
  - slug: no-map
    title: A ConfigMap that is not there
    kubespawner_override:
      volumes: [{name: settings, configMap: {name: nobody-made-it}}]
  - slug: exits
    title: A server that ends at once
    kubespawner_override: {extra_annotations: {simcluster/fail: exit}}
  - slug: crashes
    title: A server that ends again and again
    kubespawner_override: {extra_annotations: {simcluster/fail: crash-loop}}
access:
  - groups: [gpu-users]
    profiles: [no-*, rejected, exits, crashes]
"""


async def of_the_profile(spawner: Any, pod: Any) -> Any:
    """What a hub's own hook does to a pod: no verdict has seen it."""
    profile = spawner.user_options.get("profile")
    if profile == "no-secret":
        key = V1SecretKeySelector(name="nobody-made-it", key="token")
        source = V1EnvVarSource(secret_key_ref=key)
        pod.spec.containers[0].env.append(V1EnvVar(name="TOKEN", value_from=source))
    elif profile == "no-claim":
        claim = V1PersistentVolumeClaimVolumeSource(claim_name="nobody-made-it")
        pod.spec.volumes = [V1Volume(name="course", persistent_volume_claim=claim)]
    elif profile == "no-node":
        pod.spec.node_selector = {"color": "blue"}
        # Of a taint the scheduler does not say whether it may pass.
        pod.spec.tolerations = [V1Toleration(operator="Exists")]
    return pod


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    catalog.write_text(text.replace("access:\n", PROFILES, 1))
    c = configuration(cluster, catalog)
    c.KubeSpawner.modify_pod_hook = of_the_profile
    # Less than a start's whole time by far, so that none ends for want of time.
    c.KubeSpawner.start_timeout = 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unplaced, "SETTLING", 1.0)
        patch.setattr(unplaced, "GROWING", 1.0)
        patch.setattr(unmounted, "SETTLING", 1.0)
        patch.setattr(unstarted, "SYNCING", 1.0)
        async with running_hub(cluster, c) as hub:
            yield hub


@pytest.mark.parametrize(
    ("profile", "status", "words"),
    [
        pytest.param(
            "no-image",
            503,
            "The image example/gone:1 does not exist: its registry does not have it.",
            id="an image that cannot be pulled",
        ),
        pytest.param(
            "rejected",
            503,
            "could not hand over what the server asks for (nvidia.com/gpu)",
            id="a device plugin that rejects",
        ),
        pytest.param("no-claim", 503, "does not exist in the cluster", id="a missing claim"),
        pytest.param("no-node", 422, "No node of the cluster can ever run", id="a missing node"),
        pytest.param("no-secret", 503, "a Secret that does not exist", id="a missing Secret"),
        pytest.param("no-map", 503, "a ConfigMap that does not exist", id="a missing ConfigMap"),
        pytest.param("exits", 503, "right after its start (exit code 1)", id="a quick end"),
        pytest.param("crashes", 503, "right after its start (exit code 1)", id="a crash loop"),
    ],
)
async def test_a_start_that_cannot_succeed_ends_in_words_and_leaves_nothing(
    hub: Hub, profile: str, status: int, words: str, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await hub.start_server(name, profile)
    assert answer.status == status, answer.text
    assert words in json.loads(answer.text)["message"]
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    visitor = await hub.visitor(name)
    page = await visitor.get(f"hub/spawn-pending/{name}")
    assert words in page.text
    progress = await visitor.api("GET", f"users/{name}/server/progress")
    assert words in progress.text
    answer = await hub.start_server(name, "cpu")
    assert answer.status < 400, answer.text
    await hub.stop_server(name)


async def test_a_start_that_nobody_waits_for_is_told_on_the_pending_page(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hub.app.tornado_settings, "slow_spawn_timeout", 0)
    name = new_name("gpu-users")
    answer = await hub.start_server(name, "no-image")
    assert answer.status == 202
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.pending is None, 30)
    page = await (await hub.visitor(name)).get(f"hub/spawn-pending/{name}")
    assert "The image example/gone:1 does not exist" in page.text
    assert "hub/spawn/" in page.text
    assert hub.pods_of(name) == []
    assert hub.failures == 0


async def test_what_is_left_of_an_earlier_server_says_nothing_of_the_next(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await hub.start_server(name, "cpu")
    (pod,) = hub.pods_of(name)
    await hub.stop_server(name)
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del pod["metadata"][field]
    pod["status"] = {"phase": "Failed", "reason": "UnexpectedAdmissionError"}
    hub.cluster.store.create(PODS, NAMESPACE, pod)
    hub.cluster.store.patch(
        PODS, NAMESPACE, pod["metadata"]["name"], {"status": pod["status"]}, subresource="status"
    )
    answer = await hub.start_server(name, "cpu")
    assert answer.status < 400, answer.text
    (second,) = hub.pods_of(name)
    assert second["status"]["phase"] == "Running"
    await hub.stop_server(name)


async def test_a_pod_that_the_operators_want_to_see_is_kept(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    await hub.visitor(name)
    monkeypatch.setattr(hub.app.users[name].spawner, "delete_stopped_pods", False)
    answer = await hub.start_server(name, "rejected")
    assert answer.status == 503
    (pod,) = hub.pods_of(name)
    assert pod["status"]["phase"] == "Failed"
    monkeypatch.undo()
    hub.cluster.store.delete(PODS, NAMESPACE, pod["metadata"]["name"], grace_seconds=0)
