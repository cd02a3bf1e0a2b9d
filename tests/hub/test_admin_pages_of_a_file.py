"""The admins' pages where the access is the file's alone: shown, explained, and never changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import audit, configured
from .conftest import HERE, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_in_the_mode_git_the_page_shows_and_refuses(cluster: SimCluster) -> None:
    async with running_hub(cluster, configured(cluster, "git")) as hub:
        admin = await hub.visitor(ADMIN)
        page = await admin.get("hub/gpuspawner/admin/rules")
        assert "kept in the catalog&#39;s file" in page.text
        assert 'value="save"' not in page.text
        answer = await admin.post_form(
            "hub/gpuspawner/admin/rules", {"rules": "[]", "parent": "0", "do": "save", "why": "x"}
        )
        assert answer.status == 403
        assert "kept in the catalog&#39;s file" in answer.text
        assert (await audit(hub)).code == "read-only"
        export = await admin.get("hub/gpuspawner/admin/access.yaml")
        assert "groups: [students, gpu-users]" in export.text


async def test_a_bad_file_is_shown_with_its_problem(cluster: SimCluster, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text((HERE / "catalog.yaml").read_text())
    config = configured(cluster, "git")
    config.GPUSpawner.catalog_file = str(catalog)
    async with running_hub(cluster, config) as hub:
        admin = await hub.visitor(ADMIN)
        assert "not valid" not in (await admin.get("hub/gpuspawner/admin")).text
        catalog.write_text("profiles: 7")
        path, words = "hub/gpuspawner/admin", "not valid since 20"
        async with asyncio.timeout(5):
            while words not in (await admin.get(path)).text:  # noqa: ASYNC110 - as people do
                await asyncio.sleep(0.1)
        # What was good before is still there.
        assert "gpu-users" in (await admin.get("hub/gpuspawner/admin")).text
