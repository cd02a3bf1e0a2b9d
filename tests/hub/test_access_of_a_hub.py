"""Where a page finds what is in force: at the file and in the mode that the spawners have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from gpuspawner import GPUSpawner
from gpuspawner.catalog import CatalogError
from gpuspawner.hub.access import in_force_of, list_of
from gpuspawner.in_force import forget, in_force
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


LISTED = [{"display_name": "One"}]


@pytest.mark.parametrize(
    ("settings", "is_there", "expected"),
    [
        pytest.param({}, False, True, id="without a list there is meant to be one"),
        pytest.param({"profile_list": LISTED}, False, False, id="with a list it may be missing"),
        pytest.param({"profile_list": LISTED}, True, True, id="with a list and a file"),
        pytest.param(
            {"profile_list": LISTED, "catalog_file": "/a"},
            False,
            True,
            id="one that is named",
        ),
    ],
)
async def test_whether_there_is_a_catalog_is_known_without_looking(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    *,
    is_there: bool,
    expected: bool,
) -> None:
    """A mount that hangs is looked at in a thread, and nowhere else."""
    path = tmp_path / "catalog.yaml"
    if is_there:
        path.write_text("profiles: [{slug: cpu, title: CPU, default: true}]")
    monkeypatch.setattr("gpuspawner.hub.access.DEFAULT_CATALOG", str(path))
    monkeypatch.setattr("gpuspawner.offering.DEFAULT_CATALOG", str(path))
    given = {"catalog_file": str(path), **settings}
    hub: Any = SimpleNamespace(spawner_class=GPUSpawner, config=Config({"GPUSpawner": given}))
    await in_force_of(hub).fresh()
    spawner = GPUSpawner(_mock=True, config=hub.config)
    spawner.user = SimpleNamespace(name="ada", groups=[])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda *_, **__: pytest.fail("the event loop looks"))
        patch.setattr(Path, "open", lambda *_, **__: pytest.fail("the event loop looks"))
        assert list_of(hub).has_catalog is expected
        try:
            slugs = {profile.slug for profile in spawner.catalog.profiles}
        except CatalogError:
            slugs = set()
    assert ("cpu" in slugs) is is_there
    forget()
