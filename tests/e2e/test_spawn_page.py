"""The spawn page as people meet it: every standing at once, no script, a search, their language."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import Hub

from gpuspawner.language import gettext, speaking

from .spawn_page import (
    LOOKS,
    SLOW,
    Scheme,
    card,
    clipped,
    overflow,
    photograph,
    radio,
    silent,
    wear,
)
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Shown:
    """What a card shows of how its profile stands.

    Attributes:
        mark: the sign before the sentence.
        cells: how many cells of the bar are free, in use and not usable.
        key: the same numbers, from the words below the bar.
    """

    standing: str
    sentence: str
    mark: str
    cells: tuple[int, int, int]
    key: tuple[int, int, int]
    nearest: str
    can_choose: bool


async def shown(page: Page, slug: str) -> Shown:
    this, states = card(page, slug), ("free", "used", "unusable")
    mark: str = await this.locator(".gpuspawner-mark").evaluate(
        "mark => getComputedStyle(mark, '::before').content"
    )
    numbers = []
    for state in states:
        words = await this.locator(f".gpuspawner-key-{state}").all_inner_texts()
        numbers.append(sum(int(each.split()[0]) for each in words))
    cells = [await this.locator(f".gpuspawner-cell-{state}").count() for state in states]
    nearest = this.locator(".gpuspawner-nearest")
    return Shown(
        str(await this.get_attribute("data-standing")),
        await this.locator(".gpuspawner-sentence").inner_text(),
        mark.strip('"'),
        (cells[0], cells[1], cells[2]),
        (numbers[0], numbers[1], numbers[2]),
        await nearest.inner_text() if await nearest.count() else "",
        await radio(page, slug).is_enabled(),
    )


PAIR = r"2 (are )?free, but on 2 .*nodes"
STANDINGS = [
    pytest.param("cpu", "free", "✓", "free", None, "", id="room on CPUs"),
    pytest.param("a100", "free", "✓", "1 of 4 free", (1, 4), "", id="one of four GPUs is free"),
    pytest.param("l40", "free", "✓", "2 of 4 free", (2, 4), "", id="two of four GPUs are free"),
    pytest.param(
        "l40-pair",
        "busy",
        "◑",
        PAIR,
        (0, 4),
        "Choose Inference on one L40 instead",
        id="two are free, but not together",
    ),
    pytest.param(
        "h100",
        "busy",
        "◑",
        "busy",
        (0, 1),
        "Choose Training on one A100 instead",
        id="busy, and nobody waits",
    ),
    pytest.param(
        "t4", "busy", "◑", "wait in line", (0, 4), "", id="busy, and one can wait in line"
    ),
    pytest.param("v100", "can-start-node", "↑", "can start a node", None, "", id="a new node"),
    pytest.param(
        "a100-eight",
        "never",
        "✕",
        "never fits",
        None,
        "Choose Training on one A100 instead",
        id="it never fits",
    ),
    pytest.param("slice", "free", "✓", "4 of 6 free", (4, 7), "", id="a slice is unhealthy"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def full(browser: Browser, hub: Hub) -> AsyncIterator[Page]:
    """The page of somebody who looks at it, and leaves it as it is."""
    async with on_the_form(browser, hub, "researchers-onlooker") as page:
        yield page


@pytest.mark.parametrize(("slug", "standing", "mark", "words", "units", "nearest"), STANDINGS)
async def test_how_a_profile_stands_is_told_by_words_a_mark_and_a_bar(
    full: Page,
    *,
    slug: str,
    standing: str,
    mark: str,
    words: str,
    units: tuple[int, int] | None,
    nearest: str,
) -> None:
    found = await shown(full, slug)
    assert (found.standing, found.mark, found.nearest) == (standing, mark, nearest)
    assert re.search(words, found.sentence), found.sentence
    assert found.can_choose == (not nearest)
    if units is not None:
        assert found.cells == found.key
        assert (found.key[0], sum(found.key)) == units


async def test_no_two_standings_share_a_mark_or_a_first_word(full: Page, hub: Hub) -> None:
    everything = [await shown(full, param.values[0]) for param in STANDINGS]  # type: ignore[arg-type]
    with silent(hub):
        await full.reload()
        everything.append(await shown(full, "cpu"))
    await full.reload()
    assert {each.standing for each in everything} >= {"free", "busy", "never", "unknown"}
    for distinct in ("mark", "first word"):
        by_standing: dict[str, set[str]] = {}
        for each in everything:
            word = each.sentence.strip(":").split()[0]
            sign = each.mark if distinct == "mark" else word
            by_standing.setdefault(each.standing, set()).add(sign)
        signs = [sign for each in by_standing.values() for sign in each]
        assert len(signs) == len(set(signs)), distinct


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_all_of_it_fits_its_window(full: Page, width: int, scheme: Scheme) -> None:
    await wear(full, width, scheme)
    await photograph(full, f"states-{width}-{scheme}")
    assert await overflow(full) <= 0
    assert await clipped(full) == []


@pytest_asyncio.fixture(loop_scope="module")
async def silent_hub(hub: Hub) -> AsyncIterator[Hub]:
    with silent(hub):
        yield hub


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_a_cluster_that_does_not_answer_is_unknown_and_can_be_tried(
    full: Page, silent_hub: Hub, width: int, scheme: Scheme
) -> None:
    del silent_hub
    await wear(full, width, scheme)
    await full.reload()
    for param in STANDINGS:
        found = await shown(full, str(param.values[0]))
        assert (found.standing, found.mark, found.can_choose) == ("unknown", "?", True)
        assert found.sentence.startswith("unknown")
        assert found.cells == found.key == (0, 0, 0)
    await photograph(full, f"unknown-{width}-{scheme}")
    assert await overflow(full) <= 0
    assert await clipped(full) == []


async def test_without_javascript_it_is_read_chosen_from_and_started(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, java_script_enabled=False) as page:
        await expect(page.locator("#gpuspawner-search")).to_be_hidden()
        await expect(card(page, "a100").locator(".gpuspawner-sentence")).to_contain_text("1 of 4")
        await expect(card(page, "a100").locator(".gpuspawner-bar")).to_be_visible()
        await photograph(page, "without-javascript")
        nearest = card(page, "h100").get_by_role("link", name="Choose Training on one A100 instead")
        await nearest.click()
        await expect(radio(page, "a100")).to_be_checked()
        assert not hub.app.users[name].spawner.active
        await page.select_option("#gpuspawner-a100--image", "jax")
        await page.get_by_role("button", name="Start").click()
        await hub.cluster.wait_until(lambda: bool(hub.pods_of(name)), 20)
    [pod] = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["image"] == "example/jax:1"
    await hub.visitor(name)
    await hub.stop_server(name)


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_a_link_opens_the_form_with_a_choice_made_and_starts_nothing(
    browser: Browser, hub: Hub, name: str, *, scripts: bool
) -> None:
    async with on_the_form(browser, hub, name, java_script_enabled=scripts) as page:
        await page.goto(f"{hub.base}hub/gpuspawner/choose?profile=a100&image=jax")
        await expect(radio(page, "a100")).to_be_checked()
        await expect(page.locator("#gpuspawner-a100--image")).to_have_value("jax")
        words = "The link that you followed asks for "
        await expect(page.locator(".gpuspawner-notice")).to_contain_text(words)
    assert not hub.app.users[name].spawner.active
    assert hub.pods_of(name) == []


async def test_in_german_the_page_says_that_it_is(browser: Browser, hub: Hub, name: str) -> None:
    english = ("Start a server", "Choose a profile", "Start")
    with speaking("de"):
        heading, legend, start = german = tuple(map(gettext, english))
    assert not set(german) & set(english)
    async with on_the_form(browser, hub, name, locale="de-DE") as page:
        await expect(page.locator("main")).to_have_attribute("lang", "de")
        await expect(page.locator("#gpuspawner")).to_have_attribute("lang", "de")
        await expect(page.locator("h1")).to_have_text(heading)
        await expect(page.locator("legend")).to_have_text(legend)
        await expect(page.get_by_role("button", name=start, exact=True)).to_be_visible()
        await photograph(page, "german")


async def test_in_a_language_that_it_does_not_speak_it_is_english(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, locale="fr-FR") as page:
        await expect(page.locator("main")).to_have_attribute("lang", "en")
        await expect(page.locator("legend")).to_have_text("Choose a profile", timeout=SLOW)
