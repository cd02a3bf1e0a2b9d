"""The options of a stock profile_list in a browser, with a script and without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import HERE, PASSWORD, Hub, configuration, running_hub
from tests.hub.test_live import neighbour
from tests.hub.test_profile_list import GPU, GPU_PLACE

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED: list[dict[str, Any]] = [
    {
        "display_name": "Sized",
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {"plain": {"kubespawner_override": {"image": "example/plain:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Reference",
                    "validation_regex": "[a-z]+/[a-z]+:[0-9]+",
                    "kubespawner_override": {"image": "{value}"},
                },
            }
        },
    },
    {
        "display_name": "Written",
        "kubespawner_override": {"extra_resource_limits": {GPU: "1"}, **GPU_PLACE},
        "profile_options": {"note": {"unlisted_choice": {"enabled": True}}},
    },
]
WRITTEN = "#profile-option-sized--image--unlisted-choice"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    description = ClusterDescription.load(HERE / "cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        c = configuration(cluster)
        c.KubeSpawner.profile_list = LISTED
        async with running_hub(cluster, c) as hub:
            yield hub


async def spawn_page(hub: Hub, page: Page, name: str) -> None:
    await page.goto(f"{hub.base}hub/login?next=/base/hub/spawn")
    await page.fill("#username_input", name)
    await page.fill("#password_input", PASSWORD)
    await page.click("#login_submit")
    await page.wait_for_url("**/hub/spawn")
    await page.check("#gpuspawner-sized")


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without one"])
async def test_what_is_written_is_what_starts(hub: Hub, browser: Browser, script: bool) -> None:
    name = f"students-{1 + script}"
    page = await browser.new_page(java_script_enabled=script)
    await spawn_page(hub, page, name)
    assert await page.is_hidden(WRITTEN)
    await page.select_option("#profile-option-sized--image", "unlisted-choice")
    assert await page.is_visible(WRITTEN)
    await page.fill(WRITTEN, "not an image")
    await page.click("#spawn_form [type=submit]")
    assert await page.locator(f"{WRITTEN}:invalid").count() == 1
    # A field that holds up the form must be seen, whatever else is chosen.
    await page.check("#gpuspawner-cpu")
    assert await page.is_visible(WRITTEN)
    assert hub.pods_of(name) == []
    await page.check("#gpuspawner-sized")
    await page.fill(WRITTEN, "mine/own:7")
    await page.click("#spawn_form [type=submit]")
    await hub.cluster.wait_until(lambda: len(hub.pods_of(name)) == 1, 30)
    (pod,) = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["image"] == "mine/own:7"
    await page.close()
    await hub.visitor(name)
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    await hub.stop_server(name)


async def test_what_has_to_be_written_can_be_once_there_is_room(hub: Hub, browser: Browser) -> None:
    page = await browser.new_page()
    with neighbour(hub, 2):
        await spawn_page(hub, page, "students-3")
        await expect(page.locator("#gpuspawner-written")).to_be_disabled()
        field = page.locator("#profile-option-written--note--unlisted-choice")
        await expect(field).to_be_disabled()
    await expect(page.locator("#gpuspawner-written")).to_be_enabled(timeout=20_000)
    await expect(field).to_be_enabled()
    await page.close()
