"""A spawn page that stays open: what it says is true, and choice and focus stay."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from tests.hub.conftest import HERE, Hub, configuration, running_hub
from tests.hub.test_live import neighbour, pages

from gpuspawner.capacity import shared
from gpuspawner.hub import live_page
from gpuspawner.simcluster.apiserver.faults import Drop
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .test_pending_page import SLOW, on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT = 2 * SLOW  # a busy hub gives its open pages little time
NEWS, AGE = "#gpuspawner-news", "#gpuspawner-age"
CANNOT = "One GPU is selected and can no longer be started."
_numbers = count(1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    del browser  # where there is none, no hub is started
    description = ClusterDescription.load(HERE / "cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        c = configuration(cluster)
        c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
        async with running_hub(cluster, c) as hub:
            yield hub


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that does not answer is looked at again at once."""
    monkeypatch.setattr(live_page, "_LOOK_AGAIN_SOON", 0.5)


@pytest.fixture
def name() -> str:
    return f"gpu-users-{next(_numbers)}"


@contextmanager
def silent(hub: Hub) -> Iterator[None]:
    """A cluster that does not answer, since long enough for that to be noticed."""
    [entry] = next(iter(shared._shared.values())).values()
    fault = hub.cluster.faults.add(Drop(), times=None)
    hub.cluster.faults.sever()
    try:
        with pytest.MonkeyPatch.context() as patch:
            clock = entry.watch._clock
            patch.setattr(entry.watch, "_clock", lambda: clock() + 100)
            yield
    finally:
        hub.cluster.faults.remove(fault)


async def stands(page: Page, slug: str, standing: str) -> None:
    card = page.locator(f'[data-profile="{slug}"]')
    await expect(card).to_have_attribute("data-standing", standing, timeout=PATIENT)


async def says(page: Page, slug: str, words: str) -> None:
    now = page.locator(f"#gpuspawner-{slug}--now")
    await expect(now).to_contain_text(words, timeout=PATIENT)


async def settled(page: Page) -> None:
    """Wait until the page shows what it is sent, and not what it was loaded with."""
    heard = page.locator("#gpuspawner[data-heard-by]")
    await expect(heard).to_have_attribute("data-heard-by", "stream", timeout=PATIENT)
    await expect(page.locator(AGE)).to_contain_text(
        re.compile(r"^Kept up to date\. "), timeout=PATIENT
    )
    await stands(page, "gpu", "free")


