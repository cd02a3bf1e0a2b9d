"""The page of somebody who waits in line: what it says, and how one leaves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import HERE, Hub, configuration, running_hub

from gpuspawner.simcluster.apiserver.faults import Delay
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .test_pending_page import SLOW, current, overflow, photograph, starting, tab_to

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGAIN, LEAVE = "Leave the line and choose again", "Leave the line"
CLOSE = "You can close this page: your place is kept"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    description = ClusterDescription.load(HERE / "waiting_cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        c = configuration(cluster, HERE / "waiting_catalog.yaml")
        c.KubeSpawner.start_timeout = 60
        c.KubeSpawner.k8s_api_request_timeout = 20
        c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
        async with running_hub(cluster, c) as hub:
            yield hub


async def full(hub: Hub) -> str:
    """Somebody who has the only device, for two hours at most."""
    name = "people-owner"
    await hub.start_server(name, "timed")
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    return name


async def waits(page: Page) -> None:
    """Check that the page is that of somebody who waits in line."""
    sentence = page.locator("#gpuspawner-sentence")
    await expect(sentence).to_contain_text("You are first in line for The one.", timeout=SLOW)
    await expect(page.locator("h1")).to_have_text("Your server waits in line")
    await expect(page.locator("#gpuspawner-note")).to_contain_text(CLOSE)
    for words in (AGAIN, LEAVE):
        await expect(page.get_by_role("button", name=words, exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    await expect(current(page)).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_who_waits_is_told_and_leaves_by_keyboard(
    browser: Browser, hub: Hub, width: int, scheme: str
) -> None:
    first, name = await full(hub), f"people-{width}{scheme}"
    viewport = {"width": width, "height": 800}
    async with starting(
        browser, hub, name, "one", directly=True, viewport=viewport, color_scheme=scheme
    ) as page:
        await waits(page)
        at_the_latest = re.compile(r"That takes 2 hours.* at most, unless others take the room")
        await expect(page.locator("#gpuspawner-sentence")).to_have_text(at_the_latest)
        assert first not in await page.content()
        assert await overflow(page) <= 0
        await photograph(page, f"in-line-{width}-{scheme}")
        await tab_to(page, AGAIN)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/hub/spawn/{name}")
    assert not hub.app.users[name].spawner.active
    assert hub.pods_of(name) == []
    await hub.stop_server(first)


@pytest.mark.parametrize(
    ("options", "directly"),
    [
        pytest.param({}, True, id="with the stream of events"),
        pytest.param({}, False, id="behind a proxy that keeps the stream back"),
        pytest.param({"java_script_enabled": False}, False, id="without JavaScript"),
    ],
)
async def test_whose_turn_it_is_reads_of_a_start_and_comes_to_the_server(
    browser: Browser, hub: Hub, options: dict[str, Any], *, directly: bool
) -> None:
    first, name = await full(hub), f"people-turn{len(hub.app.users)}"
    async with starting(browser, hub, name, "one", directly=directly, **options) as page:
        await waits(page)
        slow = hub.cluster.faults.add(Delay(4), verb="create", resource="pods", times=None)
        await hub.stop_server(first)
        if not options:
            await expect(page.locator("h1")).to_have_text("Your server is starting", timeout=SLOW)
            await expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
            await expect(page.locator("#gpuspawner-note")).not_to_contain_text(CLOSE)
            await expect(current(page)).to_be_visible()
        await page.wait_for_url(f"**/user/{name}/**", timeout=SLOW)
        hub.cluster.faults.remove(slow)
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    await hub.stop_server(name)
