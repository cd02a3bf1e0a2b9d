"""An open spawn page stays true: what it is sent, to whom, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import aiohttp
import pytest
import pytest_asyncio
from jupyterhub import orm

from gpuspawner import language, wording
from gpuspawner.capacity import shared
from gpuspawner.hub import live, live_page, open_pages
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.spawner import GPUSpawner

from .conftest import HERE, Hub, cards, configuration, running_hub
from .live_streams import STREAM, Stream, address, listening, standing_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "a-token-of-a-service-that-starts"
FREE = "2 of 2 free, on 1 node"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    c = configuration(cluster)
    c.JupyterHub.services = [{"name": "starts", "api_token": TOKEN}]
    c.JupyterHub.load_roles = [
        {"name": "starter", "scopes": ["servers"], "services": ["starts"]},
    ]
    async with running_hub(cluster, c) as hub:
        yield hub


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a minute, at once."""
    monkeypatch.setattr(live_page, "_LOOK_AGAIN_SOON", 0.5)
    monkeypatch.setattr(live_page, "_BEAT", 1.0)


@contextmanager
def neighbour(hub: Hub, gpus: int) -> Iterator[None]:
    """Somebody else has so many of the GPUs."""
    container = {"name": "x", "image": "x", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    pod = {
        "metadata": {"name": "neighbour"},
        "spec": {"nodeName": "gpu-1", "containers": [container]},
    }
    hub.cluster.store.create(PODS, "default", pod)
    try:
        yield
    finally:
        hub.cluster.store.delete(PODS, "default", "neighbour", grace_seconds=0)


def pages(hub: Hub) -> open_pages.OpenPages:
    return live.open_pages(hub.app.tornado_application.settings)


async def empty(hub: Hub) -> None:
    """Wait until nothing is left of any page."""
    await hub.cluster.wait_until(lambda: len(pages(hub)) == 0 and not left(), 10)


def left() -> list[str]:
    """What still runs for open pages."""
    return [
        repr(task)
        for task in asyncio.all_tasks()
        if "OpenPages" in repr(task) or "LiveHandler" in repr(task) or "LivePage" in repr(task)
    ]


async def test_it_begins_with_all_that_the_page_shows(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    page = await cards(hub, name)
    async with listening(hub, name) as stream:
        first = await stream.next()
        headers = stream.answer.headers
    assert first["all"] is True
    assert first["state"] == "live"
    assert 0 <= first["age"] < 60
    assert {card["slug"]: (card["standing"], card["can_choose"]) for card in first["cards"]} == {
        slug: (standing, can_choose) for slug, (standing, _, can_choose) in page.items()
    }
    assert [card["title"] for card in first["cards"]] == ["Plain CPU", "One GPU", "Three GPUs"]
    assert page["gpu"][1] in first["cards"][1]["html"]
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    await empty(hub)


async def test_the_page_names_its_address_and_what_it_shows(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    page = (await (await hub.visitor(name)).get("hub/spawn")).text
    async with listening(hub, name) as stream:
        first = await stream.next()
    assert f'data-live-url="/base/hub/gpuspawner/live/{name}"' in page
    assert f'data-catalog="{first["catalog"]}"' in page


async def test_it_tells_only_the_cards_that_change(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    async with listening(hub, new_name("gpu-users")) as stream:
        await stream.card("gpu", "free")
        with neighbour(hub, 1):
            fuller = await stream.until(lambda event: event.get("cards"))
        emptier = await stream.until(lambda event: event.get("cards"))
        with neighbour(hub, 2):
            full = await stream.until(lambda event: event.get("cards"))
        for event in (fuller, emptier, full):
            slugs = {card["slug"] for card in event["cards"]}
            # Those that show the GPUs of which one was taken.
            assert "gpu" in slugs
            assert "cpu" not in slugs
            assert "all" not in event
        assert "1 of 2 free" in fuller["cards"][0]["html"]
        card = full["cards"][0]
        assert (card["standing"], card["can_choose"]) == ("busy", False)
        await stream.card("gpu", "free")


async def test_it_says_that_the_hub_is_there_while_nothing_changes(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    async with listening(hub, new_name("gpu-users")) as stream:
        await stream.next()
        beat = await stream.next()
    assert set(beat) == {"state", "age"}
    assert beat["state"] == "live"


async def test_nothing_is_judged_while_nothing_changes(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name("gpu-users")
    async with listening(hub, name) as stream:
        await stream.next()
        spawner = hub.app.users[name].spawner
        looks: list[object] = []
        offers = type(spawner).offers

        def looking(self: object) -> object:
            looks.append(self)
            return offers(self)

        monkeypatch.setattr(type(spawner), "offers", looking)
        ground = None
        while ground != spawner.ground():
            # What others left is still being told.
            ground = spawner.ground()
            await stream.until(lambda event: "cards" not in event)
            await stream.until(lambda event: "cards" not in event)
            looks.clear()
            await stream.until(lambda event: "cards" not in event)
            await stream.until(lambda event: "cards" not in event)
        assert looks == []
        with neighbour(hub, 1):
            await stream.until(lambda event: event.get("cards"))
        assert looks != []
        await stream.until(lambda event: event.get("cards"))


async def test_a_cluster_that_does_not_answer_is_unknown_and_comes_back(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(hub, new_name("gpu-users")) as stream:
        await stream.card("gpu", "free")
        (entry,) = shared._shared[asyncio.get_running_loop()].values()
        with monkeypatch.context() as patch:
            patch.setattr(entry.watch, "_clock", lambda: time.monotonic() + 1000)
            card = await stream.card("gpu", "unknown")
            assert "the cluster does not answer" in card["html"]
            assert stream.heard[-1]["state"] == "stale"
            assert stream.heard[-1]["age"] > 900
        await stream.card("gpu", "free")
        assert stream.heard[-1]["state"] == "live"


async def test_what_cannot_be_told_is_said_and_goes_on(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    async with listening(hub, name) as stream:
        await stream.next()
        spawner = hub.app.users[name].spawner
        spawner.catalog_file = "/secret/no-such-catalog.yaml"
        failed = await stream.until(lambda event: "failed" in event)
        assert set(failed) == {"failed"}
        assert "cannot be read" in failed["failed"]
        assert "secret" not in failed["failed"]
        await stream.until(lambda event: "state" in event)
        assert sum("failed" in event for event in stream.heard) == 1
        spawner.catalog_file = str(HERE / "catalog.yaml")
        assert (await stream.until(lambda event: "cards" in event))["all"] is True


async def test_a_hook_that_fails_is_tried_again(hub: Hub, new_name: Callable[[str], str]) -> None:
    asked: list[object] = []

    def failing_once(*given: object) -> None:
        asked.append(given)
        if len(asked) == 1:
            raise RuntimeError("secret")

    name = new_name("gpu-users")
    await hub.visitor(name)
    hub.app.users[name].spawner.auth_state_hook = failing_once
    async with listening(hub, name) as stream:
        failed = await stream.next()
        assert set(failed) == {"failed"}
        assert "secret" not in failed["failed"]
        await stream.card("gpu", "free")
        with neighbour(hub, 1):
            await stream.until(lambda event: event.get("cards"))
        await stream.until(lambda event: event.get("cards"))
    assert len(asked) == 2


async def test_the_hook_runs_for_the_spawner_that_takes_the_place_of_one_that_failed(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    await hub.visitor(name)
    user, ran = hub.app.users[name], []
    async with listening(hub, name) as stream:
        await stream.next()
        user.spawners.pop("")
        user.spawner.auth_state_hook = lambda spawner, _: ran.append(spawner)
        with neighbour(hub, 1):
            await stream.until(lambda event: event.get("cards"))
    assert ran == [user.spawner]


async def test_another_catalog_has_another_token_and_all_its_cards(
    hub: Hub, new_name: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = new_name("gpu-users")
    other = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    other.write_text((HERE / "catalog.yaml").read_text().replace("One GPU", "A GPU"))
    async with listening(hub, name) as stream:
        first = await stream.next()
        with neighbour(hub, 1):
            assert (await stream.until(lambda e: e.get("cards")))["catalog"] == first["catalog"]
        await stream.until(lambda event: event.get("cards"))
        hub.app.users[name].spawner.catalog_file = str(other)
        changed = await stream.until(lambda event: event.get("cards"))
    assert changed["catalog"] != first["catalog"]
    assert changed["all"] is True
    assert len(changed["cards"]) == 3


async def test_who_leaves_a_group_loses_its_cards(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    async with listening(hub, name) as stream:
        await stream.next()
        user = hub.app.users[name]
        user.sync_groups(["students"])
        changed = await stream.until(lambda event: event.get("cards"))
    assert [card["slug"] for card in changed["cards"]] == ["cpu"]
    assert changed["all"] is True


async def test_it_speaks_the_language_of_who_asks(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is said of a card is the words' own matter: here, that it is said in the language.
    monkeypatch.setattr(wording, "availability", lambda _: language.spoken())
    name = new_name("gpu-users")
    for header, spoken in (("de-AT,de;q=0.9,en;q=0.5", "de"), ("fr", "en")):
        async with listening(hub, name, **{"Accept-Language": header}) as stream:
            first = await stream.next()
            with neighbour(hub, 2):
                later = await stream.card("gpu", "busy")
        told = (*first["cards"], later)
        assert all(f"<span>{spoken}</span>" in card["html"] for card in told)


async def test_to_others_it_answers_once_as_json(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    answer = await visitor.get(f"hub/gpuspawner/live/{name}")
    async with listening(hub, name) as stream:
        first = await stream.next()
    polled = json.loads(answer.text)
    assert {**polled, "age": 0} == {**first, "age": 0}
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Retry-After"] == "5"


async def test_it_is_over_once_the_server_is_being_started(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    async with listening(hub, name) as stream:
        await stream.next()
        await hub.start_server(name, "cpu")
        assert await stream.until(lambda event: "over" in event) == {"over": True}
        await stream.end()
    visitor = await hub.visitor(name)
    assert json.loads((await visitor.get(f"hub/gpuspawner/live/{name}")).text) == {"over": True}
    async with listening(hub, name) as stream:
        assert await stream.next() == {"over": True}
        await stream.end()
    await hub.stop_server(name)


async def test_a_named_server_has_a_page_of_its_own(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    missing = await visitor.get(f"hub/gpuspawner/live/{name}/second")
    assert missing.status == 404
    assert set(hub.app.users[name].orm_spawners) == {""}
    page = await visitor.get(f"hub/spawn/{name}/second")
    assert f'data-live-url="/base/hub/gpuspawner/live/{name}/second"' in page.text
    async with listening(hub, name, server="second") as stream:
        assert standing_of(await stream.next(), "gpu") == "free"


@pytest.mark.parametrize("headers", [STREAM, {}], ids=["a stream", "an answer"])
async def test_it_is_for_who_may_start_the_server(
    hub: Hub, new_name: Callable[[str], str], headers: dict[str, str]
) -> None:
    name, other, admin = new_name("gpu-users"), new_name("students"), new_name("admins")
    await hub.visitor(name)
    theirs, admins = (await hub.visitor(other)).session, (await hub.visitor(admin)).session
    for path in (name, f"{name}/second", "nobody-knows", f"{other}%2F..%2F{name}"):
        async with theirs.get(address(hub, path), headers=headers) as answer:
            assert answer.status == 404
            assert "gpu" not in await answer.text()
    async with admins.get(address(hub, name), headers=headers) as answer:
        assert answer.status == 200
    async with admins.get(address(hub, "nobody-knows"), headers=headers) as answer:
        assert answer.status == 404
    for token in (TOKEN, "no-such-token"):
        theirs_too = {**headers, "Authorization": f"token {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(address(hub, name), headers=theirs_too) as answer,
        ):
            assert answer.status == 403
            assert "gpu" not in await answer.text()


async def test_what_a_browser_sends_for_another_site_is_refused(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    by_script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    url = address(hub, name)
    async with visitor.session.get(url, headers={**STREAM, **by_script}) as answer:
        assert answer.status == 403
    async with visitor.session.get(
        url, params={"_xsrf": visitor._xsrf}, headers={**STREAM, **by_script}
    ) as answer:
        assert answer.status == 200


async def test_who_loses_the_right_loses_the_stream(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "_MAY_STILL", 0.5)
    name, admin = new_name("gpu-users"), new_name("admins")
    await hub.visitor(name)
    async with listening(hub, admin, name) as stream, listening(hub, name) as own:
        await stream.next()
        await own.next()
        user = orm.User.find(hub.app.db, admin)
        user.admin = False
        user.roles = [role for role in user.roles if role.name != "admin"]
        hub.app.db.commit()
        await stream.end()
        assert set(await own.next()) == {"state", "age"}
    async with (await hub.visitor(admin)).session.get(address(hub, name), headers=STREAM) as answer:
        assert answer.status == 404


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No look comes to an end."""
    with monkeypatch.context() as patch:
        patch.setattr(GPUSpawner, "offers", lambda _: asyncio.Event().wait())
        yield


@pytest.mark.parametrize("is_first", [True, False], ids=["the first look", "a later look"])
async def test_who_is_not_known_any_more_loses_a_stream_that_hangs(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, *, is_first: bool
) -> None:
    monkeypatch.setattr(live_page, "_MAY_STILL", 0.5)
    name, admin = new_name("gpu-users"), new_name("admins")
    await hub.visitor(name)
    async with AsyncExitStack() as stack:
        if is_first:
            stack.enter_context(hanging(monkeypatch))
        stream = await stack.enter_async_context(listening(hub, name))
        await stream.next()
        if not is_first:
            stack.enter_context(hanging(monkeypatch))
            stack.enter_context(neighbour(hub, 1))
            await hub.cluster.wait_until(lambda: bool(pages(hub)._looking), 10)
        answer = await (await hub.visitor(admin)).api("DELETE", f"users/{name}")
        assert answer.status == 204
        await stream.end()
    await empty(hub)


async def test_a_stream_counts_from_the_start_and_a_look_that_hangs_is_given_up(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "_LONGEST_LOOK", 2.0)
    name = new_name("gpu-users")
    async with AsyncExitStack() as stack:
        with hanging(monkeypatch):
            stream = await stack.enter_async_context(listening(hub, name))
            assert (await stream.next())["state"] == "starting"
            assert len(pages(hub)) == 1
            await stream.until(lambda event: "failed" in event)
        await stream.card("gpu", "free")
    await empty(hub)


async def test_who_is_not_known_any_more_hears_nothing(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "_MAY_STILL", 0.5)
    name, admin = new_name("gpu-users"), new_name("admins")
    async with listening(hub, name) as stream:
        await stream.next()
        answer = await (await hub.visitor(admin)).api("DELETE", f"users/{name}")
        assert answer.status == 204
        await stream.end()
    await empty(hub)


async def test_a_stream_ends_after_a_while_so_that_the_browser_shows_again_who_it_is(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_page, "_LONGEST", 2.0)
    async with listening(hub, new_name("gpu-users")) as stream:
        await stream.end()
        assert standing_of(stream.heard[0], "gpu") == "free"


async def test_nothing_is_left_of_a_page_that_is_closed(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            stream = await stack.enter_async_context(listening(hub, new_name("gpu-users")))
            await stream.next()
        assert len(pages(hub)) == 3
        assert left()
        caplog.clear()
    await empty(hub)
    assert [record.getMessage() for record in caplog.records] == []


async def test_one_person_has_so_many_streams_and_the_oldest_gives_way(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pages, "MOST_OF_ONE", 2)
    name, other = new_name("gpu-users"), new_name("gpu-users")
    async with AsyncExitStack() as stack:
        streams: list[Stream] = []
        for who in (other, name, name, name):
            streams.append(await stack.enter_async_context(listening(hub, who)))
            await streams[-1].next()
        assert await streams[1].until(lambda event: "poll" in event) == {"poll": True}
        await streams[1].end()
        for stream in (streams[0], *streams[2:]):
            await stream.next()
    await empty(hub)


async def test_beyond_what_the_hub_keeps_pages_ask_less_often(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pages, "MOST_PAGES", 1)
    name = new_name("gpu-users")
    async with listening(hub, name) as stream:
        await stream.next()
        async with listening(hub, name) as another:
            assert another.answer.status == 503
            assert another.answer.headers["Retry-After"] == "30"
        answer = await (await hub.visitor(name)).get(f"hub/gpuspawner/live/{name}")
        assert (answer.status, answer.headers["Retry-After"]) == (200, "30")


async def test_two_people_see_each_their_own(hub: Hub, new_name: Callable[[str], str]) -> None:
    one, other = new_name("gpu-users"), new_name("students")
    async with listening(hub, one) as first, listening(hub, other) as second:
        ours, theirs = await first.next(), await second.next()
        with neighbour(hub, 1):
            await first.until(lambda event: event.get("cards"))
            assert "cards" not in await second.next()
    assert [card["slug"] for card in ours["cards"]] == ["cpu", "gpu", "huge"]
    assert [card["slug"] for card in theirs["cards"]] == ["cpu"]
    assert one not in json.dumps(second.heard)
