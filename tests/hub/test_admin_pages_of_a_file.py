"""The admins' pages where the access is the file's alone: shown, explained, and never changed."""

from __future__ import annotations

import pytest

from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import audit, configured
from .conftest import running_hub
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
