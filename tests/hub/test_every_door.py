"""Every way to start a server, and what is asked for; `test_doors_and_refusals` has the noes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gpuspawner import GPUSpawner

from .conftest import Hub
from .doors import (
    DOORS,
    Door,
    Options,
    api_as_in_jupyterhub_5,
    api_as_in_jupyterhub_6,
    form,
    query_link,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("door", [pytest.param(door, id=door.title) for door in DOORS if door.asks])
async def test_a_profile_starts_for_whom_it_is_allowed(
    hub: Hub, door: Door, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await door.knock(hub, name, {"profile": "gpu", "image": "nightly"})
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"] == "example/torch:2"
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "gpu"
    await hub.stop_server(name, door.server)


async def test_who_is_allowed_nothing_gets_words_instead_of_a_form(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(new_name("nobody"))
    answer = await visitor.get("hub/spawn")
    assert answer.status == 403
    assert "No server profile is open to this account" in answer.text


async def test_no_options_start_the_default_profile_for_whom_it_is_allowed(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    answer = await api_as_in_jupyterhub_5(hub, name, {})
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "cpu"
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    await hub.stop_server(name)


@pytest.mark.parametrize("body", [None, {}, {"user_options": None}, {"user_options": {}}])
async def test_no_options_start_nothing_for_whom_the_default_is_not_allowed(
    hub: Hub, body: Any, new_name: Callable[[str], str]
) -> None:
    name = new_name("nobody")
    visitor = await hub.visitor(name)
    answer = await visitor.api("POST", f"users/{name}/server", body)
    assert answer.status == 403, answer.text
    assert "default one is not open to this account" in answer.text
    assert hub.pods_of(name) == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"profile": "gpu", "image": "latest"}, id="an image that is not in the list"),
        pytest.param({"profile": "cpu", "image": "stable"}, id="an image of another profile"),
        pytest.param(
            {"profile": "gpu", "image--unlisted-choice": "evil/image", "image": "evil/image"},
            id="KubeSpawner's unlisted choice",
        ),
        pytest.param({"profile": "no-such"}, id="a profile that is not in the catalog"),
        pytest.param({"profile": ["gpu"]}, id="a list for a profile"),
        pytest.param({"profile": {"slug": "gpu"}}, id="an object for a profile"),
        pytest.param({"profile": 1}, id="a number for a profile"),
        pytest.param({"profile": True}, id="a boolean for a profile"),
        pytest.param({"profile": "x" * 100_000}, id="a very long profile"),
        pytest.param({"profile": "gpu\x00"}, id="a control character"),
        pytest.param({"profile": "GPU"}, id="the right slug in upper case"),
        pytest.param({"profile": "gpu", "image": ["stable"]}, id="a list for an image"),
    ],
)
async def test_what_the_catalog_does_not_have_is_refused_with_words(
    hub: Hub, options: Options, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await api_as_in_jupyterhub_6(hub, name, options)
    assert answer.status == 403, answer.text
    assert "Choose one of those on the spawn page" in answer.text
    assert len(answer.text) < 1000
    assert hub.pods_of(name) == []
    assert hub.failures == 0


async def test_options_that_the_catalog_does_not_know_change_nothing(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    options = {"profile": "cpu", "extra_resource_limits": {"nvidia.com/gpu": 2}, "mem_limit": "9G"}
    answer = await api_as_in_jupyterhub_6(hub, name, options)
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"cpu": 1.0, "memory": 2**30}
    await hub.stop_server(name)


async def test_a_group_that_was_taken_away_counts_at_the_next_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    assert "One GPU" in (await visitor.get("hub/spawn")).text
    hub.app.users[name].orm_user.groups = []
    hub.app.db.commit()
    answer = await form(hub, name, {"profile": "gpu"})
    assert answer.status == 403
    assert hub.pods_of(name) == []


async def test_an_admin_sees_what_the_other_person_may_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    await hub.visitor(name)
    admin = await hub.visitor("admins-0")
    answer = await admin.get(f"hub/spawn/{name}")
    assert f"The server is for {name}." in answer.text
    assert 'value="cpu"' in answer.text
    assert 'value="gpu"' not in answer.text


async def test_a_refusal_after_four_failures_neither_ends_the_hub_nor_lifts_its_limit(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    name = new_name("students")
    await hub.visitor(name)
    hub.app.tornado_settings["failure_count"] = 4
    answer = await api_as_in_jupyterhub_6(hub, name, {"profile": "gpu"})
    assert answer.status == 403
    assert hub.failures == 4
    assert "Aborting" not in caplog.text
    assert hub.app.users[name].spawner.consecutive_failure_limit == 5
    hub.app.tornado_settings["failure_count"] = 0


async def test_what_is_not_allowed_is_refused_without_a_look_at_the_cluster(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(*_: object) -> None:
        raise AssertionError("looked at the cluster")

    monkeypatch.setattr(GPUSpawner, "_situation", look)
    answer = await form(hub, new_name("nobody"), {"profile": "cpu"})
    assert answer.status == 403
    answer = await api_as_in_jupyterhub_6(hub, new_name("students"), {"profile": "gpu"})
    assert answer.status == 403


async def test_the_last_choice_is_chosen_again(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    hub.app.users[name].spawner.user_options = {"profile": "gpu", "image": "nightly"}
    text = " ".join((await visitor.get("hub/spawn")).text.split())
    assert re.search(r'value="gpu" aria-describedby="[^"]*" checked', text)
    assert '<option value="nightly" selected>' in text


async def test_a_last_choice_that_the_catalog_has_no_more_is_told(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    assert "What you chose last" not in (await visitor.get("hub/spawn")).text
    hub.app.users[name].spawner.user_options = {"profile": "<b>gone</b>"}
    text = (await visitor.get("hub/spawn")).text
    assert "What you chose last is not offered to you any more." in text
    assert "gone</b>" not in text


async def test_a_refused_choice_does_not_stick(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    for profile in ("gpu", "no-such"):
        assert (await form(hub, name, {"profile": profile})).status == 403
        assert (await query_link(hub, name, {"profile": profile})).status == 403
    answer = await api_as_in_jupyterhub_5(hub, name, {})
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "cpu"
    await hub.stop_server(name)


async def test_a_link_can_name_an_image_as_the_api_does(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    refused = await visitor.get("hub/spawn?profile=gpu&image=latest")
    assert "has no image" in refused.text
    assert hub.pods_of(name) == []
    await visitor.get("hub/spawn?profile=gpu&image=nightly")
    (pod,) = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["image"] == "example/torch:2"
    await hub.stop_server(name)
