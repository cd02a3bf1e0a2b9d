"""Sign-in at a real OpenID provider, as docs/sign-in.md configures it: groups, and what of them is
in force when they change, when the provider is away, and when it says strange things."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.hub.conftest import HERE as OF_HUBS
from tests.hub.conftest import Hub, configuration, running_hub

from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import closed
from .openid import CLIENT, Provider, running_provider
from .spawn_page import card, radio

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = Path(__file__).parents[2] / "docs" / "sign-in.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
AUTHENTIK, KEYCLOAK = (text for text in SNIPPETS if "authenticator_class" in text)
ALSO_PATHS = """
  - groups: [/gpu/*]
    profiles: [gpu]
"""
ADA = {"groups": ["gpu-users", "staff"]}
LESS = {"groups": ["students"]}


@dataclass(frozen=True)
class SignIn:
    """A hub whose people sign in elsewhere."""

    hub: Hub
    provider: Provider
    browser: Browser

    @asynccontextmanager
    async def person(self, name: str, **claims: Any) -> AsyncIterator[Page]:
        """Somebody who has just signed in, on the spawn page."""
        await self.provider.people({name: claims})
        context = await self.browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(10_000)
        await page.goto(f"{self.hub.base}hub/spawn")
        await page.get_by_role("button", name=re.compile("Sign in with")).click()
        await page.get_by_label("Name").fill(name)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{self.hub.base}hub/spawn")
        yield page
        await closed(context)

    def user(self, name: str) -> Any:
        return self.hub.app.users[name]

    def let_a_refresh_be_due(self, name: str) -> None:
        self.user(name)._auth_refreshed = None


@asynccontextmanager
async def signing_in(
    browser: Browser, cluster: SimCluster, directory: Path, snippet: str
) -> AsyncIterator[SignIn]:
    catalog = directory / "catalog.yaml"
    catalog.write_text((OF_HUBS / "catalog.yaml").read_text().rstrip() + ALSO_PATHS)
    config = configuration(cluster, catalog)
    for section in ("Authenticator", "OAuthenticator"):
        config.pop(section, None)  # what the document's snippet is to say itself
    callback = f"{config.JupyterHub.bind_url}hub/oauth_callback"
    async with running_provider(callback) as provider:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OAUTH_CLIENT_SECRET", CLIENT["client_secret"])
            patch.setenv("GPUSPAWNER_CATALOG", str(catalog))
            exec(compile(snippet, str(DOCUMENT), "exec"), {"c": config})
        # A refusal is the answer to the form, and not a page that comes later.
        config.JupyterHub.tornado_settings = {"slow_spawn_timeout": 20}
        config.CryptKeeper.keys = [os.urandom(32)]
        settings = config.GenericOAuthenticator
        assert settings.client_id == CLIENT["client_id"]
        settings.oauth_callback_url = callback
        settings.authorize_url = f"{provider.issuer}/auth"
        settings.token_url = f"{provider.issuer}/token"
        settings.userdata_url = f"{provider.issuer}/me"
        async with running_hub(cluster, config) as hub:
            yield SignIn(hub, provider, browser)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.load(OF_HUBS / "cluster.yaml")
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def signed(
    browser: Browser,
    cluster: SimCluster,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[SignIn]:
    """As with Authentik, where a test names no other."""
    directory, snippet = tmp_path_factory.mktemp("hub"), getattr(request, "param", AUTHENTIK)
    async with signing_in(browser, cluster, directory, snippet) as signed:
        yield signed


async def ask(page: Page, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """A request of the hub's API with the cookies of the browser.

    Not one of the page: that goes on to another, once a server starts.
    """
    cookies = await page.context.cookies(page.url)
    (xsrf,) = (str(cookie.get("value")) for cookie in cookies if cookie.get("name") == "_xsrf")
    url = f"{page.url.partition('/hub/')[0]}/hub/api/{path}"
    headers = {"X-XSRFToken": xsrf, "Referer": page.url}
    answer = await page.request.fetch(url, method=method, headers=headers, data=body)
    return answer.status, await answer.text()


async def start(page: Page, slug: str) -> None:
    await radio(page, slug).check()
    await page.get_by_role("button", name="Start").click()


async def test_a_group_taken_away_is_in_force_at_the_next_start(signed: SignIn) -> None:
    async with signed.person("ada", **ADA) as page:
        await expect(card(page, "gpu")).to_be_visible()
        seen = await signed.provider.seen()
        assert set(seen["challenges"]) == {"S256"}
        await signed.provider.people({"ada": LESS})
        await signed.provider.expire("ada")
        await start(page, "gpu")
        await expect(page.locator("body")).to_contain_text(
            "The profile 'gpu' is not open to this account"
        )
        await expect(card(page, "cpu")).to_be_visible()
        await expect(card(page, "gpu")).to_have_count(0)
        assert (await signed.provider.seen())["refreshes"] == seen["refreshes"] + 1
        assert (signed.hub.failures, signed.hub.pods_of("ada")) == (0, [])

        await signed.provider.people({"ada": ADA})
        status, text = await ask(page, "POST", "users/ada/server", {"profile": "gpu"})
        assert status in (201, 202), text
        await signed.hub.cluster.wait_until(lambda: signed.hub.pods_of("ada"), 30)


async def test_while_the_provider_is_away_nothing_is_started_and_pages_go_on(
    signed: SignIn,
) -> None:
    async with signed.person("bob", **ADA) as page:
        async with signed.provider.away():
            await start(page, "cpu")
            words = "The sign-in service does not answer at the moment"
            await expect(page.locator("body")).to_contain_text(words)
            status, text = await ask(page, "POST", "users/bob/server", {"profile": "cpu"})
            assert (status, words in text) == (503, True), text
            signed.let_a_refresh_be_due("bob")
            answer = await page.goto(f"{signed.hub.base}hub/home")
            assert answer is not None
            assert (answer.status, page.url) == (200, f"{signed.hub.base}hub/home")
        assert (signed.hub.failures, signed.hub.pods_of("bob")) == (0, [])
        status, text = await ask(page, "POST", "users/bob/server", {"profile": "cpu"})
        assert status in (201, 202), text
        await signed.hub.cluster.wait_until(lambda: signed.hub.pods_of("bob"), 30)


async def test_who_has_to_sign_in_again_starts_nothing_by_any_door_until_then(
    signed: SignIn,
) -> None:
    async with signed.person("eve", **ADA) as page:
        status, text = await ask(page, "POST", "users/eve/tokens", {})
        assert status == 201, text
        token = json.loads(text)["token"]
        await signed.provider.revoke("eve")
        await start(page, "cpu")
        await expect(page.locator("body")).to_contain_text("Sign in again")
        async with aiohttp.request(
            "POST",
            f"{signed.hub.base}hub/api/users/eve/server",
            headers={"Authorization": f"token {token}"},
            json={"profile": "cpu"},
        ) as with_token:
            assert with_token.status == 403, await with_token.text()
        assert (signed.hub.failures, signed.hub.pods_of("eve")) == (0, [])

        await page.goto(f"{signed.hub.base}hub/spawn")
        await page.get_by_role("button", name=re.compile("Sign in with")).click()
        await page.wait_for_url(f"{signed.hub.base}hub/spawn")  # the provider knows her still
        await start(page, "cpu")
        await signed.hub.cluster.wait_until(lambda: signed.hub.pods_of("eve"), 30)


async def test_who_loses_the_admins_group_is_no_admin_of_the_hub(signed: SignIn) -> None:
    address = f"{signed.hub.base}hub/gpuspawner/admin"
    async with signed.person("root", groups=["jupyter_admin", "students"]) as page:
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == 200
        async with signed.provider.away():
            signed.let_a_refresh_be_due("root")
            await page.goto(address)
            assert "login" in page.url
        await signed.provider.people({"root": LESS})
        signed.let_a_refresh_be_due("root")
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status in (403, 404)
        assert not signed.user("root").admin


@pytest.mark.parametrize(
    ("claims", "slugs"),
    [
        pytest.param({}, [], id="no groups"),
        pytest.param({"groups": "gpu-users"}, [], id="a string"),
        pytest.param({"groups": None}, [], id="null"),
        pytest.param({"groups": {"gpu": True}}, [], id="an object"),
        pytest.param(
            {"groups": [f"group-{number}" for number in range(1999)] + ["gpu-users"]},
            ["cpu", "gpu", "huge"],
            id="2,000 groups",
        ),
    ],
)
async def test_strange_claims_open_nothing(
    signed: SignIn, claims: dict[str, Any], slugs: list[str], request: pytest.FixtureRequest
) -> None:
    name = re.sub(r"\W+", "-", request.node.callspec.id)
    async with signed.person(name, **claims) as page:
        offered = page.locator("[data-profile]")
        found = await offered.evaluate_all("cards => cards.map(card => card.dataset.profile)")
        assert sorted(found) == slugs
        if not slugs:
            words = "No server profile is open to this account"
            await expect(page.locator("body")).to_contain_text(words)
            status, _text = await ask(page, "POST", f"users/{name}/server", {"profile": "cpu"})
            assert status == 403


@pytest.mark.parametrize("signed", [pytest.param(KEYCLOAK, id="Keycloak")], indirect=True)
async def test_full_paths_are_names_of_groups(signed: SignIn) -> None:
    async with signed.person("kim", groups=["/gpu/a100", "/jupyter_admin"]) as page:
        await expect(card(page, "gpu")).to_be_visible()
        await expect(card(page, "cpu")).to_have_count(0)
        assert signed.user("kim").admin
        await signed.provider.people({"kim": {"groups": ["gpu/a100", "gpu"]}})
        status, text = await ask(page, "POST", "users/kim/server", {"profile": "gpu"})
        assert status == 403, text
        assert not signed.user("kim").admin
