"""What axe finds on the whole spawn page: less than on JupyterHub's own with the same profiles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
import pytest_asyncio
import yaml
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import NAMESPACE, Hub, configuration, running_hub

from gpuspawner.simcluster.cluster import SimCluster

from .spawn_page import CATALOG, LOOKS, full_cluster, photograph, radio, silent, wear
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")

Findings = set[tuple[int, str, str, str]]
"""The look of the page, and the rule and the place of what axe complains of."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SimCluster]:
    del browser  # where there is none, no hub is started
    async with full_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def stock_profiles() -> list[dict[str, object]]:
    """The catalog's profiles as KubeSpawner's own form offers them."""
    profiles = []
    for profile in yaml.safe_load(CATALOG.read_text())["profiles"]:
        images = {
            image["slug"]: {"display_name": image["title"]} for image in profile.get("images", [])
        }
        options = {"image": {"display_name": "Image", "choices": images}} if images else {}
        profiles.append(
            {
                "slug": profile["slug"],
                "display_name": profile["title"],
                "description": profile.get("description", ""),
                "default": profile.get("default", False),
                "profile_options": options,
            }
        )
    return profiles


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stock(browser: Browser, cluster: SimCluster) -> Findings:
    """What axe complains of on the same JupyterHub's own page."""
    c = configuration(cluster)
    del c.JupyterHub.template_paths
    del c.JupyterHub.extra_handlers
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.KubeSpawner.profile_list = stock_profiles()
    c.KubeSpawner.namespace = NAMESPACE
    async with (
        running_hub(cluster, c) as hub,
        on_the_form(browser, hub, "researchers-stock") as page,
    ):
        await expect(page.locator("input[name=profile]")).to_have_count(9)
        return await found(page, "stock")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, stock: Findings) -> AsyncIterator[Hub]:
    del stock  # there is one hub at a time
    async with running_hub(cluster, configuration(cluster, CATALOG)) as hub:
        yield hub


async def found(page: Page, name: str) -> Findings:
    """What axe complains of, in each look of the whole page."""
    findings: Findings = set()
    for width, scheme in LOOKS:
        await wear(page, width, scheme)
        await photograph(page, f"axe-{name}-{width}-{scheme}")
        results = await Axe().run(page)
        findings |= {
            (width, scheme, complaint["id"], " ".join(map(str, node["target"])))
            for complaint in results.response["violations"]
            for node in complaint["nodes"]
        }
    return findings


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("", id="with every standing"),
        pytest.param("notice", id="with a last choice that cannot be started"),
        pytest.param("search", id="with a search that finds nothing"),
        pytest.param("unknown", id="while the cluster does not answer"),
        pytest.param("error", id="after a start that was refused"),
    ],
)
async def test_it_has_nothing_to_complain_of_but_what_jupyterhub_has_too(
    browser: Browser, hub: Hub, stock: Findings, state: str
) -> None:
    name = f"researchers-{state or 'normal'}"
    await hub.visitor(name)
    last = {"profile": "h100"} if state == "notice" else {"profile": "a100"}
    hub.app.users[name].spawner.user_options = last
    async with on_the_form(browser, hub, name) as page:
        with silent(hub) if state == "unknown" else nullcontext():
            await page.reload()
            await expect(radio(page, "a100")).to_be_checked()
            if state == "search":
                await page.locator("#gpuspawner-query").fill("no such thing")
            if state == "error":
                await page.evaluate("document.getElementById('gpuspawner-a100').value = 'h100'")
                await page.get_by_role("button", name="Start").click()
                await expect(page.get_by_role("alert")).to_be_visible()
            findings = await found(page, state or "normal")
    assert findings <= stock
    assert len(findings) < len(stock)
