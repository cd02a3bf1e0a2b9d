"""The admins' pages of a hub that has KubeSpawner's own profile_list, and no catalog."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gpuspawner.access import PAGE
from gpuspawner.offering import DEFAULT_CATALOG
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import audit, configured
from .conftest import Hub, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_CATALOG = "This hub has no catalog, and so there are no rules to change."
LISTED: list[dict[str, Any]] = [
    {"display_name": "For some <b>", "slug": "some", "allowed_groups": ["gpu-users"]},
    {"display_name": "For all", "slug": "all"},
    {"display_name": "Wrong", "slug": "wrong", "allowed_group": []},
]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["a list", "a function"])
async def hub(cluster: SimCluster, request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    config = configured(cluster, PAGE)
    config.GPUSpawner.catalog_file = DEFAULT_CATALOG
    config.KubeSpawner.profile_list = LISTED if request.param == "a list" else lambda _: LISTED
    async with running_hub(cluster, config) as hub:
        yield hub


async def test_it_is_said_and_what_the_entries_give(hub: Hub) -> None:
    page = await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin")
    assert page.status == 200
    assert NO_CATALOG in page.text
    assert "cannot be read" not in page.text
    if callable(hub.app.config.KubeSpawner.profile_list):
        assert "A function of the hub&#39;s configuration makes it for each person." in page.text
        return
    assert "<strong>For some &lt;b&gt;</strong> <code>some</code>: group gpu-users" in page.text
    assert "<strong>For all</strong> <code>all</code>: everyone" in page.text
    assert "These entries have a mistake" in page.text
    assert "did you mean &#39;allowed_groups&#39;?" in page.text


async def test_there_is_nothing_to_change_or_to_take_away(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    rules = await admin.get("hub/gpuspawner/admin/rules")
    assert NO_CATALOG in rules.text
    assert 'name="do"' not in rules.text
    fields = {"rules": "[]", "do": "save", "why": "x"}
    answer = await admin.post_form("hub/gpuspawner/admin/rules", fields)
    assert (answer.status, (await audit(hub)).code) == (403, "no-catalog")
    assert (await admin.get("hub/gpuspawner/admin/access.yaml")).status == 404
    body = {"access": [], "parent": 0, "why": "x"}
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/preview")):
        answer = await admin.api(method, f"gpuspawner/access{path}", body)
        assert (answer.status, json.loads(answer.text)["code"]) == (404, "no-catalog")


async def test_why_somebody_has_an_entry(hub: Hub) -> None:
    await hub.visitor("students-1")
    page = await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin/why?user=students-1")
    allowed, _, denied = page.text.partition("<h3>Not allowed</h3>")
    assert "Its entry is open to everyone" in allowed
    assert "Now: free" in allowed
    assert "Its entry is for group gpu-users" in denied
