"""What a scheduler writes: of kube-scheduler and of simcluster's alike."""

from __future__ import annotations

import pytest
from tests.controlplane.judging import histogram
from tests.controlplane.kube import Object, until
from tests.controlplane.servers import Server
from tests.controlplane.test_conformance_reading import a_pod

GPU = "nvidia.com/gpu"


@pytest.fixture
async def node(server: Server) -> str:
    """A node with one GPU, for the pods of this test only."""
    name = f"{server.namespace}-node"
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "10", GPU: "1"}
    made = {
        "metadata": {"name": name, "labels": {"for": name}},
        "spec": {"taints": [{"key": "for", "value": name, "effect": "NoSchedule"}]},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    await server.api.create_for_now("/api/v1/nodes", made)
    return name


def a_pod_for(node: str, name: str, gpus: int) -> Object:
    pod = a_pod(name)
    del pod["spec"]["schedulerName"]
    pod["spec"]["nodeSelector"] = {"for": node}
    pod["spec"]["tolerations"] = [{"operator": "Exists"}]
    pod["spec"]["containers"][0]["resources"] = {"limits": {GPU: str(gpus)}}
    return pod


async def condition_of(server: Server, name: str, status: str) -> Object:
    """The condition PodScheduled, once it has this status."""

    async def found() -> Object | None:
        pod = await server.api.get(f"{server.pods}/{name}")
        for condition in pod["status"].get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] == status:
                return dict(condition)
        return None

    return await until(found)


async def event_of(server: Server, pod: Object, reason: str) -> Object:
    async def found() -> Object | None:
        selector = f"involvedObject.uid={pod['metadata']['uid']},reason={reason}"
        path = f"/api/v1/namespaces/{server.namespace}/events"
        events = (await server.api.get(path, fieldSelector=selector))["items"]
        return dict(events[0]) if events else None

    return await until(found)


async def test_a_pod_that_fits_is_bound_and_told_so(server: Server, node: str) -> None:
    pod = await server.api.create(server.pods, a_pod_for(node, "p", 1))
    await condition_of(server, "p", "True")
    assert (await server.api.get(f"{server.pods}/p"))["spec"]["nodeName"] == node
    event = await event_of(server, pod, "Scheduled")
    told = (event["type"], event["message"])
    assert told == ("Normal", f"Successfully assigned {server.namespace}/p to {node}")


async def test_a_pod_that_does_not_fit_is_told_why(server: Server, node: str) -> None:
    pod = await server.api.create(server.pods, a_pod_for(node, "p", 2))
    condition = await condition_of(server, "p", "False")
    assert condition["reason"] == "Unschedulable"
    assert histogram(condition["message"])[f"Insufficient {GPU}"] == 1
    event = await event_of(server, pod, "FailedScheduling")
    assert (event["type"], event["message"]) == ("Warning", condition["message"])
    assert event["involvedObject"]["name"] == "p"
    assert event["involvedObject"]["kind"] == "Pod"
    assert event["reportingComponent"] == "default-scheduler"
    assert event["eventTime"]
    assert event["metadata"]["name"].startswith("p.")
    now = await server.api.get(f"{server.pods}/p")
    assert (now["status"]["phase"], now["spec"].get("nodeName")) == ("Pending", None)


async def test_a_pod_waits_for_a_gpu_and_gets_it(server: Server, node: str) -> None:
    await server.api.create(server.pods, a_pod_for(node, "first", 1))
    await condition_of(server, "first", "True")
    await server.api.create(server.pods, a_pod_for(node, "second", 1))
    await condition_of(server, "second", "False")
    await server.api.delete(f"{server.pods}/first", gracePeriodSeconds="0")
    await condition_of(server, "second", "True")


async def test_a_gated_pod_is_not_tried_until_its_gates_are_gone(server: Server, node: str) -> None:
    pod = a_pod_for(node, "p", 1)
    pod["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    await server.api.create(server.pods, pod)
    condition = await condition_of(server, "p", "False")
    assert condition["reason"] == "SchedulingGated"
    assert condition["message"] == "Scheduling is blocked due to non-empty scheduling gates"
    await server.api.patch(f"{server.pods}/p", {"spec": {"schedulingGates": None}})
    await condition_of(server, "p", "True")


async def test_a_cordon_is_a_reason_of_its_own(server: Server, node: str) -> None:
    await server.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    pod = a_pod_for(node, "p", 1)
    # Tolerating everything would tolerate the cordon.
    pod["spec"]["tolerations"] = [{"key": "for", "operator": "Exists"}]
    await server.api.create(server.pods, pod)
    condition = await condition_of(server, "p", "False")
    assert "node(s) were unschedulable" in histogram(condition["message"])
