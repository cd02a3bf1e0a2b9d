"""A hub whose API server goes away: pages stay up, servers go on, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from kubespawner import KubeSpawner

from gpuspawner.outages import ClusterUnreachableError, LastingReflector
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.faults import Drop, Fault, Refuse
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import NAMESPACE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTEMPTS_OF_KUBESPAWNER = 9
"""After so many KubeSpawner's own reflector has given up."""

PODS_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    config = configuration(cluster)
    config.KubeSpawner.k8s_api_request_timeout = 1
    config.JupyterHub.tornado_settings = {"slow_stop_timeout": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastingReflector, "first_delay", 0.01)
        patch.setattr(LastingReflector, "longest_delay", 0.05)
        async with running_hub(cluster, config) as hub:
            yield hub


@contextmanager
def away(hub: Hub, fault: Fault | None = None) -> Iterator[None]:
    """The API server answers nobody, and every stream breaks."""
    injection = hub.cluster.faults.add(fault or Drop(), times=None)
    hub.cluster.faults.sever()
    try:
        yield
    finally:
        hub.cluster.faults.remove(injection)


async def attempts(hub: Hub, number: int) -> None:
    """Wait until the pods of the hub's namespace were asked for so many times more."""
    before = hub.cluster.faults.count("list", PODS_PATH)
    await hub.cluster.wait_until(
        lambda: hub.cluster.faults.count("list", PODS_PATH) - before >= number, 20
    )


async def with_server(hub: Hub, name: str) -> Any:
    """Start a server for somebody; their spawner."""
    answer = await hub.start_server(name, "cpu")
    assert answer.status in (201, 202), answer.text
    spawner = spawner_of(hub, name)
    await hub.cluster.wait_until(lambda: spawner.ready, 20)
    return spawner


@pytest_asyncio.fixture(loop_scope="module")
async def spawner(hub: Hub, new_name: Callable[[str], str]) -> Any:
    """The spawner of somebody whose server runs."""
    return await with_server(hub, new_name("students"))


def spawner_of(hub: Hub, name: str) -> Any:
    return hub.app.users[name].spawners[""]


