"""Starts whose container runs and whose notebook is waited for, inside the start."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.patching import PatchKind
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, NAMESPACE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTEBOOK = """
import http.server, os, pathlib, signal, sys, time, urllib.parse
signal.signal(signal.SIGTERM, signal.SIG_IGN)
order = pathlib.Path(sys.argv[1])
order.with_suffix(".up").touch()
while not order.exists():
    time.sleep(0.02)
if order.read_text() == "end":
    sys.exit(3)
status = int(order.read_text())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status)
        self.end_headers()
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((url.hostname, url.port), Handler).serve_forever()
"""
"""A server that does nothing until it is told to end, or to answer with a status.

Whoever deletes its pod has to wait for all of the time that a pod is given to end.
"""


class Notebooks:
    """The orders of everybody's notebooks, and how long the hub waits for each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.http_timeout = 60

    def of(self, name: str) -> Path:
        return self._directory / name

    def is_up(self, name: str) -> bool:
        return self.of(name).with_suffix(".up").exists()

    def tell(self, name: str, order: str) -> None:
        written = self.of(name).with_suffix(".new")
        written.write_text(order)
        written.rename(self.of(name))

    async def configure(self, spawner: Any, pod: Any) -> Any:
        spawner.http_timeout = self.http_timeout
        order = str(self.of(spawner.user.name))
        pod.spec.containers[0].args = [sys.executable, "-c", NOTEBOOK, order]
        return pod


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Notebooks:
    return Notebooks(tmp_path_factory.mktemp("orders"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, notebooks: Notebooks) -> AsyncIterator[Hub]:
    c = configuration(cluster, HERE / "catalog.yaml")
    c.KubeSpawner.modify_pod_hook = notebooks.configure
    c.KubeSpawner.delete_grace_period = 0
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    async with running_hub(cluster, c) as hub:
        yield hub


async def until_asked(hub: Hub, notebooks: Notebooks, name: str) -> Any:
    """Start somebody's server, and wait until its notebook is asked; their spawner."""
    answer = await hub.start_server(name, "cpu")
    assert answer.status == 202, answer.text
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: spawner._ran is not None and notebooks.is_up(name), 30)
    return spawner


async def assert_refused(hub: Hub, name: str, code: str, words: str) -> None:
    """The start ends with `words` well before any time-out, and nothing is left of it."""
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: spawner.pending is None, 30)
    visitor = await hub.visitor(name)
    page = await visitor.get(f"hub/spawn-pending/{name}")
    assert words in page.text
    progress = await visitor.api("GET", f"users/{name}/server/progress")
    assert words in progress.text
    assert f"[{code}]" in progress.text
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 30)
    assert hub.failures == 0


def set_status(hub: Hub, name: str, status: Object) -> None:
    (pod,) = hub.pods_of(name)
    hub.cluster.store.patch(
        PODS,
        NAMESPACE,
        pod["metadata"]["name"],
        {"status": status},
        kind=PatchKind.MERGE,
        subresource="status",
    )


def a_restart(reason: str, code: int) -> Object:
    ended = {"terminated": {"exitCode": code, "reason": reason}}
    state = {"running": {"startedAt": "2026-01-01T12:00:00Z"}}
    status = {"name": "notebook", "ready": True, "restartCount": 1, "image": "", "imageID": ""}
    return {"containerStatuses": [status | {"state": state, "lastState": ended}]}


