"""What axe finds on our pages: nothing, on those of JupyterHub something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from tests.hub import test_pending as pending
from tests.hub.conftest import HERE, Hub, configuration, running_hub

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .test_pending_page import SLOW, on_the_form, photograph, starting

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_IMAGE = """
  - slug: no-image
    title: An image that is not there
    kubespawner_override: {extra_annotations: {simcluster/fail: image}}
"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Findings = set[tuple[int, str, str, str]]
"""The look of the page, and the rule and the place of what axe complains of."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    directory = tmp_path_factory.mktemp("hub")
    catalog = pending.catalog_in(directory)
    text = catalog.read_text().replace("node_pools:\n", NO_IMAGE.lstrip("\n") + "node_pools:\n")
    catalog.write_text(text.replace("[v100, mute]", "[v100, no-image]"))
    description = ClusterDescription.parse((HERE / "cluster.yaml").read_text())
    async with SimCluster(description, state_dir=directory) as cluster:
        c = configuration(cluster, catalog)
        c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
        async with running_hub(cluster, c) as hub:
            yield hub


async def found(page: Page, name: str, context: str | None = None) -> Findings:
    """What axe complains of, in each look of the page or of a part of it."""
    findings: Findings = set()
    for width, scheme in product((360, 1280), SCHEMES):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        await photograph(page, f"{name}-{width}-{scheme}")
        results = await Axe().run(page, context)
        findings |= {
            (width, scheme, complaint["id"], " ".join(map(str, node["target"])))
            for complaint in results.response["violations"]
            for node in complaint["nodes"]
        }
    return findings


async def test_the_page_of_a_start_under_way_and_after_its_cancellation(
    browser: Browser, hub: Hub
) -> None:
    name = "gpu-users-waiting"
    async with starting(browser, hub, name, "v100", directly=True) as page:
        sentence = page.locator("#gpuspawner-sentence")
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(hub.app.config.JupyterHub, "extra_handlers", [])
            await page.reload()
            await expect(page.locator("#progress-bar")).to_be_visible()
            assert await found(page, "jupyterhubs-own"), "axe is of no use"
        await page.reload()
        await expect(sentence).to_have_text(pending.WAITS, timeout=SLOW)
        await page.locator("summary").click()
        assert await found(page, "waiting") == set()
        await pending.cancel(await hub.visitor(name), name)
        await expect(sentence).to_have_text("The start was cancelled.")
        assert await found(page, "cancelled") == set()


async def test_the_page_of_a_start_that_failed(browser: Browser, hub: Hub) -> None:
    async with starting(browser, hub, "gpu-users-failed", "no-image", directly=True) as page:
        await expect(page.locator("#gpuspawner-sentence")).to_contain_text("does not exist")
        assert await found(page, "failed") == set()


@pytest.mark.parametrize(
    ("last", "says_gone"),
    [
        pytest.param("gpu", False, id="with what was chosen last"),
        pytest.param("gone", True, id="with a last choice that is gone"),
    ],
)
async def test_the_form(browser: Browser, hub: Hub, last: str, *, says_gone: bool) -> None:
    name = f"gpu-users-{last}"
    await hub.visitor(name)
    hub.app.users[name].spawner.user_options = {"profile": last}
    async with on_the_form(browser, hub, name) as page:
        await expect(page.locator(".gpuspawner-notice")).to_have_count(int(says_gone))
        # The page around it is JupyterHub's.
        assert await found(page, f"form-{last}", context=".gpuspawner") == set()
