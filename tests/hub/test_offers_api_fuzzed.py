"""The API against its description: schemathesis asks what that permits, and what it forbids."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from .conftest import HERE, Hub
from .test_offers_api import ADMINS_TOKEN, OFFERS, caller
from .test_offers_api import hub as hub  # noqa: PLC0414 - a fixture of this module, too

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = HERE.parents[1] / "docs" / "openapi.yaml"
OPTIONS = (
    *("--max-examples", "60"),
    *("--seed", "1"),
    # JupyterHub answers 403 without credentials, where others answer 401.
    *("--exclude-checks", "missing_required_header"),
)
NOTHING_REACHED = "Missing test data"
"""What schemathesis says if it had no answer but 404."""


def description_for(user: str, directory: Path) -> Path:
    """The description in which one of the people is there, for schemathesis to find."""
    document = yaml.safe_load(DOCUMENT.read_text())
    for parameter in document["paths"][f"/{OFFERS}"]["get"]["parameters"]:
        if parameter["name"] == "user":
            parameter["schema"] = {"anyOf": [{"const": user}, parameter["schema"]]}
    path = directory / "openapi.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


async def fuzzed(hub: Hub, token: str, description: Path, *more: str) -> tuple[int | None, str]:
    """What schemathesis finds; in a process of its own, since it seeds what the hub draws from."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(description), *OPTIONS, *more),
        # Past the proxy: what answers is to be the hub.
        *("--url", f"{hub.app.hub.url}api", "--header", f"Authorization: token {token}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=description.parent,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    "group",
    [
        pytest.param("gpu-users", id="of a person"),
        pytest.param("nobody", id="of a person to whom nothing is open"),
        pytest.param("admins", id="of an admin"),
        pytest.param("", id="of a service"),
    ],
)
async def test_it_keeps_to_its_description_with_a_token(
    hub: Hub, new_name: Callable[[str], str], tmp_path: Path, group: str
) -> None:
    other = new_name("gpu-users")
    await hub.visitor(other)
    name = new_name(group) if group else ""
    token = (await caller(hub, name)).token if group else ADMINS_TOKEN
    user = name if group in ("gpu-users", "nobody") else other
    only = ("--include-path", f"/{OFFERS}")
    returned, said = await fuzzed(hub, token, description_for(user, tmp_path), *only)
    assert returned == 0, said
    assert "Fuzzing" in said
    assert group == "nobody" or NOTHING_REACHED not in said