async def test_it_fills_and_empties_and_the_choice_stays(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        radio = page.locator("#gpuspawner-gpu")
        await radio.check()
        await page.select_option("#gpuspawner-gpu--image", "nightly")
        image = page.locator("#gpuspawner-gpu--image")
        await image.focus()
        await page.evaluate("window.cards = [...document.querySelectorAll('[data-profile]')]")
        with neighbour(hub, 1):
            await says(page, "gpu", "1 of 2 free")
            await expect(page.locator(NEWS)).to_have_text("")
        await says(page, "gpu", "2 of 2 free")
        with neighbour(hub, 2):
            await stands(page, "gpu", "busy")
            await expect(radio).to_be_checked()
            await expect(radio).to_be_enabled()
            await expect(image).to_be_focused()
            await expect(image).to_have_value("nightly")
            await expect(page.locator("#gpuspawner-warning")).to_contain_text(CANNOT)
            await expect(page.locator(NEWS)).to_contain_text(CANNOT, timeout=PATIENT)
            await expect(page.locator('[data-profile="gpu"]')).to_have_class(
                re.compile("gpuspawner-off")
            )
            await page.locator("#gpuspawner-cpu").check()
            await expect(radio).to_be_disabled()
            await expect(page.locator("#gpuspawner-warning")).to_be_hidden()
        await stands(page, "gpu", "free")
        await expect(radio).to_be_enabled()
        await expect(page.locator(NEWS)).to_contain_text("One GPU can be started", timeout=PATIENT)
        await expect(page.locator("#gpuspawner-cpu")).to_be_checked()
        cards = "[...document.querySelectorAll('[data-profile]')]"
        assert await page.evaluate(f"{cards}.every((card, i) => card === window.cards[i])")


async def test_focus_within_what_is_replaced_goes_to_its_like_or_to_the_radio(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        button = "<button type=button class=instead>Choose another</button>"
        await page.evaluate(
            "(html) => { document.querySelector('#gpuspawner-gpu--now').innerHTML += html }", button
        )
        await page.locator(".instead").focus()
        with neighbour(hub, 1):
            await says(page, "gpu", "1 of 2 free")
            await expect(page.locator(".instead")).to_have_count(0)
            await expect(page.locator("#gpuspawner-gpu")).to_be_focused()
        await says(page, "gpu", "2 of 2 free")


async def test_a_cluster_that_fails_is_unknown_and_comes_back(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        await page.locator("#gpuspawner-gpu").check()
        with silent(hub):
            await stands(page, "gpu", "unknown")
            await says(page, "gpu", "the cluster does not answer")
            await expect(page.locator(AGE)).to_contain_text("The cluster does not answer")
            await expect(page.locator("#gpuspawner-gpu")).to_be_enabled()
        await stands(page, "gpu", "free")
        await expect(page.locator("#gpuspawner-gpu")).to_be_checked()
        await expect(page.locator(AGE)).to_contain_text(
            re.compile(r"^Kept up to date\. "), timeout=PATIENT
        )


async def test_what_becomes_unknown_is_not_said_to_start(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        with neighbour(hub, 2):
            news = page.locator(NEWS)
            await expect(news).to_contain_text("One GPU can no longer be started.", timeout=PATIENT)
            await page.locator("#gpuspawner-cpu").check()
            with silent(hub):
                await stands(page, "gpu", "unknown")
                await expect(page.locator("#gpuspawner-gpu")).to_be_enabled()
                await expect(news).to_contain_text(
                    "Plain CPU, which is selected: unknown", timeout=PATIENT
                )
                assert "can be started now" not in await news.inner_text()
            await stands(page, "gpu", "busy")
        await expect(news).to_contain_text("One GPU can be started now.", timeout=PATIENT)


async def test_behind_a_proxy_that_keeps_the_stream_back_it_asks(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name) as page:
        await stands(page, "gpu", "free")
        heard = page.locator("#gpuspawner[data-heard-by]")
        await expect(heard).to_have_attribute("data-heard-by", "asking", timeout=PATIENT)
        with neighbour(hub, 2):
            await stands(page, "gpu", "busy")
            await expect(page.locator("#gpuspawner-gpu")).to_be_disabled()
        await stands(page, "gpu", "free")


async def test_a_stream_that_is_refused_is_replaced_by_asking(
    browser: Browser, hub: Hub, name: str
) -> None:
    async def refused(route: Route) -> None:
        if "text/event-stream" in route.request.headers.get("accept", ""):
            await route.fulfill(status=503)
        else:
            await route.continue_()

    async with on_the_form(browser, hub, name, directly=True) as page:
        await page.route("**/gpuspawner/live/**", refused)
        await page.reload()
        with neighbour(hub, 2):
            await stands(page, "gpu", "busy")
        await stands(page, "gpu", "free")


async def test_a_hub_that_is_away_makes_every_card_unknown_until_it_is_back(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await page.clock.install()
        await page.reload()
        await settled(page)
        await page.locator("#gpuspawner-gpu").check()
        await page.route("**/gpuspawner/live/**", lambda route: route.abort())
        await end_streams(hub)
        await page.clock.run_for(22_000)
        await stands(page, "gpu", "unknown")
        await stands(page, "cpu", "unknown")
        await says(page, "gpu", "seconds: the hub does not answer")
        await expect(page.locator(NEWS)).to_contain_text("The hub does not answer")
        await expect(page.locator("#gpuspawner-gpu")).to_be_checked()
        await page.unroute("**/gpuspawner/live/**")
        await page.clock.run_for(60_000)
        await stands(page, "gpu", "free")
        await expect(page.locator(NEWS)).to_contain_text("The hub answers again.")
        await expect(page.locator("#gpuspawner-gpu")).to_be_checked()


async def end_streams(hub: Hub) -> None:
    for page in tuple(pages(hub)._pages):
        page.close()
    await hub.cluster.wait_until(lambda: len(pages(hub)) == 0, 10)


async def test_a_hidden_tab_lets_go_of_its_stream_and_takes_it_up_again(
    browser: Browser, hub: Hub, name: str
) -> None:
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    async with on_the_form(browser, hub, name, directly=True) as page:
        await page.clock.install()
        await page.reload()
        await settled(page)
        assert len(pages(hub)) == 1
        await page.evaluate(hide, True)
        await page.clock.run_for(29_000)
        assert len(pages(hub)) == 1
        await page.clock.run_for(2_000)
        await hub.cluster.wait_until(lambda: len(pages(hub)) == 0, 10)
        with neighbour(hub, 2):
            await page.clock.run_for(120_000)
            await stands(page, "gpu", "free")
            await page.evaluate(hide, False)
            await stands(page, "gpu", "busy")
            assert len(pages(hub)) == 1
        await stands(page, "gpu", "free")


async def test_what_was_so_an_hour_ago_is_soon_unknown_where_the_hub_is_away(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        await page.route("**/gpuspawner/live/**", lambda route: route.abort())
        await page.evaluate(
            """() => {
                dispatchEvent(new Event("pagehide"));
                const now = performance.now.bind(performance);
                performance.now = () => now() + 3600000;
                dispatchEvent(new Event("pageshow"));
            }"""
        )
        card = page.locator('[data-profile="gpu"]')
        await expect(card).to_have_attribute("data-standing", "unknown", timeout=14_000)


async def test_it_leads_on_once_the_server_is_being_started_elsewhere(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        await hub.start_server(name, "cpu")
        await page.wait_for_url(
            re.compile(r"/hub/spawn-pending/|/user/"), timeout=SLOW, wait_until="commit"
        )
    await hub.cluster.wait_until(lambda: hub.app.users[name].spawner.ready, 30)
    await hub.stop_server(name)


async def test_another_list_of_profiles_is_offered_and_does_not_come_by_itself(
    browser: Browser, hub: Hub, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with on_the_form(browser, hub, name, directly=True) as page:
        await settled(page)
        await page.locator("#gpuspawner-huge").evaluate("radio => radio.closest('div').id = 'kept'")
        other = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
        text = (HERE / "catalog.yaml").read_text().replace("[gpu, huge]", "[gpu]")
        other.write_text(text)
        hub.app.users[name].spawner.catalog_file = str(other)
        await expect(page.locator("#gpuspawner-changed")).to_contain_text(
            "The list of profiles has changed", timeout=PATIENT
        )
        await expect(page.locator(NEWS)).to_contain_text("The list of profiles has changed")
        await says(page, "huge", "not offered to you any more")
        await expect(page.locator("#gpuspawner-huge")).to_be_disabled()
        await page.get_by_role("link", name="load this page again").click()
        await expect(page.locator('[data-profile="huge"]')).to_have_count(0)
        await expect(page.locator("#gpuspawner-changed")).to_have_count(0)
