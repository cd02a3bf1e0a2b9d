"""A start under way: what is told of it, the page, and the way out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from gpuspawner.hub.pending import CancelStartHandler
from gpuspawner.simcluster.apiserver.faults import Delay
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription
from gpuspawner.starting import answering
from gpuspawner.starting.steps import Step
from gpuspawner.starting.telling import TellingKubeSpawner

from .conftest import HERE, NAMESPACE, Answer, Hub, Visitor, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

V100 = """accelerators:
  v100:
    title: V100
    resource: example.com/v100
    node_selector: {pool: v100}
"""
PROFILES = """
  - slug: v100
    title: A V100
    accelerator: v100
    session_limit: 12h
  - slug: mute
    title: A server that never answers
    cpu: 1
    kubespawner_override:
      cmd: [sleep, "600"]
node_pools:
  v100:
    title: the V100 pool
    labels: {pool: v100}
    allocatable: {cpu: 6, memory: 100Gi, example.com/v100: 1}
access:
  - groups: [gpu-users]
    profiles: [v100, mute]
"""
CLEANING = "The server did not start. What was made for it is being removed."
REFUSED = "Three GPUs cannot be started."
WAITS = "Waiting for a node of the kind it needs: there is none at present."
PULL_SECONDS = 3
Event = dict[str, Any]


def catalog_in(directory: Path) -> Path:
    """The catalog of the tests, with a pool that never grows and a server that never answers."""
    text = (HERE / "catalog.yaml").read_text()
    text = text.replace("accelerators:\n", V100, 1)
    catalog = directory / "catalog.yaml"
    catalog.write_text(text.replace("access:\n", PROFILES.lstrip("\n"), 1))
    return catalog


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    text = (HERE / "cluster.yaml").read_text() + f"image_pull_seconds: {PULL_SECONDS}\n"
    description = ClusterDescription.parse(text)
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    catalog = catalog_in(tmp_path_factory.mktemp("catalog"))
    c = configuration(cluster, catalog)
    c.KubeSpawner.start_timeout = 60
    c.KubeSpawner.http_timeout = 60
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    async with running_hub(cluster, c) as hub:
        yield hub


async def begin(hub: Hub, name: str, profile: str, server: str = "") -> Visitor:
    """Ask for a server on the form; the answer is the page of a start under way."""
    visitor = await hub.visitor(name)
    path = f"hub/spawn/{name}/{server}" if server else "hub/spawn"
    answer = await visitor.post_form(path, {"profile": profile})
    assert "/hub/spawn-pending/" in answer.url, answer.text
    return visitor


async def cancel(visitor: Visitor, name: str, then: str = "form", server: str = "") -> Answer:
    return await visitor.post_form(f"hub/gpuspawner/cancel/{name}/{server}", {"then": then})


async def events(hub: Hub, name: str, path: str = "") -> AsyncIterator[Event]:
    """What the hub's stream of events sends, until it ends; by default JupyterHub's own.

    It is asked for past the proxy: the one that is written in Python sends an answer on only when
    it is complete.
    """
    visitor = hub.visitors[name]
    xsrf = visitor.session.cookie_jar.filter_cookies(URL(f"{visitor.base}hub/"))["_xsrf"].value
    url = hub.app.hub.url + (path or f"api/users/{name}/server/progress?_xsrf={xsrf}")
    async with visitor.session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def current(event: Event) -> str:
    (name,) = [step["name"] for step in event["steps"] if step["standing"] == "current"]
    return str(name)


async def until_current(hub: Hub, name: str, step: str) -> None:
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: spawner.stage.current == step, 30)


async def test_a_start_is_told_of_step_by_step_until_it_is_ready(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await begin(hub, name, "gpu")
    told = [event async for event in events(hub, name)]
    assert told[-1]["ready"]
    ours = [event for event in told if "steps" in event]
    steps = [current(event) for event in ours]
    assert steps == sorted(steps, key=[str(step) for step in Step].index)
    assert "image" in steps
    assert "The image is being pulled." in [event["message"] for event in ours]
    assert all(a["progress"] <= b["progress"] for a, b in pairwise(ours))
    assert not any("raw_event" in event for event in told)
    assert "Scheduled: Successfully assigned your server to a node" in ours[-1]["said"]
    assert "gpu-1" not in json.dumps(ours)
    await hub.stop_server(name)


async def test_a_pod_that_waits_is_told_of_at_once_and_then_only_when_there_is_news(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    told: list[Event] = []

    async def listen() -> None:
        async for event in events(hub, name):
            told.append(event)  # noqa: PERF401 - it is read meanwhile

    listening = asyncio.create_task(listen())
    # The scheduler's event may be heard after what it says of the pod.
    await hub.cluster.wait_until(
        lambda: told and "FailedScheduling" in str(told[-1].get("said")), 30
    )
    assert told[-1]["message"] == WAITS
    assert current(told[-1]) == "scheduled"
    assert told[-1]["html_message"].startswith(f"{WAITS}<details>")
    number = len(told)
    await asyncio.sleep(2.5)  # longer than two looks: nothing is to happen
    assert len(told) == number
    await cancel(visitor, name)
    await listening
    assert told[-1] == {
        "progress": 100,
        "failed": True,
        "message": "Spawn failed: The start was cancelled.",
    }


async def test_the_page_shows_the_profile_the_steps_and_the_ways_out(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.stage.sentence == WAITS, 30)
    page = await visitor.get(f"hub/spawn-pending/{name}")
    assert page.status == 200
    assert "A V100" in page.text
    assert WAITS in page.text
    assert re.search(r'<li data-step="scheduled"[^>]* aria-current="step"', page.text)
    assert page.text.count('aria-current="step"') == 1
    assert 'http-equiv="refresh"' in page.text
    own = page.text[page.text.index('id="gpuspawner-pending"') :]
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style| on\w+=", own)
    for file in ("pending.js", "pending.css"):
        url = re.search(rf'(?:src|href)="/base/([^"]*{file}[^"]*)"', page.text)
        assert url, file
        async with visitor.session.get(f"{visitor.base}{url[1]}") as answer:
            assert answer.status == 200
            # After an upgrade the page does not get a script of the version before.
            assert answer.headers["Cache-Control"] == "no-cache"
    await cancel(visitor, name)


def without_handlers(patch: pytest.MonkeyPatch, spawner: Any) -> None:
    patch.setitem(spawner.config.JupyterHub, "extra_handlers", [("/about", object)])


def with_a_spawner_of_another_kind(patch: pytest.MonkeyPatch, _: Any) -> None:
    patch.delattr(TellingKubeSpawner, "stage")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(without_handlers, id="extra_handlers was assigned after setup"),
        pytest.param(with_a_spawner_of_another_kind, id="the spawner knows no stages"),
    ],
)
async def test_the_page_is_jupyterhubs_own_where_ours_cannot_work(
    hub: Hub,
    new_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch, Any], None],
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    change(monkeypatch, hub.app.users[name].spawner)
    page = await visitor.get(f"hub/spawn-pending/{name}")
    assert page.status == 200, page.text
    assert "Your server is starting up." in page.text
    assert 'id="progress-log"' in page.text
    assert "evtSource.onmessage" in page.text
    assert "gpuspawner" not in page.text
    monkeypatch.undo()
    page = await visitor.get(f"hub/spawn-pending/{name}")
    assert 'id="progress-log"' not in page.text
    assert "evtSource" not in page.text
    await cancel(visitor, name)


@pytest.mark.parametrize(("then", "leads_to"), [("form", "/hub/spawn/{}"), ("home", "/hub/home")])
async def test_cancel_ends_the_start_removes_the_pod_and_lets_choose_again(
    hub: Hub, new_name: Callable[[str], str], then: str, leads_to: str
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    await hub.cluster.wait_until(lambda: hub.pods_of(name), 30)
    answer = await cancel(visitor, name, then)
    assert answer.status == 200, answer.text
    assert answer.url.endswith(f"/base{leads_to.format(name)}")
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    assert (await hub.start_server(name, "cpu")).status < 400
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    await hub.stop_server(name)


async def test_cancel_while_the_image_is_pulled(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    fields = {"profile": "gpu", "profile-option-gpu--image": "nightly"}
    await visitor.post_form("hub/spawn", fields)
    await until_current(hub, name, "image")
    assert (await cancel(visitor, name)).url.endswith(f"/hub/spawn/{name}")
    await hub.cluster.wait_until(lambda: not hub.pods_of(name), 30)
    assert hub.failures == 0


@pytest.mark.parametrize("whose", ["the start's", "the hub's"])
async def test_cancel_while_the_notebook_server_does_not_answer(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    if whose == "the hub's":
        # Out of time: the start ends, and leaves the wait to the hub.
        monkeypatch.setattr(answering, "HEADROOM", 1000)
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "mute")
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(
        lambda: spawner._waiting_for_response if whose == "the hub's" else spawner._ran is not None,
        30,
    )
    assert spawner.stage.current == "notebook"
    assert (await cancel(visitor, name)).url.endswith(f"/hub/spawn/{name}")
    assert hub.pods_of(name) == []
    assert not hub.app.users[name].active


async def test_cancel_before_the_api_server_has_made_the_pod_leaves_none_behind(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    await hub.visitor(name)
    delay = hub.cluster.faults.add(Delay(1.0), verb="create", path=path, times=None)
    visitor = await begin(hub, name, "v100")

    def is_pod_being_made() -> bool:
        """Whether the request that makes it, and no dry run, is on its way."""
        return any(
            request.verb == "create" and request.path == path and not request.query.get("dryRun")
            for request in hub.cluster.faults.running
        )

    await hub.cluster.wait_until(is_pod_being_made, 30)
    assert (await cancel(visitor, name)).url.endswith(f"/hub/spawn/{name}")
    hub.cluster.faults.remove(delay)
    assert hub.pods_of(name) == []
    await asyncio.sleep(1.5)  # longer than the delay: nothing is to appear
    assert hub.pods_of(name) == []


async def test_cancel_deletes_a_pod_that_the_hub_has_not_seen_yet(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await cancel(await begin(hub, name, "v100"), name)  # the hub has begun to watch
    unseen = [
        hub.cluster.faults.add(Delay(5), verb=verb, resource="pods", times=None)
        for verb in ("list", "watch")
    ]
    hub.cluster.faults.sever(verb="watch", resource="pods")
    visitor = await begin(hub, name, "v100")
    await hub.cluster.wait_until(lambda: hub.pods_of(name), 30)
    assert hub.app.users[name].spawner.stage.current == "admitted"
    await cancel(visitor, name)
    assert hub.pods_of(name) == []
    for fault in unseen:
        hub.cluster.faults.remove(fault)


async def test_a_named_server_is_cancelled_by_its_name_and_the_other_one_goes_on(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    await begin(hub, name, "v100", "second")
    await hub.cluster.wait_until(lambda: len(hub.pods_of(name)) == 2, 30)
    answer = await cancel(visitor, name, server="second")
    assert answer.url.endswith(f"/hub/spawn/{name}/second")
    (left,) = hub.pods_of(name)
    assert "second" not in left["metadata"]["name"]
    await cancel(visitor, name)
    assert hub.pods_of(name) == []


async def test_a_server_that_is_ready_is_not_stopped(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await hub.start_server(name, "cpu")
    spawner = hub.app.users[name].spawner
    await hub.cluster.wait_until(lambda: spawner.ready, 30)
    answer = await cancel(await hub.visitor(name), name)
    assert f"/user/{name}/" in answer.url
    assert spawner.ready
    await hub.stop_server(name)


async def test_nobody_can_cancel_somebody_elses_start_but_an_admin(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name, other = new_name("gpu-users"), new_name("gpu-users")
    await begin(hub, name, "v100")
    await hub.cluster.wait_until(lambda: hub.pods_of(name), 30)
    assert (await cancel(await hub.visitor(other), name)).status == 404
    assert hub.pods_of(name)
    assert (await cancel(await hub.visitor("admins-0"), name, "home")).status == 200
    assert hub.pods_of(name) == []


async def test_a_page_of_another_site_cannot_cancel(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    url = f"{hub.base}hub/gpuspawner/cancel/{name}"
    async with visitor.session.post(url, data={"then": "form"}) as answer:
        assert answer.status == 403
    assert hub.app.users[name].spawner.pending == "spawn"
    await cancel(visitor, name)


async def test_a_server_that_nobody_has_cannot_be_cancelled(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    assert (await cancel(visitor, name, server="none")).status == 404


@asynccontextmanager
async def cleaning_up(
    hub: Hub, name: str, patch: pytest.MonkeyPatch, end: Callable[[Visitor], Awaitable[Any]]
) -> AsyncIterator[Visitor]:
    """A start that has failed, of which JupyterHub cleans up within the context.

    Args:
        end: what makes it fail, perhaps by beginning it.
    """
    visitor = await hub.visitor(name)
    spawner = hub.app.users[name].spawner
    goes_on, poll = asyncio.Event(), type(spawner).poll

    async def poll_later(self: TellingKubeSpawner) -> Any:
        if self.is_cleaning_up:
            await goes_on.wait()
        return await poll(self)

    patch.setattr(type(spawner), "poll", poll_later)
    ending = asyncio.ensure_future(end(visitor))
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.is_cleaning_up, 30)
    try:
        yield visitor
    finally:
        goes_on.set()
        await ending
        await hub.cluster.wait_until(lambda: not hub.app.users[name].spawner.pending, 30)


async def ask_for_too_much(visitor: Visitor) -> None:
    answer = await visitor.post_form("hub/spawn", {"profile": "huge"})
    assert f"/hub/spawn-pending/{visitor.name}" in answer.url


def progress_path(page: Answer) -> str:
    """Of the stream that a page of a start under way is fed from."""
    found = re.search(r'data-progress-url="/base/hub/([^"]*)"', page.text)
    assert found, page.text
    return unescape(found[1])


async def test_who_asks_while_a_failed_start_is_cleaned_up_is_told_the_reason_in_the_end(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    async with cleaning_up(hub, name, monkeypatch, ask_for_too_much) as visitor:
        page = await visitor.get(f"hub/spawn-pending/{name}")
        assert CLEANING in page.text
        assert 'http-equiv="refresh"' in page.text
        told = events(hub, name, progress_path(page))
        assert (await anext(told))["message"] == CLEANING
    (last,) = [event async for event in told]
    assert last["failed"]
    assert REFUSED in last["message"]
    assert REFUSED in (await visitor.get(f"hub/spawn-pending/{name}")).text


async def test_a_page_that_is_opened_before_the_clean_up_begins_is_told_the_reason_too(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    visitor = await begin(hub, name, "v100")
    told = events(hub, name, progress_path(await visitor.get(f"hub/spawn-pending/{name}")))
    assert "failed" not in await anext(told)
    async with cleaning_up(hub, name, monkeypatch, lambda visitor: cancel(visitor, name)):
        again = events(hub, name, progress_path(await visitor.get(f"hub/spawn-pending/{name}")))
        assert (await anext(again))["message"] in (CLEANING, "The start is being cancelled.")
    for stream in (told, again):
        assert [event async for event in stream][-1]["message"] == (
            "Spawn failed: The start was cancelled."
        )


async def test_who_wants_away_while_a_failed_start_is_cleaned_up_gets_to_the_form(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    asked, redirect, pending_then = asyncio.Event(), CancelStartHandler.redirect, []

    def find_user(self: CancelStartHandler, user_name: str) -> Any:
        asked.set()
        return self.users[user_name]

    def lead_on(self: CancelStartHandler, *args: Any, **options: Any) -> None:
        pending_then.append(hub.app.users[name].spawner.pending)
        redirect(self, *args, **options)

    monkeypatch.setattr(CancelStartHandler, "find_user", find_user)
    monkeypatch.setattr(CancelStartHandler, "redirect", lead_on)
    async with cleaning_up(hub, name, monkeypatch, ask_for_too_much) as visitor:
        leaving = asyncio.create_task(cancel(visitor, name))
        await asked.wait()
    assert (await leaving).url.endswith(f"/hub/spawn/{name}")
    assert pending_then == [None]


async def test_a_server_that_is_stopped_has_jupyterhubs_own_page(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    await hub.start_server(name, "cpu")
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    monkeypatch.setattr(hub.app.users[name].spawner, "_stop_pending", True)
    page = await (await hub.visitor(name)).get(f"hub/spawn-pending/{name}")
    assert "Your server is stopping." in page.text
    assert "gpuspawner" not in page.text
    monkeypatch.undo()
    await hub.stop_server(name)


async def test_nobody_is_told_of_somebody_elses_start(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = new_name("gpu-users"), await hub.visitor(new_name("gpu-users"))
    async with cleaning_up(hub, name, monkeypatch, ask_for_too_much):
        assert (await other.get(f"hub/gpuspawner/progress/{name}")).status == 404
        nobody = await other.get(f"hub/gpuspawner/progress/{other.name}/none")
    assert nobody.status == 404
