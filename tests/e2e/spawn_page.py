"""A hub whose spawn page shows one person every way in which a profile can stand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Locator, Page, expect
from tests.hub.conftest import Hub, configuration, running_hub
from traitlets.config import Config

from gpuspawner.capacity import shared
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.apiserver.access import AccessRules
from gpuspawner.simcluster.apiserver.faults import Drop
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

HERE = Path(__file__).parent
CATALOG = HERE / "spawn_catalog.yaml"
SCREENSHOTS = os.environ.get("GPUSPAWNER_TESTS_SCREENSHOTS")
SLOW = 30_000
Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[int, Scheme], ...] = (
    (360, "light"),
    (360, "dark"),
    (1280, "light"),
    (1280, "dark"),
)
"""Width in pixels, and theme."""
GPU, SHARED, SLICE = "nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb"
TAKEN = {
    "a100-1": (GPU, 2),
    "a100-2": (GPU, 1),
    "l40-1": (GPU, 1),
    "l40-2": (GPU, 1),
    "h100-1": (GPU, 1),
    "t4-1": (SHARED, 4),
    "mig-1": (SLICE, 2),
}
"""What others have, by node: one pod for each device, every other one of another namespace."""


_CLIPPED = """
() => Array.from(document.querySelectorAll("main *")).filter((element) => {
  const box = element.getBoundingClientRect();
  const said = Array.from(element.childNodes).some((n) => n.nodeType === 3 && n.data.trim());
  if (!said || !box.width || element.closest(".visually-hidden, select, #gpuspawner-chosen"))
    return false;
  const hides = getComputedStyle(element).overflowX !== "visible";
  return box.left < 0 || box.right > document.documentElement.clientWidth + 0.5
    || (hides && element.scrollWidth > element.clientWidth + 1);
}).map((element) => element.textContent)
"""


def fill(cluster: SimCluster) -> None:
    """Give others what they have."""
    for node, (resource, number) in TAKEN.items():
        for index in range(number):
            container = {"name": "x", "image": "x", "resources": {"limits": {resource: "1"}}}
            pod = {
                "metadata": {"name": f"theirs-{node}-{index}"},
                "spec": {"nodeName": node, "containers": [container]},
            }
            cluster.store.create(PODS, ("lab", "kube-system")[index % 2], pod)


@asynccontextmanager
async def full_cluster(
    directory: Path, access: AccessRules | None = None
) -> AsyncIterator[SimCluster]:
    """The cluster, with others on it."""
    description = ClusterDescription.load(HERE / "spawn_cluster.yaml")
    async with SimCluster(description, state_dir=directory, access=access) as cluster:
        fill(cluster)
        yield cluster


@asynccontextmanager
async def spawn_hub(
    directory: Path,
    *,
    catalog: Path = CATALOG,
    access: AccessRules | None = None,
    configure: Callable[[Config], None] = lambda _: None,
) -> AsyncIterator[Hub]:
    """A hub on that cluster."""
    async with full_cluster(directory, access) as cluster:
        c = configuration(cluster, catalog)
        configure(c)
        async with running_hub(cluster, c) as hub:
            yield hub


@contextmanager
def silent(hub: Hub) -> Iterator[None]:
    """The API server answers nobody, and has not for a while."""
    injection = hub.cluster.faults.add(Drop(), times=None)
    (entry,) = shared._shared[asyncio.get_running_loop()].values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry.watch, "_clock", lambda: time.monotonic() + 300)
        yield
    hub.cluster.faults.remove(injection)


def card(page: Page, slug: str) -> Locator:
    """The card of a profile."""
    return page.locator(f'.gpuspawner-card[data-profile="{slug}"]')


def radio(page: Page, slug: str) -> Locator:
    """What chooses a profile."""
    return page.locator(f"#gpuspawner-{slug}")


def small(width: int) -> dict[str, Any]:
    """A window that the page is longer than, and which scrolls at once."""
    return {"viewport": {"width": width, "height": 640}, "reduced_motion": "reduce"}


async def wear(page: Page, width: int, scheme: Scheme) -> None:
    """Look at the page at a width and in a theme."""
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)


async def photograph(page: Page, name: str) -> None:
    """Keep what the page looks like, where the environment says to."""
    if not SCREENSHOTS:
        return
    # The bar with the button hangs in the middle of a picture of the whole page.
    style = "#spawn_form > .feedback-container { position: static !important }"
    path = Path(SCREENSHOTS) / f"spawn-{name}.png"
    await page.screenshot(path=path, full_page=True, style=style)


async def clipped(page: Page) -> list[str]:
    """Texts of the page that reach out of the window or out of what cuts them off."""
    found: list[str] = await page.evaluate(_CLIPPED)
    return found


async def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    pixels: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels
