"""KubeSpawner's own profile_list beside the catalog, through every door."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner import profile_list
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import Hub, cards, configuration, running_hub
from .doors import (
    DOORS,
    FORM,
    Door,
    Options,
    api_as_in_jupyterhub_6,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFERS = "gpuspawner/offers"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>' \""
GPU = "nvidia.com/gpu"
GPU_PLACE: dict[str, Any] = {
    "node_selector": {"accelerator": "nvidia"},
    "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
}
LISTED: list[dict[str, Any]] = [
    {
        "display_name": "Sized (stock)",
        "description": HOSTILE,
        "kubespawner_override": {"environment": {"OF": "entry", "ENTRY": "1"}, "cpu_limit": 1},
        "profile_options": {
            "size": {
                "display_name": HOSTILE,
                "choices": {
                    "small": {
                        "display_name": "Small",
                        "kubespawner_override": {"environment": {"OF": "small"}},
                    },
                    "large": {
                        "display_name": "Large",
                        "default": True,
                        "kubespawner_override": {"environment": {"OF": "large"}, "cpu_limit": 2},
                    },
                    "gpu": {
                        "display_name": "With a GPU",
                        "allowed_groups": ["gpu-users"],
                        "kubespawner_override": {"extra_resource_limits": {GPU: "1"}, **GPU_PLACE},
                    },
                    "huge": {
                        "display_name": "With five",
                        "kubespawner_override": {"extra_resource_limits": {GPU: "5"}, **GPU_PLACE},
                    },
                },
            },
            "image": {
                "display_name": "Image",
                "choices": {"plain": {"kubespawner_override": {"image": "example/plain:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Reference",
                    "validation_regex": "[a-z]+/[a-z]+:[0-9]+",
                    "validation_message": "Write it as example/name:1",
                    "kubespawner_override": {
                        "image": "{value}",
                        "environment": {"WRITTEN": "{value}"},
                    },
                },
            },
        },
    },
    {
        "display_name": "Gated",
        "allowed_groups": ["gpu-users"],
        "accelerator": "gpu",
        "kubespawner_override": {"extra_resource_limits": {GPU: "1"}, **GPU_PLACE},
    },
    {"display_name": "Misspelt", "allowed_group": ["gpu-users"]},
    {"display_name": "CPU", "slug": "cpu", "kubespawner_override": {"image": "example/other:1"}},
]
WRITTEN = {"profile": "sized-stock", "size": "small", "image--unlisted-choice": "mine/own:7"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    c = configuration(cluster)
    c.KubeSpawner.profile_list = LISTED
    async with running_hub(cluster, c) as hub:
        yield hub


def environment(pod: Object) -> dict[str, str]:
    (container,) = pod["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def gpus(pod: Object) -> str | None:
    (container,) = pod["spec"]["containers"]
    asked: str | None = container["resources"].get("limits", {}).get(GPU)
    return asked


async def started(hub: Hub, name: str, options: Options, door: Door | None = None) -> Object:
    """The pod of a start, stopped again."""
    knock = door.knock if door is not None else api_as_in_jupyterhub_6
    answer = await knock(hub, name, options)
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    await hub.stop_server(name, door.server if door is not None else "")
    return pod


async def refusal(hub: Hub, name: str, options: Options, status: int = 403) -> str:
    answer = await api_as_in_jupyterhub_6(hub, name, options)
    assert answer.status == status, answer.text
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    message: str = json.loads(answer.text)["message"]
    return message


@pytest.mark.parametrize("door", [pytest.param(door, id=door.title) for door in DOORS if door.asks])
async def test_an_entry_starts_with_what_was_chosen(
    hub: Hub, door: Door, new_name: Callable[[str], str]
) -> None:
    pod = await started(hub, new_name("students"), WRITTEN, door)
    found = environment(pod)
    assert (found["OF"], found["ENTRY"], found["WRITTEN"]) == ("small", "1", "mine/own:7")
    assert pod["spec"]["containers"][0]["image"] == "mine/own:7"
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "sized-stock"


@pytest.mark.parametrize("door", [pytest.param(door, id=door.title) for door in DOORS if door.asks])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"profile": "gated"}, id="an entry"),
        pytest.param({"profile": "sized-stock", "size": "gpu"}, id="a choice"),
        pytest.param({"profile": "misspelt"}, id="an entry with a mistake"),
        pytest.param(
            {"profile": "sized-stock", "image--unlisted-choice": "mine/own:7; rm"}, id="a text"
        ),
    ],
)
async def test_what_is_closed_to_a_person_is_so_at_every_door(
    hub: Hub, door: Door, options: Options, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    answer = await door.knock(hub, name, options)
    assert hub.pods_of(name) == []
    assert hub.failures == 0
    # JupyterHub answers a link with the form.
    assert answer.status == 403 or not door.is_api
    assert "Choose one of those on the spawn page" in answer.text


async def test_words_on_its_choices_do_not_tell_what_a_closed_profile_is(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    closed = await refusal(hub, name, {"profile": "gpu", "image": "gone"})
    none = await refusal(hub, name, {"profile": "upg", "image": "gone"})
    assert closed == none.replace("upg", "gpu")
    # What the page of a start names, as long as it is under way.
    spawner = hub.app.users[name].spawner
    spawner.user_options = {"profile": "gpu"}
    assert spawner.profile_title == ""


async def test_whom_they_are_open_to_starts_them(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    assert gpus(await started(hub, name, {"profile": "gated"})) == "1"
    assert gpus(await started(hub, name, {"profile": "sized-stock", "size": "gpu"})) == "1"


async def test_nothing_of_one_start_is_in_the_next(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    first = {**WRITTEN, "size": "gpu"}
    for options in (first, {"profile": "cpu"}, {"profile": "sized-stock"}):
        pod = await started(hub, name, options)
        found = environment(pod)
        is_first, is_cpu = options is first, options["profile"] == "cpu"
        assert (gpus(pod), "WRITTEN" in found) == (("1", True) if is_first else (None, False))
        assert found.get("OF") == ("entry" if is_first else None if is_cpu else "large")
        assert any(t.get("key") == GPU for t in pod["spec"].get("tolerations", ())) is is_first
    assert pod["spec"]["containers"][0]["image"] == "example/plain:1"


async def test_a_choice_that_does_not_fit_is_refused_with_words_at_the_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    found = await cards(hub, name)
    assert found["sized-stock"][0] == "free"
    message = await refusal(hub, name, {"profile": "sized-stock", "size": "huge"}, 422)
    assert message.startswith("Sized (stock) cannot be started.")
    assert message.endswith("[never-fits]")


async def test_the_page_shows_what_is_open_and_no_more(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    students, users = new_name("students"), new_name("gpu-users")
    assert list(await cards(hub, students)) == ["cpu", "sized-stock"]
    assert list(await cards(hub, users)) == ["cpu", "sized-stock", "gpu", "gated", "huge"]
    text = {name: (await hub.visitors[name].get("hub/spawn")).text for name in (students, users)}
    assert "With a GPU" not in text[students]
    assert "With a GPU" in text[users]
    assert "alert(1)</script>" not in text[students]
    assert "&lt;img src=x onerror=alert(1)&gt;" in text[students]


async def test_the_api_shows_what_the_page_does(hub: Hub, new_name: Callable[[str], str]) -> None:
    visitor = await hub.visitor(new_name("students"))
    answer = await visitor.api("GET", OFFERS)
    offers = {offer["slug"]: offer for offer in json.loads(answer.text)["offers"]}
    assert list(offers) == ["cpu", "sized-stock"]
    assert offers["cpu"]["title"] == "Plain CPU"
    size, image = offers["sized-stock"]["options"]
    assert [choice["slug"] for choice in size["choices"]] == ["small", "large", "huge"]
    assert [choice["slug"] for choice in size["choices"] if choice["default"]] == ["large"]
    assert image["unlisted"]["pattern"] == "[a-z]+/[a-z]+:[0-9]+"
    assert offers["sized-stock"]["description"] == HOSTILE
    assert "example/plain" not in answer.text


async def test_nothing_asked_for_is_the_catalog_s_default(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    pod = await started(hub, new_name("students"), {})
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "cpu"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"size": "xl"}, "has no choice 'xl' of", id="an unknown choice"),
        pytest.param({"size": {"a": 1}}, "has no choice {'a': 1} of", id="an object"),
        pytest.param(
            {"image--unlisted-choice": "x" * 100_000}, "at most 512 characters", id="a huge text"
        ),
        pytest.param(
            {"image--unlisted-choice": "{username.__class__}"}, "without braces", id="a template"
        ),
        pytest.param({"image--unlisted-choice": ["a/b:1"]}, "takes as Reference", id="a list"),
        pytest.param(
            {"image--unlisted-choice": "nothing"}, "Write it as example/name:1.", id="not as it is"
        ),
        pytest.param({"size--unlisted-choice": "x"}, "nothing but the listed", id="not enabled"),
    ],
)
async def test_hostile_options_are_refused_with_short_words(
    hub: Hub, options: Options, words: str, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    message = await refusal(hub, name, {"profile": "sized-stock", **options})
    assert words in message
    assert len(message) < 500


async def test_a_mistake_is_in_the_log_with_its_remedy(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    profile_list._last_logged.clear()
    for _ in range(2):
        await cards(hub, new_name("students"))
    said = [record.message for record in caplog.records if "profile_list[" in record.message]
    assert said == [
        "profile_list[2] ('Misspelt'): allowed_group: unknown key; did you mean 'allowed_groups'? "
        "(offered to nobody until then)",
        "profile_list[3] ('CPU'): slug: the slug 'cpu' is taken by the catalog, which stays; write "
        "another slug (offered to nobody until then)",
    ]


async def test_a_text_that_a_form_sends_beside_another_choice_is_not_meant(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """Without JavaScript a text field is sent whatever was chosen."""
    options = {"profile": "sized-stock", "image": "plain", "image--unlisted-choice": "left over"}
    pod = await started(hub, new_name("students"), options, FORM)
    assert pod["spec"]["containers"][0]["image"] == "example/plain:1"


async def test_a_function_in_an_override_is_asked_for_each_page(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name, gpus_now = new_name("students"), ["1"]
    override = {"extra_resource_limits": lambda _: {GPU: gpus_now[0]}, **GPU_PLACE}
    await cards(hub, name)
    hub.app.users[name].spawner.profile_list = [
        {"display_name": "E", "accelerator": "gpu", "kubespawner_override": override}
    ]
    assert (await cards(hub, name))["e"][0] == "free"
    gpus_now[0] = "5"
    assert (await cards(hub, name))["e"][0] == "never"


async def test_a_function_is_asked_for_each_page_and_start_and_not_for_each_look_of_an_open_one(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    asked = []

    def listed(spawner: Any) -> list[dict[str, Any]]:
        asked.append(spawner.user.name)
        return [{"display_name": "E"}]

    name = new_name("students")
    await hub.visitor(name)
    spawner = hub.app.users[name].spawner
    spawner.profile_list = listed
    for page in (1, 2):
        assert list(await cards(hub, name)) == ["cpu", "e"]
        before = spawner.catalog
        for _ in range(3):
            await spawner.offers()
        assert spawner.catalog is before
        assert asked == [name] * page
    await spawner.run_pre_spawn_hook()
    assert len(asked) == 3


async def test_a_list_that_a_hook_writes_into_counts_as_it_is_then(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """As in KubeSpawner, which copies it at each start."""
    shared: list[dict[str, Any]] = [{"display_name": "One"}]
    name = new_name("students")
    await hub.visitor(name)
    spawner = hub.app.users[name].spawner
    spawner.profile_list = lambda _: shared
    assert list(await cards(hub, name)) == ["cpu", "one"]
    shared.append({"display_name": "Two", "allowed_groups": ["students"]})
    assert list(await cards(hub, name)) == ["cpu", "one", "two"]
    shared[1]["allowed_groups"] = ["gpu-users"]
    assert list(await cards(hub, name)) == ["cpu", "one"]


async def test_pages_of_the_hub_stand_whatever_the_list_is(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """JupyterHub asks on each whether there is a form, for which KubeSpawner renders its own."""
    name = new_name("students")
    visitor = await hub.visitor(name)
    spawner = hub.app.users[name].spawner
    spawner.profile_list = [
        {"description": "of no name"},
        {
            "display_name": "Written",
            "profile_options": {"note": {"unlisted_choice": {"enabled": True}}},
        },
    ]
    # As for who comes for the first time with that list.
    spawner._trait_values.pop("options_form", None)
    for page in ("hub/home", "hub/spawn"):
        answer = await visitor.get(page)
        assert answer.status == 200
        assert "options_form: true" in answer.text
    assert 'name="profile-option-written--note--unlisted-choice"' in answer.text


async def test_how_long_one_may_wait_is_known_before_the_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """JupyterHub reads the time that a start has as soon as `start` has returned."""
    name, heard = new_name("students"), []

    async def hook(spawner: Any) -> None:
        await asyncio.sleep(0)
        heard.append(spawner)

    await hub.visitor(name)
    spawner = hub.app.users[name].spawner
    spawner.profile_list = lambda _: [{"display_name": "E", "when_full": "wait"}]
    spawner.user_options, spawner.pre_spawn_hook = {"profile": "e"}, hook
    assert spawner.longest_wait == 0
    await spawner.run_pre_spawn_hook()
    assert (spawner.longest_wait, heard) == (3600, [spawner])


async def test_a_function_gives_each_person_a_list(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    async def listed(spawner: Any) -> list[dict[str, Any]]:
        await asyncio.sleep(0)
        title = f"Of {spawner.user.name}"
        return [{"display_name": title, "slug": "own", "when_full": "wait"}]

    name = new_name("students")
    await hub.visitor(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(hub.app.config.KubeSpawner, "profile_list", listed)
        assert list(await cards(hub, name)) == ["cpu", "sized-stock"]
        hub.app.users[name].spawners.clear()
        assert list(await cards(hub, name)) == ["cpu", "own"]
        assert f"Of {name}" in (await hub.visitors[name].get("hub/spawn")).text
        pod = await started(hub, name, {"profile": "own"})
        assert pod["metadata"]["labels"]["gpuspawner/profile"] == "own"
    hub.app.users[name].spawners.clear()


def failing(_: Any) -> list[dict[str, Any]]:
    raise RuntimeError("secret: the group server does not answer")


async def test_a_function_that_raises_takes_nothing_of_the_catalog_away(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    name = new_name("students")
    await hub.visitor(name)
    profile_list._last_logged.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(hub.app.config.KubeSpawner, "profile_list", failing)
        hub.app.users[name].spawners.clear()
        assert list(await cards(hub, name)) == ["cpu"]
        pod = await started(hub, name, {})
        assert pod["metadata"]["labels"]["gpuspawner/profile"] == "cpu"
        message = await refusal(hub, name, {"profile": "sized-stock"}, 503)
    hub.app.users[name].spawners.clear()
    assert message.startswith("The list of server profiles cannot be read at the moment.")
    assert message.endswith("[misconfigured]")
    errors = [r for r in caplog.records if r.levelno == logging.ERROR and "secret" in r.message]
    assert len(errors) == 1
