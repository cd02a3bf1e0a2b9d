"""A hub that may do everything but see events: starts go on, and say what the pods say."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING_ELSE = "[!e]*"
"""The names of all resources but events and endpoints."""

PROFILES = """
  - slug: no-image
    title: An image that is not there
    images: [{slug: gone, title: Gone, image: "example/gone:1"}]
    kubespawner_override: {extra_annotations: {simcluster/fail: image}}
  - {slug: no-node, title: A node that is not there}
access:
  - groups: [gpu-users]
    profiles: [no-*]
"""


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def nowhere(spawner: Any, pod: Any) -> Any:
    if spawner.user_options.get("profile") == "no-node":
        pod.spec.node_selector = {"color": "blue"}
    return pod


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    catalog.write_text(text.replace("access:\n", PROFILES, 1))
    cluster = SimCluster(
        ClusterDescription.load(HERE / "cluster.yaml"),
        state_dir=tmp_path_factory.mktemp("eventless"),
        access=AccessRules(rules=[Rule(resources=(EVERYTHING_ELSE,))]),
    )
    async with cluster:
        c = configuration(cluster, catalog)
        c.KubeSpawner.modify_pod_hook = nowhere
        # Far more than a test may take: a start that waited for events would not come to its end.
        c.KubeSpawner.k8s_api_request_timeout = 60
        async with running_hub(cluster, c) as hub:
            yield hub


@pytest.fixture(scope="module")
def log(hub: Hub) -> Log:
    log = Log()
    hub.app.log.addHandler(log)
    return log


async def test_a_server_is_started(hub: Hub, log: Log, new_name: Callable[[str], str]) -> None:
    del log
    for name in (new_name("students"), new_name("students")):
        answer = await hub.start_server(name, "cpu")
        assert answer.status == 201, answer.text
        await hub.stop_server(name)


async def test_a_hopeless_start_ends_in_words_of_the_pods_status(
    hub: Hub, log: Log, new_name: Callable[[str], str]
) -> None:
    del log
    answer = await hub.start_server(new_name("gpu-users"), "no-image")
    assert answer.status == 503
    assert "The image example/gone:1 does not exist" in json.loads(answer.text)["message"]


async def test_what_a_start_waits_for_is_told_from_the_pods_conditions(
    hub: Hub, log: Log, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del log
    monkeypatch.setitem(hub.app.tornado_settings, "slow_spawn_timeout", 0)
    name = new_name("gpu-users")
    answer = await hub.start_server(name, "no-node")
    assert answer.status == 202, answer.text
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: bool(spawner.stage.said), 30)
    assert spawner.stage.current == "scheduled"
    assert "node(s) didn't match Pod's node affinity/selector" in spawner.stage.said[0]
    visitor = await hub.visitor(name)
    await visitor.post_form(f"hub/gpuspawner/cancel/{name}/", {"then": "form"})
    assert spawner.pending is None
    assert hub.pods_of(name) == []


async def test_the_log_names_the_missing_right_and_the_remedy_once(hub: Hub, log: Log) -> None:
    told = [line for line in log.lines if "events" in line]
    assert len(told) == 1, told
    assert "list,watch events in the namespace jupyterhub" in told[0]
    assert 'a Role with apiGroups [""], resources [events], verbs [list, watch]' in told[0]
    assert "c.KubeSpawner.events_enabled = False" in told[0]
    assert hub.failures == 0