FAULTS = [
    pytest.param(Drop(), id="it closes every connection"),
    pytest.param(Refuse(503, retry_after="0"), id="it answers 503"),
    pytest.param(Refuse(403, "Forbidden"), id="it forbids everything"),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_server_that_runs_is_known_through_an_outage_and_after_it(
    hub: Hub, spawner: Any, fault: Fault
) -> None:
    name = spawner.user.name
    with away(hub, fault):
        await attempts(hub, ATTEMPTS_OF_KUBESPAWNER + 3)
        assert await spawner.poll() is None
        visitor = await hub.visitor(name)
        for page in ("hub/home", "hub/spawn", f"hub/api/users/{name}"):
            answer = await visitor.get(page)
            assert answer.status == 200, answer.text
        assert spawner.ready
    reflector = spawner.pod_reflector
    await hub.cluster.wait_until(lambda: not reflector.failure, 20)
    assert await spawner.poll() is None
    assert spawner.ready
    await hub.stop_server(name)


async def test_a_pod_that_goes_during_an_outage_is_noticed_after_it(hub: Hub, spawner: Any) -> None:
    name = spawner.user.name
    with away(hub):
        hub.cluster.store.delete(PODS, NAMESPACE, spawner.pod_name, grace_seconds=0)
        await attempts(hub, ATTEMPTS_OF_KUBESPAWNER + 3)
        assert await spawner.poll() is None

    async def noticed() -> bool:
        await (await hub.visitor(name)).get("hub/home")
        return not hub.app.users[name].running

    await hub.cluster.wait_until(noticed, 20)


async def test_a_hub_that_starts_in_an_outage_takes_no_server_for_stopped(
    hub: Hub, spawner: Any
) -> None:
    """A reflector that has never listed anything is what a new hub has."""
    with away(hub):
        await KubeSpawner._stop_all_reflectors()
        assert await spawner.poll() is None
        assert (await (await hub.visitor(spawner.user.name)).get("hub/home")).status == 200
        assert await spawner.poll() is None
    reflector = spawner.pod_reflector
    await hub.cluster.wait_until(reflector.first_load_future.done, 20)
    assert await spawner.poll() is None
    hub.cluster.store.delete(PODS, NAMESPACE, spawner.pod_name, grace_seconds=0)

    async def noticed() -> bool:
        return await spawner.poll() is not None

    await hub.cluster.wait_until(noticed, 20)
    await spawner.poll_and_notify()


async def test_starts_in_an_outage_are_refused_with_words_and_not_counted(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """The hub ends itself after `consecutive_failure_limit` failures, which is 5 here."""
    name, earlier = new_name("students"), new_name("students")
    await with_server(hub, earlier)
    await hub.visitor(name)
    with away(hub):
        for _ in range(6):
            visitor = await hub.visitor(name)
            answer = await visitor.post_form("hub/spawn", {"profile": "cpu"})
            assert answer.status == 503, answer.text
            assert "The cluster does not answer at the moment" in answer.text
    assert hub.failures == 0
    await with_server(hub, name)
    for each in (name, earlier):
        await hub.stop_server(each)


async def test_a_stop_in_an_outage_goes_on_until_the_pod_is_gone(hub: Hub, spawner: Any) -> None:
    name = spawner.user.name
    spawner.k8s_api_request_retry_timeout = 0  # so that KubeSpawner itself does not try again
    visitor = await hub.visitor(name)
    with away(hub):
        answer = await visitor.api("DELETE", f"users/{name}/server")
        assert answer.status == 202, answer.text
        await attempts(hub, ATTEMPTS_OF_KUBESPAWNER)
        assert spawner.pending == "stop"
        assert hub.pods_of(name)
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 30)
    await hub.cluster.wait_until(lambda: not spawner.pending, 30)
    assert spawner.server is None


FAILING_WEBHOOK = Refuse(500, message="Internal error occurred: failed calling webhook")


async def test_a_webhook_that_fails_is_not_told_as_an_outage_and_counts_nothing(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    injection = hub.cluster.faults.add(FAILING_WEBHOOK, verb="create", resource="pods", times=None)
    answer = await hub.start_server(new_name("students"), "cpu")
    hub.cluster.faults.remove(injection)
    assert answer.status == 503
    assert "The cluster did not accept the server" in answer.text
    assert hub.failures == 0


async def test_a_stop_goes_on_while_a_webhook_fails(hub: Hub, spawner: Any) -> None:
    hub.cluster.faults.add(FAILING_WEBHOOK, verb="delete", resource="pods", times=3)
    await hub.stop_server(spawner.user.name)


@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_hub_that_is_ending_does_not_wait_for_ever(
    hub: Hub,
    spawner: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_listed: bool,
) -> None:
    monkeypatch.setattr("gpuspawner.outages.kubespawner.SHUTDOWN_PATIENCE", 0.2)

    async def shutdown_cancel_tasks() -> None:
        await spawner.user.stop()

    with away(hub):
        if not is_listed:
            await KubeSpawner._stop_all_reflectors()
        words = "delete it by hand" if is_listed else "never listed"
        with pytest.raises(ClusterUnreachableError, match=words):
            await asyncio.wait_for(asyncio.create_task(shutdown_cancel_tasks()), 10)
    hub.cluster.store.delete(PODS, NAMESPACE, spawner.pod_name, grace_seconds=0)


async def test_a_start_that_is_given_up_while_pods_are_first_listed_spoils_nothing(
    hub: Hub, spawner: Any
) -> None:
    with away(hub):
        await KubeSpawner._stop_all_reflectors()
        poll = asyncio.ensure_future(spawner.poll())
        await attempts(hub, 1)
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        assert await spawner.poll() is None
    await hub.cluster.wait_until(spawner.pod_reflector.first_load_future.done, 20)
    assert await spawner.poll() is None
    await hub.stop_server(spawner.user.name)
    await hub.cluster.wait_until(lambda: not spawner.pending, 30)
