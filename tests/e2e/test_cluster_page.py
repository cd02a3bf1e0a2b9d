"""The page of the cluster in a browser: what axe finds, how it fits, and that it stays in place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import NAMESPACE, Hub, configuration, running_hub
from tests.hub.states import CATALOG, DESCRIPTION, OURS, arrange, theirs

from gpuspawner.capacity import shared
from gpuspawner.simcluster.apimachinery.resources import RESOURCEQUOTAS
from gpuspawner.simcluster.cluster import SimCluster

from .spawn_page import wear
from .test_admin_pages import is_as_it_should
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN = "admins-0"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    async with SimCluster(DESCRIPTION, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        arrange(cluster)
        quota = {"metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "40"}}}
        cluster.store.create(RESOURCEQUOTAS, NAMESPACE, quota)
        async with running_hub(cluster, configuration(cluster, CATALOG)) as hub:
            for name, profile in OURS.items():
                answer = await hub.start_server(name, profile)
                assert answer.status in (201, 202), answer.text
            yield hub
            for name in OURS:
                await hub.stop_server(name)


async def open_page(page: Page, hub: Hub) -> None:
    await page.goto(f"{hub.base}hub/gpuspawner/cluster")
    await expect(page.locator("h1")).to_be_visible()


async def test_axe_finds_nothing_and_all_of_it_fits(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        await page.get_by_role("link", name="GPU cluster").click()
        await expect(page.locator("#nodes")).to_contain_text("MIG is being reconfigured")
        await expect(page.locator("#quotas")).to_contain_text("of 40 GPUs taken")
        await page.locator("details summary").first.click()
        await is_as_it_should(page, "cluster")


async def test_its_tables_have_room_in_a_narrow_window(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        await wear(page, 360, "light")
        await open_page(page, hub)
        rights = "(cells) => cells.map((cell) => cell.getBoundingClientRect().right)"
        found = await page.locator(".gpuspawner-facts td").evaluate_all(rights)
        assert found
        assert max(found) <= 360
        # What a cell is about is said beside it, and it is a cell to those who hear it.
        row = page.get_by_role("table", name="The watch").get_by_role("row", name="resourcequotas")
        await expect(row.get_by_role("cell").nth(2)).to_have_text("none")
        await expect(row.get_by_role("cell").nth(2)).to_have_attribute(
            "data-label", "Interruptions"
        )


def taken_of(node: str) -> int:
    """How many GPUs the hub knows to be asked for."""
    (entry,) = shared._shared[asyncio.get_running_loop()].values()
    return entry.snapshot().nodes[node].requested.get("nvidia.com/gpu", 0)


async def test_it_follows_the_cluster_and_stays_where_the_reader_is(
    browser: Browser, hub: Hub
) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        await open_page(page, hub)
        summary = page.locator("details summary").first
        await summary.click()
        await summary.focus()
        await page.evaluate("window.scrollTo(0, 300)")
        free = page.get_by_role("img", name="dgx-1").locator(".gpuspawner-u-free")
        before = await free.count()
        theirs(hub.cluster, "dgx-1", "nvidia.com/gpu", 1, first=90)
        await hub.cluster.wait_until(lambda: taken_of("dgx-1") == 6, 10)
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(free).to_have_count(before - 1)
        await expect(page.locator("details").first).to_have_attribute("open", "")
        await expect(summary).to_be_focused()
        assert await page.evaluate("window.scrollY") == 300


async def test_without_javascript_a_link_reloads_it(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN, java_script_enabled=False) as page:
        await open_page(page, hub)
        await page.get_by_role("link", name="Reload").click()
        await expect(page.locator("#holdings")).to_contain_text("anna-1")
        await expect(page.locator("#holdings")).to_contain_text("mig-1")


async def test_a_silent_cluster_is_unknown(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        (entry,) = shared._shared[asyncio.get_running_loop()].values()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(entry.watch, "_clock", lambda: time.monotonic() + 300)
            await open_page(page, hub)
            await expect(page.get_by_role("alert")).to_contain_text("does not answer")
            assert await page.locator(".gpuspawner-u-free").count() == 0
            await is_as_it_should(page, "cluster-silent")
