"""The folders that the demo is made of: a cluster, a catalog, people, and their hub's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from traitlets.config import Config

import gpuspawner
from gpuspawner.catalog import CatalogError, load_catalog
from gpuspawner.simcluster.description import ClusterDescription, ClusterDescriptionError

FILES = ("cluster.yaml", "catalog.yaml", "people.yaml")
HUB = "hub.yaml"

HOMES: dict[str, Any] = {
    "pvc_name_template": "home-{username}",
    "storage_pvc_ensure": True,
    "storage_capacity": "10Gi",
    "volumes": {
        "home": {"name": "home", "persistentVolumeClaim": {"claimName": "home-{username}"}}
    },
    "volume_mounts": {"home": {"name": "home", "mountPath": "/home/jovyan"}},
}
"""A claim for each person, as the Helm chart makes them."""


@dataclass(frozen=True, slots=True)
class Example:
    """A folder with a cluster, a catalog and people.

    Attributes:
        people: name to ``{groups: [...], admin: bool, try: words}``.
        hub: what its hub's configuration says besides, as the Helm chart's ``hub.config`` does:
            traits by the names of their classes.
    """

    folder: Path
    cluster: ClusterDescription
    people: dict[str, dict[str, Any]]
    hub: dict[str, dict[str, Any]]

    @property
    def catalog(self) -> Path:
        """The catalog's file."""
        return self.folder / "catalog.yaml"


def load_example(name: str) -> Example:
    """An example by its name, or by the path of a folder like it.

    Raises:
        click.ClickException: there is no such example; the text names those that there are.
    """
    root = examples_folder()
    names = example_names()
    folder = root / name if name in names else Path(name).resolve()
    if not folder.is_dir():
        raise click.ClickException(f"no example {name!r}; there are: {', '.join(names)}")
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise click.ClickException(
            f"{name} has no {' and no '.join(missing)}; an example has {', '.join(FILES)}: "
            f"begin with a copy of {root / names[0]}"
        )
    try:
        load_catalog(folder / "catalog.yaml")
        cluster = ClusterDescription.load(folder / "cluster.yaml")
    except (CatalogError, ClusterDescriptionError) as error:
        raise click.ClickException(str(error)) from error
    people = _sections(folder / "people.yaml", "ada:\n      groups: [staff]")
    hub = folder / HUB
    settings = _sections(hub, "KubeSpawner:\n      start_timeout: 300") if hub.is_file() else {}
    return Example(folder=folder, cluster=cluster, people=people, hub=settings)


def configure(c: Config, hub: Mapping[str, Any], catalog: Path | str) -> None:
    """Set up `c` for an example: homes, its hub's settings, and GPUSpawner with its catalog.

    A ``profile_list`` among the settings is there when `gpuspawner.setup` looks for one.
    """
    c.KubeSpawner.update(HOMES)
    c.merge(Config(hub))
    gpuspawner.setup(c, catalog)


def example_names() -> list[str]:
    """The names of the examples that there are."""
    return sorted(path.parent.name for path in examples_folder().glob("*/cluster.yaml"))


def examples_folder() -> Path:
    """Beside the package when it is installed, at the top of the repository when it is edited."""
    package = Path(__file__).parents[1]
    installed = package / "examples"
    return installed if installed.is_dir() else package.parents[1] / "examples"


def _sections(file: Path, model: str) -> dict[str, dict[str, Any]]:
    """A file in which everything stands below a name."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"{file} cannot be read as YAML: {error}") from error
    if not isinstance(read, dict) or not all(isinstance(part, dict) for part in read.values()):
        raise click.ClickException(f"{file}: everything stands below a name, as in\n    {model}")
    return read
