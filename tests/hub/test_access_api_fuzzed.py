"""The API of the access against its description: schemathesis asks what it permits and forbids."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuspawner.access import PAGE
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import configured
from .conftest import running_hub
from .doors import ADMIN
from .test_offers_api_fuzzed import DOCUMENT, fuzzed

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPTIONS = (
    *("--max-examples", "15"),
    # Every boundary of every field, as the offers' are tried, takes a minute here.
    *("--phases", "fuzzing"),
    *("--include-path-regex", "/gpuspawner/access"),
    # Which profiles there are the description cannot say.
    *("--exclude-checks", "missing_required_header,positive_data_acceptance"),
)


async def test_it_keeps_to_its_description(cluster: SimCluster, tmp_path: Path) -> None:
    description = tmp_path / "openapi.yaml"
    description.write_text(DOCUMENT.read_text())
    async with running_hub(cluster, configured(cluster, PAGE)) as hub:
        await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin")
        token = hub.app.users[ADMIN].new_api_token()
        returned, said = await fuzzed(hub, token, description, *OPTIONS)
        assert returned == 0, said
        assert "Fuzzing" in said
