"""Each way to start a server, and each reason to refuse it: what is told, and what is left."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape

import pytest
import pytest_asyncio

from gpuspawner.outages import LastingReflector
from gpuspawner.refusals import CODE_HEADER
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import Answer, Hub, Visitor, configuration, running_hub
from .doors import API, DOORS, FORM, Door
from .reasons import MARKUP, REASONS, Reason, catalog_with

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Place:
    """A hub on which one person's starts are refused for one reason.

    Attributes:
        first: the pods of their first starts, before any was refused, by the server's name.
    """

    hub: Hub
    reason: Reason
    name: str
    first: dict[str, Object]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(
    cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Place]:
    reason: Reason = request.param
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    catalog.write_text(catalog_with(reason.default[0] if reason.default else "cpu"))
    c = configuration(cluster, catalog)
    c.KubeSpawner.k8s_api_request_timeout = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LastingReflector, "first_delay", 0.01)
        patch.setattr(LastingReflector, "longest_delay", 0.05)
        async with running_hub(cluster, c) as hub:
            name = f"{reason.group}-0"
            await hub.visitor(name)
            first = {server: await good_start(hub, name, server) for server in ("", "second")}
            async with reason.lasting(hub):
                yield Place(hub, reason, name, first)


def each_of(reasons: list[Reason]) -> pytest.MarkDecorator:
    ids = [reason.title for reason in reasons]
    return pytest.mark.parametrize("place", reasons, indirect=True, ids=ids)


def through(doors: list[Door]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("door", doors, ids=[f"through {door.title}" for door in doors])


@each_of(REASONS)
@through([door for door in DOORS if door.asks])
async def test_who_asks_for_it_is_refused_in_words_and_nothing_is_left(
    place: Place, door: Door
) -> None:
    await refused(place, door, place.reason.words)


@each_of([reason for reason in REASONS if reason.default])
@through([door for door in DOORS if not door.asks])
async def test_who_asks_for_nothing_is_refused_the_default_in_the_same_way(
    place: Place, door: Door
) -> None:
    assert place.reason.default is not None
    _, words = place.reason.default
    await refused(place, door, words)


async def ready_to_ask(place: Place, door: Door) -> Visitor:
    """The person, who has no options from earlier, and is in no group that nobody put them in."""
    hub, name = place.hub, place.name
    user = hub.app.users[name]
    if place.reason.group == "nobody":
        user.sync_groups([])
    user.spawners[door.server].orm_spawner.user_options = None
    hub.app.db.commit()
    return await hub.visitor(name)


async def refused(place: Place, door: Door, words: tuple[str, ...]) -> None:
    """Ask, be refused, find nothing left, and start something else as if it were the first."""
    hub, reason, name = place.hub, place.reason, place.name
    visitor = await ready_to_ask(place, door)
    async with reason.moment(hub, name):
        answer = await door.knock(hub, name, reason.options)
        check(answer, door, reason, words)
        page = await visitor.get(f"hub/spawn-pending/{name}/{door.server}".rstrip("/"))
        assert page.status == reason.status
        assert_read(words, page)
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    assert await good_start(hub, name, door.server) == place.first[door.server]


@each_of(REASONS)
@through([FORM, API])
async def test_where_the_hub_does_not_wait_the_pending_page_and_the_progress_tell_it(
    place: Place, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Zero to JupyterHub chart configures it."""
    hub, reason, name = place.hub, place.reason, place.name
    visitor = await ready_to_ask(place, door)
    monkeypatch.setitem(hub.app.tornado_settings, "slow_spawn_timeout", 0)
    async with reason.moment(hub, name):
        answer = await door.knock(hub, name, reason.options)
        assert answer.status in (200, 202, reason.status), answer.text
        await hub.cluster.wait_until(lambda: not hub.app.users[name].spawner.pending, 20)
        page = await visitor.get(f"hub/spawn-pending/{name}")
        assert page.status == reason.status
        assert_read(reason.words, page)
        progress = await visitor.api("GET", f"users/{name}/server/progress")
        [*_, line] = filter(None, progress.text.splitlines())
        event = json.loads(line.removeprefix("data: "))
        assert event["failed"] is True
        for part in reason.words:
            assert part in event["message"]
        assert event["message"].endswith(f" [{reason.code}]") == door.is_api
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    monkeypatch.undo()
    assert await good_start(hub, name, "") == place.first[""]


@each_of(REASONS[:2])
@through([FORM, API])
async def test_fifty_refusals_in_a_row_leave_the_hub_up(
    place: Place, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    hub, reason, name = place.hub, place.reason, place.name
    visitor = await ready_to_ask(place, door)
    assert hub.app.config.KubeSpawner.consecutive_failure_limit == 5
    for _ in range(50):
        answer = await door.knock(hub, name, reason.options)
        assert answer.status == reason.status
        assert hub.failures == 0
    assert "Aborting" not in caplog.text
    assert (await visitor.get("hub/home")).status == 200


def check(answer: Answer, door: Door, reason: Reason, words: tuple[str, ...]) -> None:
    assert answer.status == reason.status, answer.text
    if door.is_api:
        assert answer.headers[CODE_HEADER] == reason.code
        said = json.loads(answer.text)
        assert said["status"] == reason.status
        assert said["message"].endswith(f" [{reason.code}]")
        assert len(said["message"]) < 500
        for part in words:
            assert part in said["message"]
    else:
        # Who may start nothing has no form to go back to, and is told that.
        code = "nothing-allowed" if reason.group == "nobody" else reason.code
        assert answer.headers[CODE_HEADER] == code
        assert_read(words, answer)


def assert_read(words: tuple[str, ...], page: Answer) -> None:
    """Whether a page has the words, and not as markup."""
    assert MARKUP not in page.text
    text = re.sub(r"\s+", " ", unescape(page.text))
    for part in words:
        assert part in text


async def good_start(hub: Hub, name: str, server: str) -> Object:
    """Start what everybody may have, and stop it; what the hub made of its pod."""
    user = hub.app.users[name]
    if not user.orm_user.groups:
        user.sync_groups(["students"])
    visitor = await hub.visitor(name)
    path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
    answer = await visitor.api("POST", path, {"profile": "cpu"})
    assert answer.status < 400, answer.text
    [pod] = hub.pods_of(name)
    await hub.stop_server(name, server)
    assert hub.failures == 0
    return made(pod)


def made(pod: Object) -> Object:
    """The part of a pod that is the same at each start."""
    metadata, spec = dict(pod["metadata"]), dict(pod["spec"])
    for passing in ("uid", "resourceVersion", "creationTimestamp"):
        del metadata[passing]
    del spec["nodeName"]
    [container] = spec["containers"]
    env = [each for each in container["env"] if not each["name"].endswith("API_TOKEN")]
    return {"metadata": metadata, "spec": spec | {"containers": [container | {"env": env}]}}
