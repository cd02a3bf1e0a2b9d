"""What people come to expect of the spawn page: their last choice, a search, the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import Hub

from .conftest import running_browser
from .spawn_page import SLOW, card, photograph, radio
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def cards_shown(page: Page) -> list[str | None]:
    return [
        await each.get_attribute("data-profile")
        for each in await page.locator(".gpuspawner-card:visible").all()
    ]


EVERYTHING = ["cpu", "a100", "l40", "v100", "l40-pair", "h100", "a100-eight", "slice", "t4"]


@pytest.mark.parametrize(
    ("query", "found", "said"),
    [
        pytest.param("l40", ["cpu", "l40", "l40-pair"], "Profiles shown: 2 of 9", id="a word"),
        pytest.param(
            "l40 two",
            ["cpu", "l40-pair"],
            "Profiles shown: 1 of 9",
            id="several words in any order",
        ),
        pytest.param(
            "übung", ["cpu", "slice"], "Profiles shown: 1 of 9", id="a letter with its dots"
        ),
        pytest.param("UBUNG", ["cpu", "slice"], "Profiles shown: 1 of 9", id="without its dots"),
        pytest.param("no such thing", ["cpu"], "Profiles shown: 0 of 9", id="nothing there"),
        pytest.param("<b>", ["cpu"], "Profiles shown: 0 of 9", id="markup"),
        pytest.param("  ", EVERYTHING, "", id="only spaces"),
    ],
)
async def test_a_search_shows_what_has_all_words_and_what_is_chosen(
    searched: Page, query: str, found: list[str], said: str
) -> None:
    await searched.locator("#gpuspawner-query").fill(query)
    assert await cards_shown(searched) == found
    await expect(searched.locator("#gpuspawner-found")).to_have_text(said)
    await expect(searched.locator("#gpuspawner-found")).to_have_role("status")
    await expect(radio(searched, "cpu")).to_be_checked()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def searched(browser: Browser, hub: Hub) -> AsyncIterator[Page]:
    async with on_the_form(browser, hub, "researchers-searching") as page:
        yield page


async def test_enter_in_the_search_starts_nothing_and_escape_ends_it(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name) as page:
        address = page.url
        query = page.locator("#gpuspawner-query")
        await query.press_sequentially("l40")
        await query.press("Enter")
        await expect(query).to_be_focused()
        assert await cards_shown(page) == ["cpu", "l40", "l40-pair"]
        await radio(page, "l40").check()
        assert await cards_shown(page) == ["l40", "l40-pair"]
        await photograph(page, "searched")
        await query.press("Escape")
        await expect(query).to_have_value("")
        assert await cards_shown(page) == EVERYTHING
        await expect(radio(page, "l40")).to_be_checked()
        assert page.url == address
    assert not hub.app.users[name].spawner.active


async def test_the_nearest_is_shown_although_a_search_had_hidden_it(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name) as page:
        await page.locator("#gpuspawner-query").fill("h100")
        await expect(card(page, "a100")).to_be_hidden()
        await card(page, "h100").locator(".gpuspawner-nearest").click()
        await expect(card(page, "a100")).to_be_visible()
        await expect(radio(page, "a100")).to_be_checked()
        await expect(page.locator("#gpuspawner-query")).to_have_value("")


async def test_eight_profiles_need_no_search(browser: Browser, hub: Hub) -> None:
    async with on_the_form(browser, hub, "few-1") as page:
        await expect(page.locator(".gpuspawner-card")).to_have_count(8)
        await expect(page.locator("#gpuspawner-query")).to_have_count(0)


CHOSEN = "which you chose last, cannot be started now."


@pytest.mark.parametrize(
    ("last", "chosen", "words"),
    [
        pytest.param({"profile": "l40"}, "l40", None, id="it can be started"),
        pytest.param({"profile": "t4"}, "t4", None, id="one can wait in line for it"),
        pytest.param(
            {"profile": "h100"},
            "a100",
            f"One H100, {CHOSEN} Training on one A100 is chosen instead.",
            id="it cannot be started now",
        ),
        pytest.param(
            {"profile": "gone"},
            "cpu",
            "What you chose last is not offered to you any more. "
            "Writing and plotting is chosen instead.",
            id="it is gone",
        ),
    ],
)
async def test_what_was_chosen_last_is_chosen_or_it_is_said_what_is_instead(
    browser: Browser, hub: Hub, name: str, *, last: dict[str, str], chosen: str, words: str | None
) -> None:
    await hub.visitor(name)
    hub.app.users[name].spawner.user_options = last
    async with on_the_form(browser, hub, name) as page:
        await expect(radio(page, chosen)).to_be_checked()
        title = await page.locator(f"label[for=gpuspawner-{chosen}]").inner_text()
        await expect(page.locator("#gpuspawner-chosen")).to_have_text(title)
        notice = page.locator(".gpuspawner-notice")
        if words is None:
            await expect(notice).to_have_count(0)
        else:
            await expect(notice).to_have_text(words)
            await expect(notice).to_have_role("status")
            await photograph(page, f"last-{last['profile']}")


async def test_the_image_that_was_chosen_last_is_chosen(
    browser: Browser, hub: Hub, name: str
) -> None:
    await hub.visitor(name)
    hub.app.users[name].spawner.user_options = {"profile": "a100", "image": "jax"}
    async with on_the_form(browser, hub, name) as page:
        await expect(page.locator("#gpuspawner-a100--image")).to_have_value("jax")


async def test_a_named_server_is_named_and_its_links_lead_to_it(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, java_script_enabled=False) as page:
        await page.goto(f"{hub.base}hub/spawn/{name}/second")
        await expect(page.locator("h1")).to_have_text("Start the server second")
        await card(page, "h100").locator(".gpuspawner-nearest").click()
        await expect(page.locator("h1")).to_have_text("Start the server second")
        await expect(radio(page, "a100")).to_be_checked()
        await page.get_by_role("button", name="Start").click()
        await hub.cluster.wait_until(lambda: bool(hub.pods_of(name)), 20)
    [pod] = hub.pods_of(name)
    assert pod["metadata"]["annotations"]["hub.jupyter.org/servername"] == "second"
    await hub.visitor(name)
    await hub.stop_server(name, "second")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_an_admin_sees_what_is_offered_to_whom_the_server_is_for(
    browser: Browser, hub: Hub, *, scripts: bool
) -> None:
    await hub.visitor("few-2")
    async with on_the_form(browser, hub, "admins-1", java_script_enabled=scripts) as page:
        await page.goto(f"{hub.base}hub/spawn/few-2")
        await expect(page.locator(".gpuspawner-card")).to_have_count(8)
        await expect(page.get_by_text("The server is for few-2.")).to_be_visible()
        await card(page, "h100").locator(".gpuspawner-nearest").click()
        assert page.url.partition("#")[0].endswith("/hub/spawn/few-2")
        if scripts:
            await expect(radio(page, "a100")).to_be_checked()
            await photograph(page, "for-another")
        await radio(page, "a100").check()
        await page.get_by_role("button", name="Start").click()
        await hub.cluster.wait_until(lambda: bool(hub.pods_of("few-2")), 20)
    assert hub.pods_of("admins-1") == []
    await hub.stop_server("few-2")


@pytest.mark.parametrize("server", ["", "second"], ids=["the default server", "a named server"])
async def test_after_a_start_that_was_refused_the_nearest_is_chosen_and_the_page_is_whole(
    browser: Browser, hub: Hub, name: str, server: str
) -> None:
    async with on_the_form(browser, hub, name, locale="de") as page:
        await page.goto(f"{hub.base}hub/spawn/{name}/{server}".rstrip("/"))
        heading = await page.locator("h1").inner_text()
        await page.evaluate("document.getElementById('gpuspawner-l40').value = 'l40-pair'")
        await radio(page, "l40").check()
        await page.locator("#spawn_form button").click()
        await expect(page.get_by_role("alert")).to_contain_text("Two L40 together")
        await expect(page.locator("h1")).to_have_text(heading)
        await expect(radio(page, "l40")).to_be_checked()
        await expect(page.locator(".gpuspawner-notice")).to_contain_text("Inference on one L40")
        await expect(page.locator(".gpuspawner-notice")).not_to_contain_text("Two L40 together")
        await expect(page.locator("#gpuspawner-chosen")).to_have_text("Inference on one L40")
        await expect(page.locator("#gpuspawner-query")).to_be_visible()
        link = await card(page, "l40").locator(".gpuspawner-link").get_attribute("href")
        assert str(link).endswith(f"server={server}" if server else "profile=l40")
        await photograph(page, f"refused-{server or 'default'}")


@pytest.mark.parametrize("way", ["reload", "back"])
async def test_what_stands_beside_the_button_is_what_is_chosen_after_the_way_back(
    browser: Browser, hub: Hub, name: str, way: str
) -> None:
    async with on_the_form(browser, hub, name) as page:
        await radio(page, "a100").check()
        await page.select_option("#gpuspawner-a100--image", "jax")
        if way == "reload":
            await page.reload()
        else:
            await page.goto(f"{hub.base}hub/home")
            await page.go_back()
        await expect(page.locator("input[name=profile]:checked")).to_have_count(1)
        chosen = page.locator(".gpuspawner-card:has(input:checked) .gpuspawner-title")
        title = await chosen.inner_text()
        await expect(page.locator("#gpuspawner-chosen")).to_have_text(title)
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        await expect(page.get_by_role("button", name="Start")).to_be_enabled()


async def test_a_page_that_the_browser_kept_from_before_the_start_can_start_again(
    hub: Hub, name: str
) -> None:
    async with (
        running_browser(ignore_default_args=["--disable-back-forward-cache"]) as browser,
        on_the_form(browser, hub, name) as page,
    ):
        form = page.url
        await page.evaluate(
            "addEventListener('pageshow', (event) => window.kept = event.persisted)"
        )
        await radio(page, "a100").check()
        await page.goto(f"{hub.base}hub/home")
        await page.go_back(wait_until="commit")
        await page.wait_for_function("window.kept", timeout=SLOW)
        await expect(page.locator("#gpuspawner-chosen")).to_have_text("Training on one A100")
        await page.get_by_role("button", name="Start").click()
        await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 20)
        await page.wait_for_url(lambda url: url != form, wait_until="commit")
        await hub.visitor(name)
        await hub.stop_server(name)
        while page.url != form:
            await page.go_back(wait_until="commit")
        await expect(page.get_by_role("button", name="Start")).to_be_visible(timeout=SLOW)
