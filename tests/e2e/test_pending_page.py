"""The page of a start under way, as a person sees it and gets away from it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from tests.hub import test_pending as pending
from tests.hub.conftest import HERE, PASSWORD, Hub, configuration, running_hub

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import closed

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = 30_000
PULL_SECONDS = 7  # longer than the page waits for the stream, and than it pauses between looks
SCREENSHOTS = os.environ.get("GPUSPAWNER_TESTS_SCREENSHOTS")
AGAIN, CANCEL = "Cancel and choose again", "Cancel"
_numbers = count(1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    directory = tmp_path_factory.mktemp("hub")
    catalog = pending.catalog_in(directory)
    text = (HERE / "cluster.yaml").read_text() + f"image_pull_seconds: {PULL_SECONDS}\n"
    description = ClusterDescription.parse(text)
    async with SimCluster(description, state_dir=directory) as cluster:
        c = configuration(cluster, catalog)
        c.KubeSpawner.start_timeout = 60
        c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
        async with running_hub(cluster, c) as hub:
            yield hub


@pytest.fixture
def name() -> str:
    return f"gpu-users-{next(_numbers)}"


@asynccontextmanager
async def on_the_form(
    browser: Browser, hub: Hub, name: str, *, directly: bool = False, **options: Any
) -> AsyncIterator[Page]:
    """A browser on the spawn form, through the proxy or past it.

    The proxy that is written in Python keeps the stream of events back until it ends.
    """
    base = hub.app.hub.url if directly else f"{hub.base}hub/"
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = await context.new_page()
    page.set_default_timeout(SLOW)
    await page.goto(f"{base}login")
    await page.fill("input[name=username]", name)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("#login_submit")
    await page.goto(f"{base}spawn")
    yield page
    await closed(context)


@asynccontextmanager
async def starting(
    browser: Browser, hub: Hub, name: str, profile: str, image: str = "", **options: Any
) -> AsyncIterator[Page]:
    """A browser on the page of a start under way; `options` as for `on_the_form`."""
    async with on_the_form(browser, hub, name, **options) as page:
        await page.check(f"input[name=profile][value={profile}]")
        if image:
            await page.select_option(f"#gpuspawner-{profile}--image", image)
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url("**/hub/spawn-pending/**")
        yield page


async def photograph(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"pending-{name}.png", full_page=True)


async def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    pixels: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def current(page: Page) -> Locator:
    return page.locator('[aria-current="step"]')


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_a_pod_that_waits_and_the_way_back_by_keyboard(
    browser: Browser, hub: Hub, name: str, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 800}
    async with starting(
        browser, hub, name, "v100", directly=True, viewport=viewport, color_scheme=scheme
    ) as page:
        await expect(page.locator("#gpuspawner-sentence")).to_have_text(pending.WAITS, timeout=SLOW)
        await expect(page.get_by_text("A V100", exact=True)).to_be_visible()
        await expect(page.locator("ol li")).to_have_count(6)
        await expect(current(page)).to_contain_text("A place on a node, current")
        await page.locator("summary").click()
        await expect(page.locator("#gpuspawner-said")).to_contain_text("FailedScheduling: 0/2")
        assert await overflow(page) <= 0
        await photograph(page, f"waits-{width}-{scheme}")
        await tab_to(page, AGAIN)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/hub/spawn/{name}")
        await expect(page.locator("input[name=profile]").first).to_be_attached()
    assert hub.pods_of(name) == []


async def tab_to(page: Page, text: str) -> None:
    """Press Tab until the button has the focus; at most as often as the page has places for it."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == text:
            return
    pytest.fail(f"{text!r} is not reached by Tab")


@pytest.mark.parametrize(
    ("directly", "image"),
    [
        pytest.param(True, "stable", id="with the stream of events"),
        pytest.param(False, "nightly", id="behind a proxy that keeps the stream back"),
    ],
)
async def test_the_steps_go_on_by_themselves_and_lead_to_the_server(
    browser: Browser, hub: Hub, name: str, image: str, *, directly: bool
) -> None:
    async with starting(browser, hub, name, "gpu", image, directly=directly) as page:
        await expect(page.locator('[data-step="scheduled"]')).to_have_attribute(
            "data-standing", "done", timeout=SLOW
        )
        await photograph(page, f"goes-on-{'directly' if directly else 'by-proxy'}")
        await page.wait_for_url(f"**/user/{name}/**", wait_until="commit")
    await hub.visitor(name)
    await hub.stop_server(name)


async def test_cancel_leads_home(browser: Browser, hub: Hub, name: str) -> None:
    async with starting(browser, hub, name, "v100") as page:
        await page.get_by_role("button", name=CANCEL, exact=True).click()
        await page.wait_for_url("**/hub/home")
    assert hub.pods_of(name) == []


async def test_a_start_that_ends_says_why_and_leads_back(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with starting(browser, hub, name, "v100", directly=True) as page:
        await expect(page.locator("#gpuspawner-sentence")).to_have_text(pending.WAITS, timeout=SLOW)
        await page.get_by_role("button", name=AGAIN).focus()
        await pending.cancel(await hub.visitor(name), name)  # in another window, say
        await expect(page.locator("h1")).to_have_text("Your server did not start")
        await expect(page.locator("#gpuspawner-sentence")).to_have_text("The start was cancelled.")
        await expect(page.get_by_role("button", name=AGAIN)).to_be_hidden()
        await photograph(page, "ended")
        await expect(page.get_by_role("link", name="Choose again")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/hub/spawn/{name}")


async def test_it_works_without_javascript(browser: Browser, hub: Hub, name: str) -> None:
    async with starting(browser, hub, name, "v100", java_script_enabled=False) as page:
        # The page loads itself again, and then says what is known by then.
        await expect(page.locator("#gpuspawner-sentence")).to_have_text(pending.WAITS, timeout=SLOW)
        await page.get_by_role("button", name=AGAIN).click()
        await page.wait_for_url(f"**/hub/spawn/{name}")
    assert hub.pods_of(name) == []


async def test_what_the_script_says_is_in_the_language_of_the_start(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with starting(browser, hub, name, "v100", directly=True, locale="de-AT") as page:
        await expect(page.locator("#gpuspawner-sentence")).to_contain_text(
            "Ihr Server wartet", timeout=SLOW
        )
        await expect(page.locator("#gpuspawner-pending")).to_have_attribute("lang", "de")
        await expect(current(page)).to_contain_text("Platz auf einem Knoten, läuft")
        await photograph(page, "german")
        await pending.cancel(await hub.visitor(name), name)
        await expect(page.locator("h1")).to_have_text("Ihr Server ist nicht gestartet")
        await expect(page.locator("#gpuspawner-sentence")).to_have_text(
            "Der Start wurde abgebrochen."
        )
        await expect(page.locator('[data-step="scheduled"]')).to_contain_text(", nicht erledigt")
        await page.get_by_role("link", name="Neu auswählen").click()
        await page.wait_for_url(f"**/hub/spawn/{name}")
