"""What an operator writes in ``jupyterhub_config.py``, in a hub of its own process."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

import gpuspawner
from gpuspawner.hub.configuring import CATALOG_VARIABLE
from gpuspawner.kubespawner_config import ignored_settings
from gpuspawner.offering import DEFAULT_CATALOG

from .conftest import HERE

CATALOG = HERE / "catalog.yaml"


async def run_hub(directory: Path, config: str) -> tuple[int, str]:
    """Start JupyterHub with a configuration that is expected to end it; its status and output."""
    (directory / "jupyterhub_config.py").write_text(config)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jupyterhub",
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_hub_does_not_start_on_a_bad_catalog_and_says_why(tmp_path: Path) -> None:
    text = CATALOG.read_text().replace(
        "accelerator: gpu\n    count", "accelerator: gpus\n    count"
    )
    (tmp_path / "catalog.yaml").write_text(text.replace("profiles: [cpu]", "profiles: [cpus]"))
    config = "import gpuspawner\ngpuspawner.setup(c, 'catalog.yaml')\n"
    status, output = await run_hub(tmp_path, config)
    assert status != 0
    assert "The catalog is not valid, so the hub does not start" in output
    assert "catalog.yaml:31: profiles[2].accelerator: " in output
    assert "did you mean 'gpu'?" in output
    assert "catalog.yaml:35: access[0].profiles[0]: " in output
    assert "Traceback" not in output


async def test_the_hub_does_not_start_without_a_catalog_and_names_the_file(
    tmp_path: Path,
) -> None:
    config = "import gpuspawner\ngpuspawner.setup(c, '/no/such/catalog.yaml')\n"
    status, output = await run_hub(tmp_path, config)
    assert status != 0
    assert "/no/such/catalog.yaml" in output


def test_setup_is_one_line() -> None:
    c = Config()
    gpuspawner.setup(c, CATALOG)
    assert c.JupyterHub.spawner_class == "gpuspawner.GPUSpawner"
    assert c.GPUSpawner.catalog_file == str(CATALOG)


def test_setup_takes_the_catalog_that_is_already_configured() -> None:
    c = Config()
    c.GPUSpawner.catalog_file = str(CATALOG)
    gpuspawner.setup(c)
    assert c.GPUSpawner.catalog_file == str(CATALOG)


def test_setup_takes_the_catalog_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CATALOG_VARIABLE, str(CATALOG))
    c = Config()
    gpuspawner.setup(c)
    assert c.GPUSpawner.catalog_file == str(CATALOG)


def test_setup_without_any_catalog_says_where_it_looked() -> None:
    with pytest.raises(TraitError, match=r"/etc/gpuspawner/catalog\.yaml"):
        gpuspawner.setup(Config())


def test_the_spawner_has_a_short_name() -> None:
    (entry,) = entry_points(group="jupyterhub.spawners", name="gpu")
    assert entry.load() is gpuspawner.GPUSpawner


def test_setup_keeps_a_subclass_that_is_configured() -> None:
    class Ours(gpuspawner.GPUSpawner):
        pass

    c = Config()
    c.JupyterHub.spawner_class = Ours
    c.GPUSpawner.catalog_file = CATALOG
    gpuspawner.setup(c)
    assert c.JupyterHub.spawner_class is Ours
    assert c.GPUSpawner.catalog_file == str(CATALOG)


def test_setup_keeps_a_subclass_that_is_configured_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "import gpuspawner\nclass Theirs(gpuspawner.GPUSpawner): pass\n"
    (tmp_path / "their_spawner.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    c = Config()
    c.JupyterHub.spawner_class = "their_spawner.Theirs"
    gpuspawner.setup(c, CATALOG)
    assert c.JupyterHub.spawner_class == "their_spawner.Theirs"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("gpu", "gpu", id="our short name stays"),
        pytest.param("kubespawner.KubeSpawner", "gpuspawner.GPUSpawner", id="the chart's goes"),
        pytest.param("simple", "gpuspawner.GPUSpawner", id="so does one by its short name"),
    ],
)
def test_setup_with_a_spawner_class_by_its_name(name: str, expected: str) -> None:
    c = Config()
    c.JupyterHub.spawner_class = name
    gpuspawner.setup(c, CATALOG)
    assert c.JupyterHub.spawner_class == expected


@pytest.mark.parametrize("name", ["no_such_module.Theirs", "json.Theirs", "json"])
def test_a_spawner_class_that_cannot_be_imported_is_named(name: str) -> None:
    c = Config()
    c.JupyterHub.spawner_class = name
    with pytest.raises(TraitError, match=f"spawner_class is '{name}', which cannot be imported"):
        gpuspawner.setup(c, CATALOG)


@pytest.mark.parametrize("section", ["KubeSpawner", "GPUSpawner"])
def test_settings_of_kubespawner_that_have_no_effect_are_named(section: str) -> None:
    c = Config()
    c.KubeSpawner.profile_form_template = ""
    assert ignored_settings(c) == []
    c[section].profile_form_template = "<p>Old</p>"
    assert ignored_settings(c) == [f"{section}.profile_form_template"]


@pytest.mark.parametrize("section", ["KubeSpawner", "GPUSpawner", "TheirSpawner"])
@pytest.mark.parametrize("listed", [[{"display_name": "E"}], {"e": {"display_name": "E"}}, list])
def test_setup_needs_no_catalog_beside_a_profile_list(section: str, listed: object) -> None:
    c = Config()
    c.JupyterHub.spawner_class = type("TheirSpawner", (gpuspawner.GPUSpawner,), {})
    c[section].profile_list = listed
    gpuspawner.setup(c)
    assert c.GPUSpawner.catalog_file == DEFAULT_CATALOG


def test_a_catalog_that_is_named_has_to_be_there_beside_a_profile_list_as_well() -> None:
    c = Config()
    c.KubeSpawner.profile_list = [{"display_name": "E"}]
    with pytest.raises(TraitError, match=r"none\.yaml"):
        gpuspawner.setup(c, "/no/such/none.yaml")


def test_the_mode_is_chosen_in_one_place() -> None:
    c = Config()
    gpuspawner.setup(c, CATALOG, access_mode="page")
    assert c.GPUSpawner.access_mode == "page"
    c = Config()
    c.GPUSpawner.access_mode = "page"
    gpuspawner.setup(c, CATALOG)
    assert c.GPUSpawner.access_mode == "page"
    with pytest.raises(TraitError, match="pages"):
        gpuspawner.setup(Config(), CATALOG, access_mode="pages")  # type: ignore[arg-type]
