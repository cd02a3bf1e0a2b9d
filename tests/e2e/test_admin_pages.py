"""The admins' pages in a browser: what axe finds, how they fit, and an edit without JavaScript."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Dialog, Page, expect
from tests.hub.conftest import Hub, configuration, running_hub
from traitlets.config import Config

from gpuspawner.access import PAGE
from gpuspawner.offering import DEFAULT_CATALOG
from gpuspawner.simcluster.cluster import SimCluster

from .spawn_page import CATALOG, LOOKS, full_cluster, photograph, wear
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN = "admins-0"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    catalog.write_text(CATALOG.read_text())
    async with (
        full_cluster(tmp_path_factory.mktemp("cluster")) as cluster,
        running_hub(cluster, configured(cluster, catalog)) as hub,
    ):
        for name in ("researchers-1", "students-2"):
            await hub.visitor(name)
        yield hub


def configured(cluster: SimCluster, catalog: Path) -> Config:
    config = configuration(cluster, catalog)
    config.GPUSpawner.access_mode = PAGE
    return config


async def open_page(page: Page, hub: Hub, path: str) -> None:
    await page.goto(f"{hub.base}hub/gpuspawner/admin{path}")


async def is_as_it_should(page: Page, name: str) -> None:
    """Nothing that axe complains of, and nothing wider than the window, in each look."""
    for width, scheme in LOOKS:
        await wear(page, width, scheme)
        await photograph(page, f"admin-{name}-{width}-{scheme}")
        results = await Axe().run(page, ".gpuspawner-admin")
        complaints = [
            (complaint["id"], node["target"])
            for complaint in results.response["violations"]
            for node in complaint["nodes"]
        ]
        assert complaints == [], (width, scheme)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) <= 0, (width, scheme)


async def test_axe_finds_nothing_and_all_of_it_fits(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        for name, path in (
            ("matrix", ""),
            ("rules", "/rules"),
            ("why", "/why?user=researchers-1"),
        ):
            await open_page(page, hub, path)
            await expect(page.locator("h1")).to_be_visible()
            await is_as_it_should(page, name)
        await open_page(page, hub, "/rules")
        await page.get_by_role("button", name="Add a rule").click()
        await page.get_by_role("button", name="More profiles").click()
        await is_as_it_should(page, "fields")
        await page.get_by_label("Groups 1").fill("students")
        await page.get_by_label("Profiles 1").fill("no-such")
        await page.get_by_label("Place in the order").fill("99")
        await page.get_by_role("button", name="Done").last.click()
        await expect(page.get_by_label("Place in the order")).to_be_focused()
        await expect(page.get_by_label("Profiles 1")).to_have_accessible_description(
            re.compile("the catalog has no profile no-such")
        )
        await is_as_it_should(page, "faults")


_WIDTHS_AND_LINES = """
(words) => ["thead .gpuspawner-title", "thead code", "tbody .gpuspawner-name"].map((place) => {
  const element = document.querySelector(`.gpuspawner-matrix ${place}`);
  element.textContent = words;
  const text = document.createRange();
  text.selectNodeContents(element);
  const tops = Array.from(text.getClientRects(), (line) => line.top);
  return [new Set(tops).size, element.getBoundingClientRect().width];
})
"""


async def test_names_in_the_matrix_are_whole_in_a_narrow_window(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        await wear(page, 360, "light")
        await open_page(page, hub, "")
        for lines, _ in await page.evaluate(_WIDTHS_AND_LINES, "geowissenschaft"):
            assert lines == 1
        # One that has no room at all leaves half of the window to the profiles.
        for lines, width in await page.evaluate(_WIDTHS_AND_LINES, "x" * 60):
            assert lines > 1
            assert width <= 180


async def test_an_admin_breaks_something_notices_and_undoes_it(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        await page.get_by_role("link", name="GPU access").click()
        await page.get_by_role("link", name="Change the rules").click()
        await page.get_by_role("button", name="Delete").last.click()
        await expect(page.locator("#preview")).to_contain_text("1 person loses access to")
        await expect(page.locator("#preview")).to_contain_text("researchers-1")
        await is_as_it_should(page, "preview")
        await page.get_by_label("Why?").fill("a mistake")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_contain_text("Revision 1 is saved")
        await is_as_it_should(page, "history")
        # Somebody asks why there is nothing for them any more.
        await page.get_by_role("link", name="Why may somebody have this?").click()
        await page.get_by_label("User").fill("researchers-1")
        await page.get_by_role("button", name="Find").click()
        await expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
        await expect(page.get_by_role("heading", name="Allowed", exact=True)).to_have_count(0)
        await is_as_it_should(page, "why-not")
        await page.get_by_role("link", name="Who may have what").click()
        await page.get_by_role("button", name="Undo revision 1").click()
        await expect(page.get_by_role("status")).to_contain_text("when revision 1 was saved")
        await expect(page.locator("#preview")).to_contain_text("1 person gains access to")
        await is_as_it_should(page, "undo")
        await page.get_by_label("Why?").fill("undone")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_contain_text("Revision 2 is saved")
        await open_page(page, hub, "/why?user=researchers-1")
        await expect(page.get_by_role("heading", name="Allowed", exact=True)).to_be_visible()


def write_one_more_rule(hub: Hub) -> None:
    file = Path(hub.app.config.GPUSpawner.catalog_file)
    file.write_text(f"{file.read_text()}  - {{groups: [students], profiles: [cpu]}}\n")


async def test_drift_is_looked_at_and_the_rules_are_kept(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        write_one_more_rule(hub)
        drift = page.get_by_text("The file's rules have changed since")
        async with asyncio.timeout(5):
            while not await drift.count():
                await open_page(page, hub, "")
        await is_as_it_should(page, "drift")
        await page.get_by_role("link", name="Keep the rules in force").click()
        await is_as_it_should(page, "keep")
        await page.get_by_label("Why?").fill("not for students")
        await page.get_by_role("button", name="Keep these rules").click()
        await expect(page.get_by_role("status")).to_contain_text("is saved")
        await expect(drift).to_have_count(0)


async def test_a_hub_without_a_catalog(
    browser: Browser, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[dict[str, Any]] = [
        {"display_name": "A GPU for the seminar", "allowed_groups": ["seminar", "staff"]},
        {"display_name": "Writing and plotting"},
        {"display_name": "Misspelt", "allowed_gruops": ["seminar"]},
    ]
    monkeypatch.setitem(hub.app.config.GPUSpawner, "catalog_file", DEFAULT_CATALOG)
    monkeypatch.setitem(hub.app.config.KubeSpawner, "profile_list", listed)
    async with on_the_form(browser, hub, ADMIN) as page:
        await open_page(page, hub, "")
        await expect(page.get_by_text("groups seminar and staff")).to_be_visible()
        await is_as_it_should(page, "no-catalog")


async def test_an_edit_that_is_not_saved_is_not_left_without_a_question(
    browser: Browser, hub: Hub
) -> None:
    async with on_the_form(browser, hub, ADMIN) as page:
        asked = []

        async def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.dismiss()

        page.on("dialog", stay)
        elsewhere = page.get_by_role("link", name="Who may have what")
        await open_page(page, hub, "/rules")
        await page.get_by_role("button", name="Add a rule").click()
        await page.get_by_label("Groups 1").fill("students")
        async with page.expect_event("dialog"):
            await elsewhere.click()
        await expect(page.get_by_label("Groups 1")).to_have_value("students")
        await page.get_by_label("Profiles 1").fill("*")
        await page.get_by_role("button", name="Done").last.click()
        await expect(page.locator("#preview")).to_be_visible()
        async with page.expect_event("dialog"):
            await elsewhere.click()
        await expect(page.locator("#preview")).to_be_visible()
        await page.get_by_role("link", name="Begin anew").click()
        await expect(page.locator("#preview")).to_have_count(0)
        await elsewhere.click()
        await expect(page.locator("#matrix")).to_be_visible()
        assert asked == ["beforeunload"] * 2


async def test_an_edit_needs_no_javascript(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, ADMIN, java_script_enabled=False) as page:
        await open_page(page, hub, "/rules")
        await page.get_by_role("button", name="Add a rule").click()
        await page.get_by_label("Groups 1").fill("students")
        await page.get_by_label("Profiles 1").fill("no-such")
        # Enter takes over what is written, and nothing else.
        await page.get_by_label("Profiles 1").press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text(
            "the catalog has no profile no-such"
        )
        # It stays open with what was written; more room keeps that as well, and Cancel forgets it.
        await page.get_by_label("Profiles 2").fill("cpu")
        await page.get_by_role("button", name="More profiles").click()
        await expect(page.get_by_label("Profiles 2")).to_have_value("cpu")
        await expect(page.get_by_label("Profiles 8")).to_be_visible()
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#rules")).not_to_contain_text("students may have")
        await page.get_by_role("button", name="Add a rule").click()
        await page.get_by_label("Groups 1").fill("students")
        await page.get_by_label("Profiles 1").fill("*")
        await page.get_by_role("button", name="Done").last.click()
        await expect(page.locator("#preview")).to_contain_text("students-2")
