"""The spawn page by keyboard alone: nothing is out of reach, out of sight or a trap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import pytest
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import Hub

from .spawn_page import card, photograph, radio, small
from .test_pending_page import on_the_form

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST_STOPS = 60
_numbers = count(1)
_FOCUS = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const seen = element.closest(".gpuspawner-card:has(> input:focus)") ?? element;
  const style = getComputedStyle(seen);
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const shows = (parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none")
    || style.boxShadow !== "none";
  return {
    place: [...document.querySelectorAll("*")].indexOf(element),
    id: element.id,
    tag: element.tagName.toLowerCase(),
    words: (element.innerText ?? "").trim(),
    inForm: !!element.closest("#spawn_form"),
    shows,
    isSeen: !!top && (top === element || element.contains(top) || top.contains(element)
      || [...(element.labels ?? [])].includes(top)),
  };
}
"""


@dataclass(frozen=True)
class Stop:
    """Where the focus is.

    Attributes:
        place: in the page.
        shows: whether it can be told from what it looks like.
        is_seen: whether its middle is in the window, and nothing lies over it.
    """

    place: int
    id: str
    tag: str
    words: str
    in_form: bool
    shows: bool
    is_seen: bool


async def focus(page: Page) -> Stop | None:
    found = await page.evaluate(_FOCUS)
    if found is None:
        return None
    return Stop(
        found["place"],
        found["id"],
        found["tag"],
        found["words"],
        in_form=found["inForm"],
        shows=found["shows"],
        is_seen=found["isSeen"],
    )


async def stops(page: Page, key: str) -> list[Stop]:
    """All that the focus comes to from the top of the page to its end; each once."""
    found: list[Stop] = []
    for _ in range(MOST_STOPS):
        await page.keyboard.press(key)
        stop = await focus(page)
        if stop is None or stop.place in {each.place for each in found}:
            return found
        found.append(stop)
    return pytest.fail(f"the focus goes on and on: {[stop.id for stop in found]}")


@pytest.mark.parametrize("width", [360, 1280])
async def test_tab_comes_by_everything_and_what_has_the_focus_can_be_seen(
    browser: Browser, hub: Hub, name: str, width: int
) -> None:
    async with on_the_form(browser, hub, name, **small(width)) as page:
        ours = [stop for stop in await stops(page, "Tab") if stop.in_form]
        reached = [(stop.tag, stop.id or stop.words) for stop in ours]
        assert reached == [
            ("input", "gpuspawner-query"),
            ("input", "gpuspawner-cpu"),
            ("a", "Link to this choice"),
            ("a", "Choose Inference on one L40 instead"),
            ("a", "Choose Training on one A100 instead"),
            ("a", "Choose Training on one A100 instead"),
            ("button", "Start"),
        ]
        assert [stop for stop in ours if not stop.shows] == []
        assert [stop for stop in ours if not stop.is_seen] == []


@pytest.mark.parametrize("width", [360, 1280])
async def test_backwards_the_bar_at_the_bottom_hides_nothing_either(
    browser: Browser, hub: Hub, name: str, width: int
) -> None:
    async with on_the_form(browser, hub, name, **small(width)) as page:
        await page.locator("#spawn_form button").focus()
        ours = [stop for stop in await stops(page, "Shift+Tab") if stop.in_form]
        assert len(ours) == 6
        assert [stop for stop in ours if not stop.is_seen] == []


async def test_the_arrows_pass_over_what_cannot_be_chosen(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name, **small(360)) as page:
        await radio(page, "cpu").focus()
        chosen = []
        for _ in range(7):
            await page.keyboard.press("ArrowDown")
            stop = await focus(page)
            assert stop is not None
            assert stop.shows
            assert stop.is_seen, stop.id
            await expect(radio(page, stop.id.removeprefix("gpuspawner-"))).to_be_checked()
            title = await page.locator(f"label[for={stop.id}]").inner_text()
            await expect(page.locator("#gpuspawner-chosen")).to_have_text(title)
            chosen.append(stop.id.removeprefix("gpuspawner-"))
        assert chosen == ["a100", "l40", "v100", "slice", "t4", "cpu", "a100"]


async def test_from_the_top_of_the_page_to_a_server_with_the_image_one_wants(
    browser: Browser, hub: Hub, name: str
) -> None:
    async with on_the_form(browser, hub, name) as page:
        await to(page, "gpuspawner-cpu")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await expect(page.locator("#gpuspawner-a100--image")).to_be_focused()
        await page.keyboard.press("ArrowDown")
        await photograph(page, "by-keyboard")
        for _ in range(5):
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Start")).to_be_focused()
        await page.keyboard.press("Enter")
        await hub.cluster.wait_until(lambda: bool(hub.pods_of(name)), 20)
    [pod] = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["image"] == "example/jax:1"
    await hub.visitor(name)
    await hub.stop_server(name)


async def to(page: Page, identity: str) -> None:
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        stop = await focus(page)
        if stop is not None and stop.id == identity:
            return
    pytest.fail(f"{identity} is not reached by Tab")


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_nearest_is_chosen_by_enter_and_has_the_focus_then(
    browser: Browser, hub: Hub, name: str, width: int
) -> None:
    async with on_the_form(browser, hub, name, **small(width)) as page:
        address = page.url
        await card(page, "l40-pair").locator(".gpuspawner-nearest").focus()
        await page.keyboard.press("Enter")
        await expect(radio(page, "l40")).to_be_checked()
        await expect(radio(page, "l40")).to_be_focused()
        stop = await focus(page)
        assert stop is not None
        assert stop.shows
        assert stop.is_seen
        await expect(page.locator("#gpuspawner-chosen")).to_have_text("Inference on one L40")
        assert page.url == address


async def test_the_link_to_a_choice_is_copied_by_enter(
    browser: Browser, hub: Hub, name: str
) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    async with on_the_form(browser, hub, name, permissions=permissions) as page:
        await radio(page, "a100").check()
        await page.select_option("#gpuspawner-a100--image", "jax")
        await card(page, "a100").locator(".gpuspawner-link").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#gpuspawner-news")).to_have_text("The link is copied.")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{hub.base}hub/gpuspawner/choose?profile=a100&image=jax"
        await page.goto(copied)
        await expect(radio(page, "a100")).to_be_checked()
        await expect(page.locator("#gpuspawner-a100--image")).to_have_value("jax")
