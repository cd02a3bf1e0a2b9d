"""What one start leaves behind for the next of the same person: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.simcluster.apimachinery.objects import Object

from .conftest import Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start(hub: Hub, name: str, profile: str) -> Object:
    visitor = await hub.visitor(name)
    answer = await visitor.api("POST", f"users/{name}/server", {"profile": profile})
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
    visitor = await hub.visitor(name)

    async def fail(self: KubeSpawner, *_: Any) -> None:
        assert self.extra_resource_limits == {"nvidia.com/gpu": "1"}
        raise RuntimeError("injected: the pod cannot be made")

    with monkeypatch.context() as patch:
        patch.setattr(KubeSpawner, "get_pod_manifest", fail)
        answer = await visitor.api("POST", f"users/{name}/server", {"profile": "gpu"})
        assert answer.status == 500
    assert hub.failures == 1
    assert traces_of_a_gpu(await start(hub, name, "cpu")) == []
    assert hub.failures == 0
    await hub.stop_server(name)


async def test_the_form_beside_a_running_gpu_server_judges_by_the_configuration(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await start(hub, name, "gpu")
    spawner = hub.app.users[name].spawner
    base = spawner._base(spawner.catalog)
    assert base["extra_resource_limits"] == {}
    assert base["tolerations"] == []
    await hub.stop_server(name)
    assert spawner.extra_resource_limits == {}
