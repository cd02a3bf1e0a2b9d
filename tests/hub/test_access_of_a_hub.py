"""Where a page finds what is in force: at the file and in the mode that the spawners have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from gpuspawner import GPUSpawner
from gpuspawner.hub.access import in_force_of
from gpuspawner.in_force import in_force
from gpuspawner.offering import DEFAULT_CATALOG


class TheirSpawner(GPUSpawner):
    pass


@pytest.mark.parametrize(
    ("settings", "path", "mode"),
    [
        pytest.param({}, DEFAULT_CATALOG, "git", id="as it comes"),
        pytest.param(
            {"GPUSpawner": {"catalog_file": "/a", "access_mode": "page"}}, "/a", "page", id="set"
        ),
        pytest.param(
            {"TheirSpawner": {"access_mode": "page"}, "GPUSpawner": {"access_mode": "git"}},
            DEFAULT_CATALOG,
            "page",
            id="in the section of a subclass, which comes last",
        ),
        pytest.param({"Spawner": {"catalog_file": "/b"}}, "/b", "git", id="in a section above"),
    ],
)
def test_the_settings_of_the_spawners_count(settings: dict[str, Any], path: str, mode: Any) -> None:
    hub: Any = SimpleNamespace(spawner_class=TheirSpawner, config=Config(settings))
    assert in_force_of(hub) is in_force(Path(path), mode)
    assert in_force_of(hub).mode == mode
