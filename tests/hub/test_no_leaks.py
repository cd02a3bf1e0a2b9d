"""What one start leaves behind for the next of the same person: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.pod import base_names
from gpuspawner.simcluster.apimachinery.objects import Object

from .conftest import Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start(hub: Hub, name: str, profile: str) -> Object:
    answer = await hub.start_server(name, profile)
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    return pod


def traces_of_a_gpu(pod: Object) -> list[str]:
    """Whatever the profile ``gpu`` puts into a pod and the profile ``cpu`` must not have."""
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    resources = container["resources"]
    found = {
        "limit": "nvidia.com/gpu" in resources.get("limits", {}),
        "request": "nvidia.com/gpu" in resources.get("requests", {}),
        "toleration": any(t.get("key") == "nvidia.com/gpu" for t in spec.get("tolerations", ())),
        "node selector": "accelerator" in (spec.get("nodeSelector") or {}),
        "env": any(variable["name"] == "FRAMEWORK" for variable in container["env"]),
        "mount": any(m["mountPath"] == "/scratch" for m in container.get("volumeMounts", ())),
        "volume": any(v["name"] == "profile-scratch" for v in spec.get("volumes", ())),
        "image": container["image"].startswith("example/torch"),
    }
    return [trace for trace, is_there in found.items() if is_there]


async def test_a_cpu_server_after_a_gpu_server_has_nothing_of_it(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    assert len(traces_of_a_gpu(await start(hub, name, "gpu"))) == 8
    await hub.stop_server(name)
    assert traces_of_a_gpu(await start(hub, name, "cpu")) == []
    await hub.stop_server(name)


async def test_a_cpu_server_after_a_failed_gpu_start_has_nothing_of_it(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")

    async def fail(self: KubeSpawner, *_: Any) -> None:
        assert self.extra_resource_limits == {"nvidia.com/gpu": "1"}
        raise RuntimeError("injected: the pod cannot be made")

    with monkeypatch.context() as patch:
        patch.setattr(KubeSpawner, "get_pod_manifest", fail)
        answer = await hub.start_server(name, "gpu")
        assert answer.status == 500
    assert hub.failures == 1
    assert traces_of_a_gpu(await start(hub, name, "cpu")) == []
    assert hub.failures == 0
    await hub.stop_server(name)


async def test_one_spawner_that_loads_twice_has_only_the_last_profile(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """JupyterHub mostly makes a new spawner for a start, so this is what the others cannot see."""
    name = new_name("gpu-users")
    await (await hub.visitor(name)).get("hub/spawn")
    spawner = hub.app.users[name].spawner
    configured = {trait: getattr(spawner, trait) for trait in base_names(spawner.catalog)}
    for options in ({"profile": "gpu"}, {"profile": "cpu"}):
        spawner.user_options = options
        await spawner.load_user_options()
    assert spawner.extra_resource_limits == {}
    assert spawner.tolerations == []
    assert "FRAMEWORK" not in spawner.environment
    spawner.clear_state()
    assert {trait: getattr(spawner, trait) for trait in configured} == configured


async def test_what_changes_on_a_spawner_does_not_change_the_catalog(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await (await hub.visitor(name)).get("hub/spawn")
    spawner = hub.app.users[name].spawner
    spawner.user_options = {"profile": "gpu"}
    for _ in range(2):
        await spawner.load_user_options()
        assert len(spawner.tolerations) == 1
        assert spawner.extra_labels == {"gpuspawner/profile": "gpu"}
        spawner.tolerations[0]["key"] = "scribble"
        spawner.extra_labels["scribble"] = "yes"
    spawner.clear_state()


async def test_the_form_beside_a_running_gpu_server_judges_by_the_configuration(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await start(hub, name, "gpu")
    spawner = hub.app.users[name].spawner
    base = spawner._applied.base(spawner.catalog)
    assert base["extra_resource_limits"] == {}
    assert base["tolerations"] == []
    await hub.stop_server(name)
    assert spawner.extra_resource_limits == {}
