"""KubeSpawner's own profile_list on a hub without a catalog."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.offering import DEFAULT_CATALOG
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import Hub, cards, configuration, running_hub
from .doors import api_with_nothing_asked_for, form_with_nothing_chosen, query_link

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED: list[dict[str, Any]] = [
    {"display_name": "For some", "allowed_groups": ["gpu-users"]},
    {"display_name": "For all"},
]
GIVEN: dict[str, Any] = {"now": LISTED}
MISTAKEN = "some are left out because of a mistake in their configuration"
FAILS = "The list of server profiles cannot be read at the moment."


def given(_: Any) -> Any:
    """What the operator's function gives: what the test says."""
    if isinstance(GIVEN["now"], Exception):
        raise GIVEN["now"]
    return GIVEN["now"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    c = configuration(cluster)
    c.GPUSpawner.catalog_file = DEFAULT_CATALOG
    c.KubeSpawner.profile_list = given
    async with running_hub(cluster, c) as hub:
        yield hub


async def test_the_list_is_all_there_is(hub: Hub, new_name: Callable[[str], str]) -> None:
    found = await cards(hub, new_name("gpu-users"))
    assert list(found) == ["for-some", "for-all"]
    assert list(await cards(hub, new_name("students"))) == ["for-all"]


@pytest.mark.parametrize("knock", [api_with_nothing_asked_for, form_with_nothing_chosen])
async def test_nothing_asked_for_is_the_default_entry_for_whom_it_is_open(
    hub: Hub, knock: Any, new_name: Callable[[str], str]
) -> None:
    name, closed_to = new_name("gpu-users"), new_name("students")
    answer = await knock(hub, name, {})
    assert answer.status < 400, answer.text
    (pod,) = hub.pods_of(name)
    assert pod["metadata"]["labels"]["gpuspawner/profile"] == "for-some"
    await hub.stop_server(name)
    answer = await knock(hub, closed_to, {})
    assert answer.status == 403, answer.text
    assert "the default one is not open to this account" in answer.text
    assert hub.pods_of(closed_to) == []


@pytest.mark.parametrize(
    ("now", "status", "words"),
    [
        pytest.param(RuntimeError("secret"), 503, FAILS, id="raises"),
        pytest.param([], 403, "No server profile is open to this account", id="gives nothing"),
        pytest.param(None, 403, "No server profile is open to this account", id="gives None"),
        pytest.param(7, 503, MISTAKEN, id="gives a number"),
        pytest.param(
            [{"display_name": "E", "allowed_group": []}],
            503,
            MISTAKEN,
            id="gives nothing but a mistake",
        ),
    ],
)
async def test_a_function_without_a_list_starts_nothing(
    hub: Hub, now: Any, status: int, words: str, new_name: Callable[[str], str]
) -> None:
    """KubeSpawner starts its bare base pod where its list is empty."""
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GIVEN, "now", now)
        page = await visitor.get("hub/spawn")
        assert page.status == status
        assert words in page.text
        answer = await visitor.api("GET", "gpuspawner/offers")
        assert words in json.loads(answer.text)["message"]
        for options in ({}, {"profile": "for-all"}):
            body = {"user_options": options}
            answer = await visitor.api("POST", f"users/{name}/server", body)
            assert answer.status == status, answer.text
        answer = await query_link(hub, name, {"profile": "for-all"})
        assert "secret" not in page.text + answer.text
    assert hub.pods_of(name) == []
    assert hub.failures == 0


async def test_a_list_that_is_back_is_offered(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    await hub.visitor(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GIVEN, "now", RuntimeError("injected"))
        assert (await hub.visitors[name].get("hub/spawn")).status == 503
    assert list(await cards(hub, name)) == ["for-all"]
