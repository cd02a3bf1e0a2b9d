"""The spawn page on hubs that are set up in other ways, and with hostile texts in all places."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio
import yaml
from jupyterhub import orm
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import NAMESPACE, AnybodyAuthenticator, Hub, People
from traitlets.config import Config

from gpuspawner.simcluster.apiserver.access import AccessRules, Rule

from .conftest import running_browser
from .spawn_page import CATALOG, card, overflow, photograph, radio, spawn_hub
from .test_pending_page import on_the_form

NAME = "researchers-1"


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """One for each test, and a loop: KubeSpawner asks one cluster in a loop."""
    async with running_browser() as browser:
        yield browser


@asynccontextmanager
async def on_a_hub(
    browser: Browser,
    directory: Path,
    configure: Callable[[Config], None] = lambda _: None,
    *,
    name: str = NAME,
    catalog: Path = CATALOG,
    access: AccessRules | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Page, Hub]]:
    """A browser on the form of a hub of its own."""
    async with (
        spawn_hub(directory, catalog=catalog, access=access, configure=configure) as hub,
        on_the_form(browser, hub, name, **options) as page,
    ):
        yield page, hub


async def is_complete(page: Page) -> None:
    """Check that the form is there as a whole, styled, alive, and with one button."""
    await expect(page.locator(".gpuspawner-card")).to_have_count(9)
    await expect(page.locator("#gpuspawner")).to_have_attribute("data-state", "live")
    await expect(card(page, "cpu")).to_have_css("display", "flex")
    await expect(page.locator("button[type=submit]")).to_have_count(1)
    await expect(page.locator("h1")).to_have_count(1)
    await page.locator("#gpuspawner-query").fill("l40")
    await expect(card(page, "h100")).to_be_hidden()
    await page.locator("#gpuspawner-query").fill("")
    await card(page, "h100").locator(".gpuspawner-nearest").click()
    await expect(radio(page, "a100")).to_be_checked()


HOSTILE = (
    """<img src=x onerror="alert('{where}')">'"`</script><script>alert(1)</script>{{{{7*7}}}}&lt;"""
)


def hostile(where: str) -> str:
    return HOSTILE.format(where=where)


def hostile_catalog(directory: Path) -> Path:
    """The catalog with a hostile text wherever one may stand that is read by somebody."""
    catalog = yaml.safe_load(CATALOG.read_text())
    for name, accelerator in catalog["accelerators"].items():
        accelerator["title"] = hostile(f"accelerator {name}")
    for profile in catalog["profiles"]:
        slug = profile["slug"]
        profile["title"] = hostile(f"title {slug}")
        profile["description"] = hostile(f"description {slug}")
        for image in profile.get("images", []):
            image["title"] = hostile(f"image {image['slug']}")
    catalog["node_pools"]["v100"]["title"] = hostile("pool")
    catalog["access"] = [{"groups": [hostile("group")], "profiles": ["*"]}]
    path = directory / "catalog.yaml"
    path.write_text(yaml.safe_dump(catalog))
    return path


class HostilePeople(People):
    """Everybody is in a group of a hostile name."""

    def get(self, name: str, default: Any = None) -> Any:
        del name, default
        return {"groups": [hostile("group")], "admin": False}


class HostileAuthenticator(AnybodyAuthenticator):
    people = HostilePeople()


# JupyterHub takes no "/" in a name, and makes it small.
HOSTILE_NAME = """<img src=x onerror="alert('name')">'"`&lt;"""


async def test_no_text_of_anybodys_becomes_markup_or_script(
    browser: Browser, tmp_path: Path
) -> None:
    def configure(c: Config) -> None:
        c.JupyterHub.authenticator_class = HostileAuthenticator
        c.JupyterHub.allow_existing_invalid_named_servers = "allow-start"

    catalog = hostile_catalog(tmp_path)
    async with on_a_hub(browser, tmp_path, configure, name=HOSTILE_NAME, catalog=catalog) as (
        page,
        hub,
    ):
        faults = faults_of(page)
        user = hub.app.users[HOSTILE_NAME]
        server = "<b>x'\""
        # JupyterHub 6 makes none of such a name, and starts those that were there before.
        hub.app.db.add(orm.Spawner(name=server, user=user.orm_user))
        hub.app.db.commit()
        queries = {
            "profile": hostile("query"),
            "image": hostile("query"),
            hostile("query"): hostile("query"),
        }
        await page.reload()
        for where in ("title cpu", "description cpu", "accelerator a100", "image torch", "pool"):
            await expect(page.locator("#gpuspawner")).to_contain_text(hostile(where))
        await expect(page.locator("#gpuspawner")).to_contain_text(hostile("group"))
        await page.locator("#gpuspawner-query").fill(hostile("search"))
        await card(page, "cpu").locator(".gpuspawner-link").click()
        for slug in ("a100", "cpu"):
            await page.locator("#gpuspawner-query").fill("")
            await radio(page, slug).check()
            await expect(page.locator("#gpuspawner-chosen")).to_have_text(hostile(f"title {slug}"))
        assert await elements(page) == OURS
        await photograph(page, "hostile")
        for address in (
            f"hub/gpuspawner/choose?{urlencode(queries)}",
            "hub/gpuspawner/choose?profile=h100",
            f"hub/gpuspawner/choose?{urlencode({'server': server})}",
            f"hub/spawn/{quote(HOSTILE_NAME)}/{quote(server)}",
            f"hub/spawn?{urlencode(queries)}",
        ):
            await page.goto(f"{hub.base}{address}")
            await expect(page.locator("#gpuspawner")).to_be_visible()
            assert await elements(page) == OURS, address
        assert [fault for fault in faults if "403 (Forbidden)" not in fault] == []