async def test_a_notebook_that_answers_late_is_a_start_that_succeeds(
    hub: Hub, notebooks: Notebooks, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    spawner = await until_asked(hub, notebooks, name)
    visitor = await hub.visitor(name)
    assert spawner.stage.current == "notebook"
    assert not spawner._waiting_for_response
    assert (await visitor.get("hub/home")).status == 200
    notebooks.tell(name, "200")
    await hub.cluster.wait_until(lambda: spawner.ready, 30)
    assert spawner._ran is None
    assert (await visitor.get(f"user/{name}/api")).status == 200
    await hub.stop_server(name)


async def test_a_notebook_that_ends_before_it_answers(
    hub: Hub, notebooks: Notebooks, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    await until_asked(hub, notebooks, name)
    notebooks.tell(name, "end")
    await assert_refused(hub, name, "crash", "ended right after its start (exit code 3)")


@pytest.mark.parametrize("order", ["", "503"], ids=["it does not listen", "it answers 503"])
async def test_a_notebook_that_never_answers(
    hub: Hub,
    notebooks: Notebooks,
    new_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    order: str,
) -> None:
    monkeypatch.setattr(notebooks, "http_timeout", 1)
    name = new_name("students")
    if order:
        notebooks.tell(name, order)
    answer = await hub.start_server(name, "cpu")
    assert answer.status == 202, answer.text
    words = "The server runs, but its notebook did not answer within 1 s."
    await assert_refused(hub, name, "no-answer", words)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(
            a_restart("Error", 3), "crash", "(exit code 3)", id="it ends and is started again"
        ),
        pytest.param(
            a_restart("OOMKilled", 137), "crash", "ran out of memory while it", id="out of memory"
        ),
        pytest.param(
            {"phase": "Failed", "reason": "Evicted"}, "node", "The node ran short", id="evicted"
        ),
        pytest.param(
            {"phase": "Failed", "reason": "DeadlineExceeded"}, "node", "time limit", id="too long"
        ),
    ],
)
async def test_a_server_that_ends_while_its_notebook_is_waited_for(
    hub: Hub,
    notebooks: Notebooks,
    new_name: Callable[[str], str],
    *,
    status: Object,
    code: str,
    words: str,
) -> None:
    name = new_name("students")
    await until_asked(hub, notebooks, name)
    set_status(hub, name, status)
    await assert_refused(hub, name, code, words)


@pytest.mark.parametrize(
    ("conditions", "code", "words"),
    [
        pytest.param([], "deleted", "The server was deleted in the cluster", id="by somebody"),
        pytest.param(
            [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
            "node",
            "had to give way to something more urgent",
            id="for another pod",
        ),
    ],
)
async def test_a_pod_that_is_deleted_while_its_notebook_is_waited_for(
    hub: Hub,
    notebooks: Notebooks,
    new_name: Callable[[str], str],
    *,
    conditions: list[Object],
    code: str,
    words: str,
) -> None:
    name = new_name("students")
    await until_asked(hub, notebooks, name)
    (pod,) = hub.pods_of(name)
    set_status(hub, name, {"conditions": pod["status"]["conditions"] + conditions})
    hub.cluster.store.delete(PODS, NAMESPACE, pod["metadata"]["name"])
    await assert_refused(hub, name, code, words)


async def test_a_start_is_cancelled_while_its_notebook_is_waited_for(
    hub: Hub, notebooks: Notebooks, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    spawner = await until_asked(hub, notebooks, name)
    visitor = await hub.visitor(name)
    answer = await visitor.post_form(f"hub/gpuspawner/cancel/{name}/", {"then": "form"})
    assert answer.url.endswith(f"/hub/spawn/{name}"), answer.url
    assert spawner.pending is None
    assert spawner._ran is None
    assert hub.pods_of(name) == []
    assert hub.failures == 0


async def test_a_start_that_is_out_of_time_leaves_the_wait_to_the_hub(
    hub: Hub,
    notebooks: Notebooks,
    new_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What JupyterHub grants a notebook is not cut short by a pod that was slow to come."""
    name = new_name("students")
    await hub.visitor(name)
    monkeypatch.setattr(hub.app.users[name].spawner, "start_timeout", 3)
    answer = await hub.start_server(name, "cpu")
    assert answer.status == 202, answer.text
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: spawner._waiting_for_response, 30)
    notebooks.tell(name, "404")
    await hub.cluster.wait_until(lambda: spawner.ready, 30)
    await hub.stop_server(name)


async def test_the_api_waits_for_the_words(
    hub: Hub,
    notebooks: Notebooks,
    new_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(hub.app.tornado_settings, "slow_spawn_timeout", 30)
    name = new_name("students")
    notebooks.tell(name, "end")
    answer = await hub.start_server(name, "cpu")
    assert answer.status == 503, answer.text
    assert "ended right after its start" in json.loads(answer.text)["message"]
