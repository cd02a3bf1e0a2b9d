"""Waiting in line on a real hub: who waits, who goes first, and what comes of it."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner import waiting as waiting_
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.catalog import Profile
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.faults import Drop
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, NAMESPACE, Answer, Hub, cards, configuration, running_hub
from .doors import ADMIN
from .test_claims import assumed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 30.0
START_TIMEOUT = 30
NOT_KNOWN = "How long that takes cannot be known."


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(HERE / "waiting_cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    c = configuration(cluster, HERE / "waiting_catalog.yaml")
    c.KubeSpawner.start_timeout = START_TIMEOUT
    c.KubeSpawner.k8s_api_request_timeout = 2
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1}
    async with running_hub(cluster, c) as hub:
        yield hub


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_is_left(hub: Hub) -> AsyncIterator[None]:
    """Each test leaves the cluster empty, and the hub as if nothing had failed."""
    yield
    hub.cluster.faults.clear()
    for name in reversed(list(hub.visitors)):
        if name in hub.app.users and hub.app.users[name].spawners[""].active:
            await hub.stop_server(name)
    await hub.cluster.wait_until(lambda: not hub.cluster.store.list(PODS, NAMESPACE)[0], SECONDS)
    await hub.cluster.wait_until(lambda: not assumed(hub), SECONDS)
    assert hub.failures == 0


def spawner(hub: Hub, name: str) -> Any:
    return hub.app.users[name].spawner


def sentence(hub: Hub, name: str) -> str:
    return str(spawner(hub, name).stage.sentence)


async def until(hub: Hub, condition: Callable[[], object]) -> None:
    try:
        await hub.cluster.wait_until(lambda: bool(condition()), SECONDS)
    except TimeoutError as error:
        said = {name: sentence(hub, name) for name in hub.visitors if spawner(hub, name).active}
        raise AssertionError(f"not within {SECONDS:.0f} s: {said}") from error


async def ready(hub: Hub, name: str) -> Object:
    """The pod of a server, once that answers through the proxy."""
    await until(hub, lambda: spawner(hub, name).ready)
    visitor = await hub.visitor(name)
    answer = await visitor.get(f"user/{name}/api")
    assert answer.status == 200, answer.text
    (pod,) = hub.pods_of(name)
    return pod


async def started(hub: Hub, name: str, profile: str) -> Object:
    answer = await hub.start_server(name, profile)
    assert answer.status in (201, 202), answer.text
    return await ready(hub, name)


async def waiting(hub: Hub, name: str, profile: str) -> str:
    """What somebody reads who asked for a profile, once they wait in line for it."""
    answer = await hub.start_server(name, profile)
    # After a start that failed JupyterHub says 201 of one that is pending.
    assert answer.status in (201, 202), answer.text
    return await in_line(hub, name)


async def in_line(hub: Hub, name: str) -> str:
    await until(hub, lambda: " in line for " in sentence(hub, name))
    return sentence(hub, name)


async def refusal(hub: Hub, name: str, profile: str) -> dict[str, Any]:
    answer = await hub.start_server(name, profile)
    assert answer.status >= 400, answer.text
    told: dict[str, Any] = json.loads(answer.text)
    return told


async def failure_page(hub: Hub, name: str) -> Answer:
    """The page of somebody whose start has failed meanwhile."""
    await until(hub, lambda: not spawner(hub, name).active)
    return await (await hub.visitor(name)).get(f"hub/spawn-pending/{name}")


def waits(hub: Hub, name: str) -> bool:
    return spawner(hub, name).pending == "spawn" and not hub.pods_of(name)


def place(hub: Hub, name: str) -> int:
    """The number that somebody reads; 0 if they do not wait."""
    found = re.match(r"You are (first|number (\d+)) in line", sentence(hub, name))
    if found is None:
        return 0
    return int(found[2] or 1)


def same_of_anybody(pod: Object) -> Any:
    """A pod without what differs between two starts of the same profile."""
    name = pod["metadata"]["annotations"]["hub.jupyter.org/username"]
    spec = json.loads(json.dumps(pod["spec"]).replace(name, "somebody"))
    for container in spec["containers"]:
        container["env"] = [one for one in container["env"] if "TOKEN" not in one["name"]]
    return spec


async def test_who_asks_for_what_is_full_waits_and_starts_when_it_is_free(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second = new_name("people"), new_name("people")
    pod = await started(hub, first, "one")
    assert (await hub.start_server(second, "one")).status == 202
    words = (
        "You are first in line for The one. None of 1 free. "
        f"Your server starts when it is your turn. {NOT_KNOWN} The wait ends in "
    )
    assert (await in_line(hub, second)).startswith(words)
    assert waits(hub, second)
    page = await (await hub.visitor(second)).get(f"hub/spawn-pending/{second}")
    assert page.status == 200
    assert words in page.text
    assert first not in page.text
    answer = await (await hub.visitor(second)).api("GET", f"users/{second}")
    assert json.loads(answer.text)["servers"][""]["pending"] == "spawn"
    admin = await hub.visitor(ADMIN)
    told = json.loads((await admin.api("GET", "gpuspawner/cluster")).text)["holdings"]
    places = {one["user"]: one["in_line"] and one["in_line"]["place"] for one in told}
    assert (places[first], places[second]) == (None, 1)
    assert "waits in line, place 1" in (await admin.get("hub/gpuspawner/cluster")).text
    await hub.stop_server(first)
    waited = await ready(hub, second)
    assert same_of_anybody(waited) == same_of_anybody(pod)
    assert spawner(hub, second).start_timeout == START_TIMEOUT
    assert not spawner(hub, second).stage.sentence.startswith(words)
    await hub.stop_server(second)
    assert same_of_anybody(await started(hub, second, "one")) == same_of_anybody(pod)


async def test_the_latest_time_follows_from_the_session_limit_of_who_is_there(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names = [new_name("people") for _ in range(3)]
    await started(hub, names[0], "timed")
    await waiting(hub, names[1], "timed")
    by = r"That takes 2 hours( [12] minutes?)? at most, unless others take the room\."
    await until(hub, lambda: re.search(by, sentence(hub, names[1])))
    await waiting(hub, names[2], "timed")
    assert sentence(hub, names[2]).startswith("You are number 2 in line")
    assert NOT_KNOWN in sentence(hub, names[2])


async def test_three_are_served_in_the_order_in_which_they_came(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names = [new_name("people") for _ in range(4)]
    await started(hub, names[0], "one")
    for name in names[1:]:
        await waiting(hub, name, "one")
    await until(hub, lambda: [place(hub, name) for name in names[1:]] == [1, 2, 3])
    for gone, (served, *behind) in (
        (names[0], names[1:]),
        (names[1], names[2:]),
        (names[2], names[3:]),
    ):
        await hub.stop_server(gone)
        await ready(hub, served)
        await until(hub, lambda: [place(hub, name) for name in behind] == [1, 2][: len(behind)])  # noqa: B023
        assert all(waits(hub, name) for name in behind)


async def test_a_dual_is_not_starved_and_others_keep_off_its_node(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    singles = [new_name("people") for _ in range(3)]
    dual, newcomer, later = (new_name("people") for _ in range(3))
    nodes = {(await started(hub, name, "single"))["spec"]["nodeName"]: name for name in singles}
    await waiting(hub, dual, "dual")
    assert "Only 1 free, and it needs 2." in sentence(hub, dual)
    told = await refusal(hub, newcomer, "single-now")
    assert told["status"] == 503
    assert "Busy: what is free is kept for those who wait in line." in told["message"]
    assert told["message"].endswith("[busy]")
    standing, words, can_choose = (await cards(hub, newcomer))["single"]
    assert (standing, can_choose) == ("busy", True)
    assert words == (
        "busy: what is free is kept for those who wait in line; "
        "you can wait in line for up to 1 hour, 1 is ahead"
    )
    assert "single" in await waiting(hub, later, "single")
    assert place(hub, later) == 2
    alone = {name: hub.pods_of(name)[0]["spec"]["nodeName"] for name in singles}
    (kept,) = (node for node in nodes if list(alone.values()).count(node) == 1)
    (other,) = set(nodes) - {kept}
    await hub.stop_server(next(name for name, node in alone.items() if node == other))
    pod = await ready(hub, later)
    assert waits(hub, dual)
    assert pod["spec"]["nodeName"] == other
    assert off(pod) == [kept]
    await hub.stop_server(next(name for name, node in alone.items() if node == kept))
    assert (await ready(hub, dual))["spec"]["nodeName"] == kept
    await hub.stop_server(later)
    assert off(await started(hub, later, "single")) == []
    assert spawner(hub, later).node_affinity_required == []


def off(pod: Object) -> list[str]:
    """The nodes that a pod keeps off."""
    required = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = required.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    return [
        value
        for term in terms.get("nodeSelectorTerms", ())
        for field in term.get("matchFields", ())
        if (field["key"], field["operator"]) == ("metadata.name", "NotIn")
        for value in field["values"]
    ]


@pytest.mark.parametrize("way", ["the page", "the API"])
async def test_who_leaves_is_out_at_once_and_the_others_move_up(
    hub: Hub, new_name: Callable[[str], str], way: str
) -> None:
    names = [new_name("people") for _ in range(3)]
    await started(hub, names[0], "one")
    for name in names[1:]:
        await waiting(hub, name, "one")
    await until(hub, lambda: place(hub, names[2]) == 2)
    visitor = await hub.visitor(names[1])
    if way == "the page":
        left = await visitor.post_form(f"hub/gpuspawner/cancel/{names[1]}", {"then": "form"})
        assert left.url.endswith(f"/hub/spawn/{names[1]}"), left.text
    else:
        left = await visitor.api("DELETE", f"users/{names[1]}/server")
        assert left.status == 204, left.text
    assert not spawner(hub, names[1]).active
    assert hub.pods_of(names[1]) == []
    assert spawner(hub, names[1]).orm_spawner.state.get("gpuspawner") is None
    await until(hub, lambda: place(hub, names[2]) == 1)
    await hub.stop_server(names[0])
    await ready(hub, names[2])
    assert hub.pods_of(names[1]) == []


async def test_who_waited_longer_than_one_may_is_told_and_is_out(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_name("people"), new_name("people")
    await started(hub, first, "one")
    monkeypatch.setattr(Profile, "longest_wait", 2)
    await waiting(hub, second, "one")
    page = await failure_page(hub, second)
    assert page.status == 503
    assert "No place became free for The one within 1 minute" in page.text
    assert "Wait again, or choose another profile." in page.text
    monkeypatch.undo()
    await waiting(hub, second, "one")
    await hub.stop_server(first)
    await ready(hub, second)


async def test_a_line_that_is_full_takes_nobody(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (new_name("people") for _ in range(3))
    await started(hub, first, "one")
    await waiting(hub, second, "one")
    monkeypatch.setitem(hub.app.config.WaitingKubeSpawner, "most_waiting", 1)
    told = await refusal(hub, third, "one")
    assert told["status"] == 503
    assert told["message"].startswith(
        "The one cannot be started now, and as many wait in line as may. Busy: none of 1 free. "
        "Try again later, or choose another profile."
    )
    assert told["message"].endswith("[line-full]")
    assert place(hub, second) == 1


async def test_one_may_wait_longer_than_a_start_may_take(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_name("people"), new_name("people")
    await started(hub, first, "one")
    monkeypatch.setitem(hub.app.config.KubeSpawner, "start_timeout", 8)
    await waiting(hub, second, "one")
    assert spawner(hub, second).start_timeout == 8
    now = time.monotonic()
    await until(hub, lambda: time.monotonic() > now + 9)
    assert waits(hub, second)
    await hub.stop_server(first)
    await ready(hub, second)


async def test_who_may_not_have_it_any_more_is_not_started(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    first, second, third = (new_name("people") for _ in range(3))
    await started(hub, first, "one")
    for name in (second, third):
        await waiting(hub, name, "one")
    hub.app.users[second].sync_groups([])
    await hub.stop_server(first)
    page = await failure_page(hub, second)
    assert page.status == 403
    assert "The profile 'one' is not open to this account." in html.unescape(page.text)
    assert hub.pods_of(second) == []
    await ready(hub, third)


async def test_an_outage_of_the_cluster_costs_nobody_their_place(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_, "PERIOD", 0.5)
    names = [new_name("people") for _ in range(3)]
    await started(hub, names[0], "one")
    for name in names[1:]:
        await waiting(hub, name, "one")
    hub.cluster.faults.add(Drop(), times=None)
    hub.cluster.faults.sever()
    known = SharedCluster.freshness
    with monkeypatch.context() as patch:
        # As it comes to be by itself after 40 s.
        patch.setattr(
            SharedCluster, "freshness", lambda each: replace(known(each), state="stale", age=41.0)
        )
        await is_told_of_the_outage(hub, names)
    hub.cluster.faults.clear()
    await until(hub, lambda: NOT_KNOWN in sentence(hub, names[2]))
    assert [place(hub, name) for name in names[1:]] == [1, 2]
    await hub.stop_server(names[0])
    await ready(hub, names[1])
    assert waits(hub, names[2])


async def is_told_of_the_outage(hub: Hub, names: list[str]) -> None:
    away = "The cluster does not answer at the moment; your place is kept."
    await until(hub, lambda: all(sentence(hub, name).endswith(away) for name in names[1:]))
    assert [place(hub, name) for name in names[1:]] == [1, 2]
    page = await (await hub.visitor(names[1])).get(f"hub/spawn-pending/{names[1]}")
    assert away in page.text


async def test_each_server_of_one_person_waits_on_its_own(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("people")
    await started(hub, name, "one")
    visitor = await hub.visitor(name)
    for server in ("second", "third"):
        answer = await visitor.api("POST", f"users/{name}/servers/{server}", {"profile": "one"})
        assert answer.status == 202, answer.text
    spawners = hub.app.users[name].spawners
    await until(hub, lambda: "number 2 in line" in spawners["third"].stage.sentence)
    assert "first in line" in spawners["second"].stage.sentence
    answer = await visitor.api("DELETE", f"users/{name}/server")
    assert answer.status in (202, 204), answer.text
    await until(hub, lambda: spawners["second"].ready)
    await visitor.post_form(f"hub/gpuspawner/cancel/{name}/third", {"then": "home"})
    await visitor.api("DELETE", f"users/{name}/servers/second")
    await until(hub, lambda: not hub.pods_of(name))


async def test_where_nothing_is_full_nobody_waits(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("people")
    assert (await cards(hub, name))["one"] == ("free", "1 of 1 free, on 1 node", True)
    pod = await started(hub, name, "one")
    assert off(pod) == []
    assert spawner(hub, name).seconds_waited == 0
    other = new_name("people")
    assert (await cards(hub, other))["one"] == (
        "busy",
        "busy: none of 1 free; you can wait in line for up to 1 hour, nobody is ahead",
        True,
    )
    assert (await cards(hub, other))["one-now"] == ("busy", "busy: none of 1 free", False)
    told = await refusal(hub, other, "one-now")
    assert "The one at once cannot be started now. Busy: none of 1 free." in told["message"]


async def test_no_node_is_started_for_a_profile_that_refuses_or_waits(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names = [new_name("people") for _ in range(2)]
    found = await cards(hub, names[0])
    assert found["v100-refuse"][::2] == ("busy", False)
    assert found["v100-wait"][::2] == ("busy", True)
    assert found["v100-either"][::2] == ("can-start-node", True)
    told = await refusal(hub, names[0], "v100-refuse")
    assert told["status"] == 503
    assert "no new node is started for it" in told["message"]
    await waiting(hub, names[0], "v100-wait")
    answer = await hub.start_server(names[1], "v100-either")
    assert answer.status == 202, answer.text
    await until(hub, lambda: hub.pods_of(names[1]))
    assert waits(hub, names[0])


async def test_more_than_the_failure_limit_wait_in_vain_and_the_hub_stays_up(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_name("people")
    await started(hub, first, "one")
    monkeypatch.setattr(Profile, "longest_wait", 1)
    names = [new_name("people") for _ in range(6)]  # one more than the limit
    for name in names:
        await waiting(hub, name, "one")
    for name in names:
        assert (await failure_page(hub, name)).status == 503
    assert hub.failures == 0