def faults_of(page: Page) -> list[str]:
    """What a page does that it should not, as it comes."""
    faults: list[str] = []

    async def dismiss(dialog: Any) -> None:
        faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: faults.append(message.text) if message.type == "error" else None,
    )
    return faults


OURS = {"main img": 0, "main script": 2, "main b": 0, "main [onerror]": 0, "[src=x]": 0}


async def elements(page: Page) -> dict[str, int]:
    """How many elements there are of the kinds that a hostile text would make."""
    return {kind: await page.locator(kind).count() for kind in OURS}


POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:"
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(
  [event.violatedDirective, event.blockedURI, event.sourceFile, String(event.target.closest
    ? !!event.target.closest("main") : false)]));
"""


async def test_a_strict_content_security_policy_stops_nothing_of_ours(
    browser: Browser, tmp_path: Path
) -> None:
    def configure(c: Config) -> None:
        c.JupyterHub.tornado_settings = {"headers": {"Content-Security-Policy": POLICY}}

    async with on_a_hub(browser, tmp_path, configure) as (page, hub):
        await page.add_init_script(_WATCH)
        answer = await page.goto(f"{hub.base}hub/spawn")
        assert answer is not None
        assert answer.headers["content-security-policy"] == POLICY
        await is_complete(page)
        await radio(page, "a100").focus()
        violations = await page.evaluate("violations")
        assert [each for each in violations if each[3] == "true"] == []
        # JupyterHub's own page has two scripts of its own within it, which do not run then.
        assert [each[0] for each in violations if each[1] == "inline"] == ["script-src-elem"] * 2
        assert [each for each in violations if each[1] != "inline"] == []


@pytest.mark.parametrize("prefix", ["/", "/hub/"])
async def test_it_works_below_any_base_url(browser: Browser, tmp_path: Path, prefix: str) -> None:
    def configure(c: Config) -> None:
        c.JupyterHub.bind_url = c.JupyterHub.bind_url.replace("/base/", prefix)

    async with on_a_hub(browser, tmp_path, configure) as (page, hub):
        faults = faults_of(page)
        await page.reload()
        await is_complete(page)
        assert hub.app.base_url == prefix
        link = await card(page, "a100").locator(".gpuspawner-link").get_attribute("href")
        assert str(link).startswith(f"{prefix}hub/gpuspawner/choose")
        await page.goto(f"{hub.base}hub/gpuspawner/choose?profile=l40")
        await expect(radio(page, "l40")).to_be_checked()
        assert faults == []


SPAWN = """{% extends "templates/spawn.html" %}
{% block heading %}<h1>The institute's servers</h1>{% endblock %}
{% block main %}<p id="theirs">Read the rules.</p>{{ super() }}{% endblock %}
"""
PAGE = """{% extends "templates/page.html" %}
{% block footer %}<footer id="theirs-too">The institute</footer>{% endblock %}
"""


@pytest.mark.parametrize(
    ("templates", "theirs", "is_ours"),
    [
        pytest.param({"spawn.html": SPAWN}, "#theirs", 0, id="a spawn.html"),
        pytest.param({"page.html": PAGE}, "#theirs-too", 1, id="a page.html"),
    ],
)
async def test_with_templates_of_the_operators_the_form_is_complete(
    browser: Browser, tmp_path: Path, templates: dict[str, str], theirs: str, is_ours: int
) -> None:
    for name, text in templates.items():
        (tmp_path / name).write_text(text)

    def configure(c: Config) -> None:
        c.JupyterHub.template_paths.insert(0, str(tmp_path))

    async with on_a_hub(browser, tmp_path / "state", configure) as (page, _):
        faults = faults_of(page)
        await page.reload()
        await expect(page.locator(theirs)).to_be_visible()
        await is_complete(page)
        await expect(page.locator("#gpuspawner-chosen")).to_have_count(is_ours)
        await photograph(page, f"templates-{'-'.join(templates)}")
        assert faults == []


async def test_without_our_pages_it_has_its_style_within_and_no_script(
    browser: Browser, tmp_path: Path
) -> None:
    """As where the class is configured and ``setup`` is not called."""

    def configure(c: Config) -> None:
        del c.JupyterHub.template_paths
        del c.JupyterHub.extra_handlers

    async with on_a_hub(browser, tmp_path, configure) as (page, hub):
        await expect(page.locator(".gpuspawner-card")).to_have_count(9)
        await expect(card(page, "cpu")).to_have_css("display", "flex")
        await expect(page.locator("main script, form script, form link")).to_have_count(0)
        await expect(page.locator("#gpuspawner-search")).to_have_count(0)
        await expect(page.locator("button[type=submit]")).to_have_count(1)
        assert await overflow(page) <= 0
        await card(page, "h100").locator(".gpuspawner-nearest").click()
        assert page.url.endswith("#gpuspawner-a100")
        await radio(page, "a100").check()
        await photograph(page, "class-alone")
        await page.get_by_role("button", name="Start").click()
        await hub.cluster.wait_until(lambda: bool(hub.pods_of(NAME)), 20)
        await hub.visitor(NAME)
        await hub.stop_server(NAME)


async def test_a_hub_that_may_not_see_the_cluster_says_so_and_lets_one_try(
    browser: Browser, tmp_path: Path
) -> None:
    access = AccessRules(rules=[Rule(namespaces=(NAMESPACE,))])
    async with on_a_hub(browser, tmp_path, access=access) as (page, _):
        await expect(page.locator('[data-standing="unknown"]')).to_have_count(9)
        await expect(page.get_by_text("is not allowed to see the cluster")).to_have_count(9)
        await expect(page.locator(".gpuspawner-bar")).to_have_count(0)
        await expect(page.locator("#gpuspawner input:disabled")).to_have_count(0)
        await photograph(page, "rights-missing")
