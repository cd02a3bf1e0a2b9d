"""The walk of the README: three people sign in to the demo, and one of them works on a GPU."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from .conftest import PASSWORD, Demo, closed

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEVER = "never fits: asks for 128 GiB of memory, the largest node offers 122 GiB"
GPU_PROFILES = {
    "pytorch-1gpu",
    "tensorflow-1gpu",
    "pytorch-2gpu",
    "tensorflow-2gpu",
    "mig-1g-5gb",
    "mig-2g-10gb",
}
SLOW = 60_000
# An expectation has a patience of its own, of which a busy machine needs more.
expect.set_options(timeout=SLOW)
SCREENSHOTS = os.environ.get("GPUSPAWNER_TESTS_SCREENSHOTS")


@asynccontextmanager
async def signed_in(browser: Browser, demo: Demo, name: str) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(SLOW)
    await page.goto(f"{demo.url}hub/login")
    await page.fill("input[name=username]", name)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("#login_submit")
    await page.wait_for_url("**/hub/spawn")
    yield page
    await closed(context)


async def offered(page: Page, demo: Demo) -> dict[str, str]:
    """Slug to the availability in words, as the form shows it now."""
    await page.goto(f"{demo.url}hub/spawn")
    cards = await page.locator(".gpuspawner-card").all()
    return {
        # Between a number and its unit there is another blank.
        str(await card.get_attribute("data-profile")): " ".join(
            (await card.locator(".gpuspawner-sentence").inner_text()).split()
        )
        for card in cards
    }


async def photograph(page: Page, name: str) -> None:
    """Keep what the page looks like, where the environment says to."""
    if not SCREENSHOTS:
        return
    for width in (1280, 360):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)
    await page.set_viewport_size({"width": 1280, "height": 900})


def free(words: str) -> int:
    """The first number of ``"4 of 6 free, on 2 nodes"``; 0 if the words say busy."""
    if words.startswith("busy"):
        return 0
    match = re.fullmatch(r"(\d+) of \d+ free, on \d+ nodes?", words)
    assert match, words
    return int(match[1])


async def test_each_person_is_offered_what_their_groups_allow(browser: Browser, demo: Demo) -> None:
    seen = {}
    for name in ("ada", "grace", "root-admin"):
        async with signed_in(browser, demo, name) as page:
            seen[name] = await offered(page, demo)
            await photograph(page, f"form-{name}")
    assert set(seen["ada"]) == {"cpu"}
    assert set(seen["grace"]) == {"cpu"} | GPU_PROFILES
    assert seen["root-admin"] == seen["grace"]
    assert re.fullmatch(r"free: room for \d+ more, on 4 nodes", seen["ada"]["cpu"])
    assert re.fullmatch(r"\d of 6 free, on [123] nodes?", seen["grace"]["pytorch-1gpu"])
    assert re.fullmatch(r"\d of 8 free, on 1 node", seen["grace"]["mig-1g-5gb"])
    assert seen["grace"]["pytorch-2gpu"] == NEVER
    assert seen["grace"]["tensorflow-2gpu"] == NEVER


async def test_a_profile_that_never_fits_cannot_be_chosen(browser: Browser, demo: Demo) -> None:
    async with signed_in(browser, demo, "grace") as page:
        await expect(page.get_by_label("PyTorch, two GPUs")).to_be_disabled()
        await expect(page.get_by_role("radio", name="CPU", exact=True)).to_be_checked()


async def test_a_notebook_on_a_gpu_from_the_form_to_the_stop(browser: Browser, demo: Demo) -> None:
    async with (
        signed_in(browser, demo, "grace") as page,
        signed_in(browser, demo, "root-admin") as other,
    ):
        before = free((await offered(other, demo))["pytorch-1gpu"])
        await page.get_by_label("PyTorch, one GPU").check()
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url("**/user/grace/lab**")
        await until_free(other, demo, before - 1)

        await run_a_cell(page, "import os; print('devices:', os.environ['NVIDIA_VISIBLE_DEVICES'])")
        await expect(page.locator(".jp-OutputArea-output").first).to_contain_text(
            re.compile(r"devices: GPU-[0-9a-f-]{36}")
        )
        await photograph(page, "lab-grace")

        await page.goto(f"{demo.url}hub/home")
        await page.click("#stop")
        await expect(page.locator("#start")).to_have_text(re.compile("Start My Server"))
        await until_free(other, demo, before)


async def until_free(page: Page, demo: Demo, expected: int) -> None:
    """Look until the form says so: the hub's view follows the cluster by a moment."""
    async with asyncio.timeout(20):
        while free((await offered(page, demo))["pytorch-1gpu"]) != expected:  # noqa: ASYNC110 - a page has no events
            await asyncio.sleep(0.2)


async def run_a_cell(page: Page, source: str) -> None:
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    await cell.click()
    await page.keyboard.insert_text(source)
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    await page.keyboard.press("Shift+Enter")


@pytest.fixture(autouse=True)
def needs_a_browser(browser: Browser) -> None:
    """Skip before the demo is started where there is no browser."""


async def test_an_admin_can_change_the_access(browser: Browser, demo: Demo) -> None:
    async with signed_in(browser, demo, "root-admin") as page:
        await page.goto(f"{demo.url}hub/gpuspawner/admin")
        await page.get_by_role("link", name="Change the rules").click()
        await expect(page.get_by_role("button", name="Add a rule")).to_be_visible()
